// Gradients: random small graphs against finite differences in float64, every op's rule among them, and PyTorch's operators.
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import {
  evaluate,
  gradients,
  hostTensor,
  lower,
  op,
  opNames,
  Random,
  sizeOf,
  spec,
  trace,
  verify,
  type Graph,
  type ReferenceTensor,
  type Shape,
  type Tensor,
} from '../src/index.js'
import { vjps } from '../src/grad/vjps.js'
import {
  goldenCases,
  goldenOperator,
  relativeError,
  type OperatorEntry,
} from '@embed-kd/conformance/golden'

/** A step of a random program: takes the last tensor (and an earlier one), gives a new one. */
type Step = (x: Tensor, earlier: Tensor) => Tensor

/** Keeps magnitudes near 1, so that no program leaves the range in which differences mean something. */
const bounded = (x: Tensor) => op.tanh(x)
const positive = (x: Tensor) => op.add(op.mul(x, x), 0.5)
const lastAxis = (x: Tensor) => x.rank - 1

const vectorOf = (x: Tensor, n: number, scale: number) =>
  x.tracer.constant(
    hostTensor(
      'float32',
      [n],
      Array.from({ length: n }, (_, i) => scale + 0.1 * Math.sin(i + 1)),
    ),
  )

const steps: Record<string, Step> = {
  neg: (x) => op.neg(x),
  exp: (x) => op.exp(bounded(x)),
  log: (x) => op.log(positive(x)),
  sqrt: (x) => op.sqrt(positive(x)),
  rsqrt: (x) => op.rsqrt(positive(x)),
  tanh: (x) => op.tanh(x),
  sigmoid: (x) => op.sigmoid(x),
  erf: (x) => op.erf(x),
  sin: (x) => op.sin(x),
  cos: (x) => op.cos(x),
  add: (x, y) => op.add(x, op.sum(y, { keepDims: false })),
  sub: (x, y) => op.sub(op.mean(y), x),
  mul: (x) => op.mul(x, op.sum(x, { axes: [0], keepDims: true })),
  div: (x) => op.div(x, positive(op.mean(x, { axes: [lastAxis(x)], keepDims: true }))),
  maximum: (x) => op.maximum(x, op.mul(op.mean(x), 0.9)),
  minimum: (x) => op.minimum(op.mul(op.mean(x), 1.1), x),
  select: (x) => op.select(op.less(x, 0.1), op.mul(x, 2), op.sin(x)),
  cast: (x) => op.mul(op.cast(x, 'float32'), op.cast(op.lessEqual(x, 0.3), 'float32')),
  reshape: (x) => op.reshape(x, [x.shape.at(-1)!, sizeOf(x.shape) / x.shape.at(-1)!]),
  transpose: (x) =>
    op.transpose(
      x,
      x.shape.map((_, axis) => (axis + 1) % x.rank),
    ),
  broadcastTo: (x) => op.broadcastTo(op.mean(x, { axes: [0], keepDims: true }), x.shape),
  slice: (x) => op.sliceAxis(x, lastAxis(x), x.shape.at(-1)! > 1 ? 1 : 0, 1),
  pad: (x) =>
    op.pad(
      x,
      x.shape.map(() => 1),
      x.shape.map((_, axis) => axis),
    ),
  concat: (x) => op.concat([x, op.sin(x), x], 0),
  split: (x) => {
    const [first, rest] = op.split(x, 0, [1, x.shape[0]! - 1]) as [Tensor, Tensor]
    return op.concat([op.sin(rest), first], 0)
  },
  sum: (x) => op.mul(x, op.sum(x, { axes: [lastAxis(x)], keepDims: true })),
  mean: (x) => op.mul(x, op.mean(x, { axes: [0], keepDims: true })),
  max: (x) => op.add(x, op.max(x, { axes: [0], keepDims: true })),
  matmul: (x) => op.matmul(x, x, { transposeB: true }),
  matmulTransposed: (x) => op.matmul(x, op.sin(x), { transposeA: true }),
  matmulBroadcast: (x) =>
    op.matmul(op.reshape(x, [1, ...x.shape]), op.broadcastTo(op.cos(x), [2, ...x.shape]), {
      transposeA: true,
    }),
  softmax: (x) => op.softmax(x),
  softmaxFirst: (x) => op.softmax(x, 0),
  softmaxGradient: (x) =>
    x.tracer.emit('softmaxGradient', [op.softmax(x, 0), op.sin(x)], { axis: 0 })[0]!,
  logSoftmax: (x) => op.logSoftmax(x),
  layerNorm: (x) => {
    const d = x.shape.at(-1)!
    return op.layerNorm(x, vectorOf(x, d, 1), vectorOf(x, d, 0), 1e-2)
  },
  layerNormParameters: (x) => {
    const row = op.reshape(op.sum(x, { axes: x.shape.map((_, i) => i).slice(0, -1) }), [
      x.shape.at(-1)!,
    ])
    return op.layerNorm(x, row, bounded(row), 1e-2)
  },
  gelu: (x) => op.gelu(x),
  geluTanh: (x) => op.gelu(x, 'tanh'),
  quickGelu: (x) => op.quickGelu(x),
  quickGeluGradient: (x) => x.tracer.emit('quickGeluGradient', [x, op.sin(x)], {})[0]!,
  linear: (x) => {
    const square = op.reshape(x, [sizeOf(x.shape) / x.shape.at(-1)!, x.shape.at(-1)!])
    return op.linear(x, square, op.sum(square, { axes: [1] }))
  },
}

