// Graphs: tracing, contracts, verify, print, cost and the memory plan.
import { describe, expect, it } from 'vitest'
import {
  ContractError,
  cost,
  countOperators,
  gradients,
  hostTensor,
  lower,
  op,
  ops,
  opNames,
  planMemory,
  print,
  spec,
  trace,
  verify,
  type Graph,
  type InputSpec,
} from '../src/index.js'

const parameter = (shape: number[]): InputSpec => spec(shape, { role: 'parameter', donated: true })

/** One step of gradient descent on a linear layer. */
const descent = () =>
  trace('descent', { w: parameter([2, 3]), x: spec([4, 3]) }, ({ w, x }, tracer) => {
    const loss = tracer.layer('model', () => op.sum(op.softmax(op.linear(x, w))))
    const [gradient] = gradients(loss, [w])
    return { w: op.sub(w, op.mul(gradient!, 0.1)), loss }
  })

describe('trace', () => {
  it('prints a stable, typed text', () => {
    expect(print(descent())).toMatchInlineSnapshot(`
      "graph descent
        input %0: f32[2,3] w (parameter, donated)
        input %1: f32[4,3] x (batch)
        # model
        %2: f32[4,2] = linear %1 %0
        %3: f32[4,2] = softmax %2 {axis=1}
        %4: f32[] = sum %3 {axes=[0,1]}
        # top
        %5: f32[] = constant {1}
        # model/grad
        %6: f32[1,1] = reshape %5 {shape=[1,1]}
        %7: f32[4,2] = broadcastTo %6 {shape=[4,2]}
        %8: f32[4,2] = softmaxGradient %3 %7 {axis=1}
        %9: f32[2,3] = matmul %8 %1 {transposeA}
        # top
        %10: f32[] = constant {0.1}
        %11: f32[2,3] = mul %9 %10
        %12: f32[2,3] = sub %0 %11
        output w = %12
        output loss = %4"
    `)
    expect(print(lower(descent()))).toMatchInlineSnapshot(`
      "graph descent
        input %0: f32[2,3] w (parameter, donated)
        input %1: f32[4,3] x (batch)
        # model
        %2: f32[4,2] = matmul %1 %0 {transposeB}
        %3: f32[4,1] = max %2 {axes=[1], keepDims}
        %4: f32[4,2] = sub %2 %3
        %5: f32[4,2] = exp %4
        %6: f32[4,1] = sum %5 {axes=[1], keepDims}
        %7: f32[4,2] = div %5 %6
        %8: f32[] = sum %7 {axes=[0,1]}
        # model/grad
        %9: f32[1,1] = constant {1}
        %10: f32[4,2] = broadcastTo %9 {shape=[4,2]}
        %11: f32[4,1] = sum %7 {axes=[1], keepDims}
        %12: f32[4,2] = sub %10 %11
        %13: f32[4,2] = mul %7 %12
        %14: f32[2,3] = matmul %13 %1 {transposeA}
        # top
        %15: f32[] = constant {0.1}
        %16: f32[2,3] = mul %14 %15
        %17: f32[2,3] = sub %0 %16
        output w = %17
        output loss = %8"
    `)
  })

  it('makes equal nodes once and leaves out what no output needs', () => {
    const graph = trace('once', { x: spec([2]) }, ({ x }) => {
      op.exp(x)
      return { y: op.add(op.mul(x, 2), op.mul(x, 2)) }
    })
    expect(graph.nodes.map((node) => node.op)).toEqual(['constant', 'mul', 'add'])
  })

  it('tells a scalar constant from its negative zero', () => {
    const graph = trace('zeros', { x: spec([]) }, ({ x }) => ({
      a: op.mul(x, 0),
      b: op.mul(x, -0),
    }))
    expect(graph.nodes.filter((node) => node.op === 'constant')).toHaveLength(2)
  })

  it('refuses a donated input that nothing replaces', () => {
    expect(() => trace('lost', { w: parameter([2]) }, ({ w }) => ({ y: op.neg(w) }))).toThrow(
      'graph lost: input w is donated, so an output of that name and of type f32[2] must replace it; there is none',
    )
  })
})

describe('contracts', () => {
  it('name the op, the constraint and what was given', () => {
    const broken = () =>
      trace('bad', { a: spec([2, 3]), b: spec([4, 5]) }, ({ a, b }) => ({ y: op.matmul(a, b) }))
    expect(broken).toThrow(ContractError)
    expect(broken).toThrow('matmul C2: the inner sizes k agree; given f32[2,3], f32[4,5]')
  })

  it('have a text for every constraint', () => {
    for (const name of opNames) {
      expect(ops[name].signature).not.toBe('')
      for (const text of ops[name].constraints) expect(text).not.toBe('')
    }
  })

  it.each([
    [
      'axis below zero',
      () => trace('t', { x: spec([2]) }, ({ x }) => ({ y: op.softmax(x, -1) })),
      'softmax C2',
    ],
    [
      'repeated axis',
      () => trace('t', { x: spec([2, 2]) }, ({ x }) => ({ y: op.sum(x, { axes: [0, 0] }) })),
      'sum C2',
    ],
    [
      'reshape of another size',
      () => trace('t', { x: spec([6]) }, ({ x }) => ({ y: op.reshape(x, [4]) })),
      'reshape C2',
    ],
    [
      'slice outside',
      () => trace('t', { x: spec([3]) }, ({ x }) => ({ y: op.slice(x, [2], [2]) })),
      'slice C2',
    ],
    [
      'mixed dtypes',
      () =>
        trace('t', { x: spec([3]), i: spec([3], { dtype: 'int32' }) }, ({ x, i }) => ({
          y: op.add(x, i),
        })),
      'add C1',
    ],
  ])('refuse %s', (_, build, message) => {
    expect(build).toThrow(message)
  })
})

