// Lowering: composites become primitives with the same values, and the simplifier's rules each do what they say.
import { describe, expect, it, test } from 'vitest'
import {
  evaluate,
  hostTensor,
  lower,
  op,
  Random,
  sizeOf,
  spec,
  trace,
  verify,
  type CompositeName,
  type Graph,
  type HostTensor,
  type Tensor,
} from '../src/index.js'

const opsOf = (graph: Graph) => graph.nodes.map((node) => node.op)
const lowered = (shape: number[], body: (x: Tensor) => Tensor) =>
  verify(lower(trace('t', { x: spec(shape) }, ({ x }) => ({ y: body(x) }))))

describe('simplify', () => {
  const cases: [string, number[], (x: Tensor) => Tensor, string[]][] = [
    ['x · 1', [2], (x) => op.mul(x, 1), []],
    ['1 · x', [2], (x) => op.mul(1, x), []],
    ['x / 1', [2], (x) => op.div(x, 1), []],
    ['x - 0', [2], (x) => op.sub(x, 0), []],
    ['x + 0 stays, for -0 + 0 is 0', [2], (x) => op.add(x, 0), ['constant', 'add']],
    ['-(-x)', [2], (x) => op.neg(op.neg(x)), []],
    [
      'constants are computed',
      [2],
      (x) => op.add(x, op.mul(op.sub(op.mul(x, 0), op.mul(x, 0)), 1)),
      ['constant', 'mul', 'sub', 'add'],
    ],
    ['reshape of reshape', [4], (x) => op.reshape(op.reshape(x, [2, 2]), [1, 4]), ['reshape']],
    ['reshape there and back', [4], (x) => op.reshape(op.reshape(x, [2, 2]), [4]), []],
    ['transpose there and back', [2, 3], (x) => op.transpose(op.transpose(x, [1, 0]), [1, 0]), []],
    [
      'broadcast before an elementwise op',
      [1, 3],
      (x) =>
        op.add(op.broadcastTo(x, [2, 3]), op.reshape(op.cast(x.tracer.iota(6), 'float32'), [2, 3])),
      ['iota', 'cast', 'reshape', 'add'],
    ],
    [
      'a broadcast that the result needs stays',
      [1, 3],
      (x) => op.mul(op.broadcastTo(x, [2, 3]), 2),
      ['broadcastTo', 'constant', 'mul'],
    ],
    ['transpose into matmul', [2, 3], (x) => op.matmul(op.transpose(x, [1, 0]), x), ['matmul']],
    ['sum over axes of size 1', [2, 1], (x) => op.sum(x, { axes: [1] }), ['reshape']],
  ]
  it.each(cases)('%s', (_, shape, body, expected) => {
    expect(opsOf(lowered(shape, body))).toEqual(expected)
  })
})

/** float32 random values in ±2. */
const draw = (shape: number[], seed: number): HostTensor => {
  const random = new Random(seed)
  return hostTensor(
    'float32',
    shape,
    Array.from({ length: sizeOf(shape) }, () => 4 * random.uniform() - 2),
  )
}

const composites: Record<CompositeName, (x: readonly Tensor[]) => Tensor[]> = {
  bernoulli: ([x]) => {
    const key = op.cast(op.reshape(op.slice(x!, [0, 0], [1, 2]), [2]), 'int32')
    return [op.bernoulli(key, [2, 3], 1, 0.4)]
  },
  split: ([x]) => op.split(x!, 1, [1, 2]),
  mean: ([x]) => [op.mean(x!), op.mean(x!, { axes: [1], keepDims: true })],
  softmax: ([x]) => [op.softmax(x!, 0)],
  softmaxGradient: ([x]) =>
    x!.tracer.emit('softmaxGradient', [op.softmax(x!, 0), op.sin(x!)], { axis: 0 }),
  logSoftmax: ([x]) => [op.logSoftmax(x!)],
  layerNorm: ([x, row, other]) =>
    x!.tracer.emit('layerNorm', [x!, row!, other!], { epsilon: 1e-5 }),
  standardizeGradient: ([x]) => {
    const spread = op.sum(op.mul(x!, x!), { axes: [1], keepDims: true })
    return x!.tracer.emit('standardizeGradient', [x!, spread, op.sin(x!)], {})
  },
  gelu: ([x]) => [op.gelu(x!), op.gelu(x!, 'tanh')],
  quickGelu: ([x]) => [op.quickGelu(x!)],
  quickGeluGradient: ([x]) => x!.tracer.emit('quickGeluGradient', [x!, op.sin(x!)], {}),
  linear: ([x, row, , weight]) => [op.linear(x!, weight!, row!), op.linear(x!, weight!)],
  adamw: ([x, row, other]) => {
    const square = op.mul(x!, x!)
    const [rate, correction1, correction2] = [op.sum(row!), op.sum(square), op.sum(op.exp(other!))]
    return x!.tracer.emit(
      'adamw',
      [x!, op.sin(x!), op.cos(x!), square, rate, correction1, correction2],
      { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1 },
    )
  },
}

test.each(Object.keys(composites) as CompositeName[])('%s equals its decomposition', (name) => {
  const inputs = [spec([2, 3]), spec([3]), spec([3]), spec([3, 3])]
  const graph = trace(name, inputs, (symbols) => composites[name](symbols as Tensor[]))
  const given = Object.fromEntries(inputs.map(({ shape }, i) => [`${i}`, draw([...shape], i + 1)]))
  const decomposed = lower(graph)
  expect(opsOf(graph)).toContain(name)
  expect(opsOf(decomposed)).not.toContain(name)
  expect(opsOf(lower(graph, { composites: [name] }))).toContain(name)
  const [direct, parts] = [graph, decomposed].map((g) => Object.values(evaluate(verify(g), given)))
  direct!.forEach(({ data }, i) =>
    data.forEach((value, k) => expect(parts![i]!.data[k]).toBeCloseTo(value, 6)),
  )
})