/** Ops whose rule says that no gradient flows, or that refuse to be differentiated. */
const withoutGradient = [
  'constant',
  'iota',
  'randomUniform',
  'bernoulli',
  'equal',
  'less',
  'lessEqual',
  'and',
  'or',
  'not',
  'argmax',
  'standardizeGradient',
  'adamw',
]

/** loss = Σ w ∘ program(x) for fixed weights w, with its gradient. */
function program(shape: Shape, names: readonly string[]): Graph {
  return trace('program', { x: spec(shape) }, ({ x }) => {
    let [current, earlier]: [Tensor, Tensor] = [x, x]
    for (const name of names) {
      const next = bounded(steps[name]!(current, earlier))
      // Products of whole tensors may grow; what is too large for differences is folded back to a matrix's corner.
      const cut = next.shape.map((n) => Math.min(n, 4))
      ;[earlier, current] = [
        current,
        op.slice(
          next,
          next.shape.map(() => 0),
          cut,
        ),
      ]
      if (current.rank > 3)
        current = op.reshape(current, [
          sizeOf(current.shape) / current.shape.at(-1)!,
          current.shape.at(-1)!,
        ])
    }
    const weights = hostTensor(
      'float32',
      current.shape,
      Array.from({ length: sizeOf(current.shape) }, (_, i) => Math.cos(3 * i + 1)),
    )
    const loss = op.sum(op.mul(current, x.tracer.constant(weights)))
    return { loss, gradient: gradients(loss, [x])[0] ?? op.mul(x, 0) }
  })
}

const float64 = (shape: Shape, data: Float64Array): ReferenceTensor => ({
  dtype: 'float32',
  shape,
  data,
})

function compareWithDifferences(graph: Graph, shape: Shape, seed: number) {
  const random = new Random(seed)
  const x = Float64Array.from({ length: sizeOf(shape) }, () => random.normal())
  const lossAt = (at: Float64Array) => evaluate(graph, { x: float64(shape, at) }).loss!.data[0]!
  const gradient = evaluate(graph, { x: float64(shape, x) }).gradient!.data
  const difference = (h: number) =>
    x.map((_, i) => {
      const [up, down] = [x.slice(), x.slice()]
      up[i]! += h
      down[i]! -= h
      return (lossAt(up) - lossAt(down)) / (2 * h)
    })
  const [coarse, fine] = [difference(2e-6), difference(1e-6)]
  // Where two step sizes disagree a kink (max, select) lies between them, and differences say nothing.
  const smooth = x.map((_, i) => (Math.abs(coarse[i]! - fine[i]!) < 1e-5 ? 1 : 0))
  const scale = Math.max(1e-3, ...fine.map(Math.abs))
  const errors = x.map((_, i) => smooth[i]! * (Math.abs(gradient[i]! - fine[i]!) / scale))
  return { worst: Math.max(...errors), checked: smooth.reduce((a, b) => a + b, 0) }
}