describe('verify', () => {
  const damaged = (change: (graph: Graph) => Partial<Graph>) => {
    const graph = descent()
    return () => verify({ ...graph, ...change(graph) })
  }
  it('passes what tracing and lowering make', () => {
    expect(verify(descent()).nodes.length).toBeGreaterThan(0)
    expect(verify(lower(descent())).nodes.length).toBeGreaterThan(0)
  })
  it.each([
    [
      'a use before its node',
      (g: Graph) => ({ nodes: g.nodes.toReversed() }),
      /is used before it is made\n {2}in %/,
    ],
    ['a value made twice', (g: Graph) => ({ nodes: [...g.nodes, g.nodes[0]!] }), /is made twice/],
    [
      'a wrong type',
      (g: Graph) => ({ types: g.types.map(() => ({ dtype: 'float32', shape: [7] }) as const) }),
      /the shape rule gives|C\d/,
    ],
    [
      'an output nothing makes',
      () => ({ outputs: [{ name: 'w', value: 999 }] }),
      /which nothing makes/,
    ],
    [
      'a donated input without successor',
      () => ({ outputs: [] }),
      /donated input w is not replaced/,
    ],
    [
      'two inputs of one name',
      (g: Graph) => ({ inputs: [g.inputs[0]!, { ...g.inputs[1]!, name: 'w' }] }),
      /two inputs are called w/,
    ],
  ])('refuses %s', (_, change, message) => {
    expect(damaged(change)).toThrow(message)
  })
})

describe('cost', () => {
  it('counts a multiply-add as two operations', () => {
    const graph = trace('product', { a: spec([5, 4, 3]), b: spec([3, 7]) }, ({ a, b }) => ({
      y: op.matmul(a, b),
    }))
    const all = {
      flops: 2 * 5 * 4 * 3 * 7,
      bytes: 4 * (5 * 4 * 3 + 3 * 7 + 5 * 4 * 7),
      operators: 1,
    }
    expect(cost(graph)).toEqual({ ...all, parts: { other: all } })
  })

  it('counts the parts of a step apart', () => {
    const graph = trace('step', { x: spec([5]) }, ({ x }, tracer) => ({
      y: tracer.part('optimizer', () => op.exp(tracer.part('student', () => op.neg(op.neg(x))))),
    }))
    expect(cost(graph)).toMatchObject({
      operators: 3,
      parts: {
        student: { flops: 10, bytes: 80, operators: 2 },
        optimizer: { flops: 5, bytes: 40, operators: 1 },
      },
    })
  })

  it('counts operators by part and phase, without constants', () => {
    const graph = trace('step', { x: spec([5]) }, ({ x }, tracer) => {
      const y = tracer.part('student', () => op.mul(op.sin(x), 2))
      const [gradient] = gradients(op.sum(y), [x])
      return { y, gradient: tracer.part('optimizer', () => op.neg(gradient!)) }
    })
    expect(countOperators(graph)).toEqual({
      student: { forward: 2, backward: 3 },
      optimizer: { forward: 1 },
      other: { backward: 2 },
    })
    expect(cost(graph).operators).toBe(8)
  })
})

describe('memory plan', () => {
  const kilo = (n: number) => spec([256 * n])
  it('lets values live from their node to their last use', () => {
    // x and its two images live at once; the sum then takes one's place.
    const graph = trace('plan', { x: kilo(1) }, ({ x }) => ({ y: op.add(op.exp(x), op.sin(x)) }))
    expect(planMemory(graph)).toMatchObject({ peakBytes: 3 * 1024, residentBytes: 0 })
  })
  it('counts reshapes as views and writes elementwise results in place', () => {
    const graph = trace('plan', { x: kilo(1) }, ({ x }) => ({
      y: op.tanh(op.sigmoid(op.reshape(op.exp(x), [16, 16]))),
    }))
    expect(planMemory(graph).peakBytes).toBe(2 * 1024)
  })
  it('lets a donated input be overwritten only where the backend reuses it', () => {
    const graph = trace('plan', { w: parameter([256]) }, ({ w }) => ({
      w: op.mul(w, 0.5),
    }))
    const constant = 4
    expect(planMemory(graph, { reusesDonated: true }).peakBytes).toBe(1024 + constant)
    expect(planMemory(graph, { reusesDonated: false }).peakBytes).toBe(2 * 1024 + constant)
    expect(planMemory(graph).residentBytes).toBe(1024)
  })
  it('frees values that nothing reads', () => {
    // layerNorm's statistics die at birth: the second one's do not add to the first one's.
    const graph = trace('plan', { x: spec([256, 1]) }, ({ x }) => {
      const [scale, bias] = [1, 0].map((n) => x.tracer.constant(hostTensor('float32', [1], [n])))
      const once = op.layerNorm(x, scale!, bias!, 1)
      return { y: op.layerNorm(once, scale!, bias!, 1) }
    })
    expect(planMemory(graph).peakBytes).toBe(5 * 1024 + 2 * 4)
  })
})