describe('finite differences', () => {
  it('covers every op that has a gradient', () => {
    const covered = new Set<string>(Object.keys(steps))
    expect(opNames.filter((name) => !covered.has(name) && !withoutGradient.includes(name))).toEqual(
      [],
    )
    expect(Object.keys(vjps).toSorted()).toEqual([...opNames].toSorted())
  })

  test.each(Object.keys(steps))('%s', (name) => {
    const shape = [2, 3]
    const { worst, checked } = compareWithDifferences(program(shape, [name]), shape, 1)
    expect(checked).toBe(6)
    expect(worst).toBeLessThan(1e-5)
  })

  it('agrees on random programs, before and after lowering', () => {
    const names = fc.array(fc.constantFrom(...Object.keys(steps)), { minLength: 2, maxLength: 6 })
    const shapes = fc.constantFrom([2, 3], [1, 4], [3, 1], [2, 2, 3])
    fc.assert(
      fc.property(shapes, names, fc.integer({ min: 0, max: 1e6 }), (shape, path, seed) => {
        const graph = verify(program(shape, path))
        const lowered = verify(lower(graph))
        const { worst } = compareWithDifferences(lowered, shape, seed)
        expect(worst).toBeLessThan(1e-4)
        // Constants that lowering computes are rounded to float32.
        const x = new Random(seed, 1)
        const at = {
          x: float64(
            shape,
            Float64Array.from({ length: sizeOf(shape) }, () => x.normal()),
          ),
        }
        const [got, expected] = [lowered, graph].map((g) => evaluate(g, at).gradient!.data)
        const difference = Math.max(...got!.map((value, i) => Math.abs(value - expected![i]!)))
        expect(difference / Math.max(1, ...expected!.map(Math.abs))).toBeLessThan(1e-5)
      }),
      { numRuns: 200 },
    )
  })
})

describe('PyTorch', () => {
  const cases = goldenCases<OperatorEntry>('operator')
  test.each(cases)('gradients of $entry.op', ({ entry, list, tensor }) => {
    const inputs = list('in')
    const graph = trace(
      entry.op,
      { in: inputs.map(({ shape }) => spec(shape)), grad_out: spec(tensor('grad_out').shape) },
      (symbols) => {
        const loss = op.sum(op.mul(goldenOperator(entry)(symbols.in), symbols.grad_out))
        return { grad: gradients(loss, symbols.in) }
      },
    )
    const given = { grad_out: tensor('grad_out') } as Record<string, ReturnType<typeof tensor>>
    inputs.forEach((value, i) => (given[`in.${i}`] = value))
    for (const lowered of [graph, lower(graph)]) {
      const outputs = evaluate(verify(lowered), given)
      inputs.forEach((_, i) =>
        expect(relativeError(outputs[`grad.${i}`]!.data, tensor(`grad.${i}`).data)).toBeLessThan(
          1e-4,
        ),
      )
    }
  })
})

it('refuses a loss that is not a float scalar', () => {
  expect(() => trace('bad', { x: spec([2]) }, ({ x }) => ({ y: gradients(x, [x])[0]! }))).toThrow(
    'the loss must be a float scalar, got f32[2]',
  )
})

it('gives no gradient where the loss does not depend on a tensor', () => {
  trace('apart', { x: spec([]), y: spec([]) }, ({ x, y }) => {
    expect(gradients(op.mul(x, 2), [y])).toEqual([undefined])
    return { x }
  })
})

describe('gradients of a tensor used in slices', () => {
  const opsOf = (slices: readonly (readonly [start: number, size: number])[]) => {
    const graph = trace('slices', { x: spec([6, 2]) }, ({ x }) => {
      const parts = slices.map(([start, size], i) =>
        op.sum(op.mul(op.sin(op.sliceAxis(x, 0, start, size)), i + 2)),
      )
      const [g] = gradients(
        parts.reduce((sum, part) => op.add(sum, part)),
        [x],
      )
      return { g: g! }
    })
    verify(graph)
    const x = Array.from({ length: 12 }, (_, i) => 0.3 * i)
    const expected = x.map((value, i) =>
      slices.reduce((sum, [start, size], k) => {
        const row = Math.floor(i / 2)
        return sum + (row >= start && row < start + size ? (k + 2) * Math.cos(value) : 0)
      }, 0),
    )
    const { g } = evaluate(graph, { x: hostTensor('float32', [6, 2], x) })
    g!.data.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 6))
    return graph.nodes.map((node) => node.op).filter((op) => ['concat', 'pad', 'add'].includes(op))
  }

  it('of adjacent ones are joined, used from first to last or from last to first', () => {
    for (const order of [
      [0, 2, 4],
      [4, 2, 0],
    ])
      expect(opsOf(order.map((start) => [start, 2])).filter((op) => op !== 'add')).toEqual([
        'concat',
      ])
  })
  it('of some of it are padded once', () => {
    expect(
      opsOf([
        [1, 2],
        [3, 1],
      ]),
    ).toEqual(expect.arrayContaining(['concat', 'pad']))
  })
  it('of apart or overlapping ones are added', () => {
    for (const second of [3, 1])
      expect(
        opsOf([
          [0, 2],
          [second, 2],
        ]),
      ).not.toContain('concat')
  })
})
