// Sums over rows of matrix products that lowering brings to smaller tensors: they must be those that they replace.
import { describe, expect, it } from 'vitest'
import {
  evaluate,
  gradients,
  hostTensor,
  lower,
  op,
  Random,
  sizeOf,
  spec,
  trace,
  type Graph,
  type Tensor,
} from '../src/index.js'

const composites = ['layerNorm', 'softmax', 'mean', 'split'] as const
const random = new Random(3)
const draw = ({ inputs, types }: Graph) =>
  Object.fromEntries(
    inputs.map(({ name, value }) => {
      const { shape } = types[value]!
      const data = Float32Array.from({ length: sizeOf(shape) }, () => random.normal())
      return [name, hostTensor('float32', shape, data)]
    }),
  )

/** Lowers a graph with and without native composites, and expects the results of the graph itself. */
function lowered(graph: Graph): Graph {
  const inputs = draw(graph)
  const expected = evaluate(graph, inputs)
  const graphs = [lower(graph, { composites }), lower(graph)] as const
  for (const lowered of graphs)
    for (const [name, { data }] of Object.entries(evaluate(lowered, inputs)))
      data.forEach((value, i) => expect(value).toBeCloseTo(expected[name]!.data[i]!, 5))
  return graphs[0]
}

const shape = [12, 4]
const rows: [string, number, (w: Tensor, x: Tensor) => Tensor][] = [
  ['a product', 0, (w, x) => op.matmul(x, w)],
  [
    'a transposed product',
    0,
    (w, x) => op.matmul(op.transpose(x, [1, 0]), w, { transposeA: true }),
  ],
  ['a product in another shape', 0, (w, x) => op.reshape(op.matmul(x, w), [3, 4, 4])],
  ['a sum of products', 1, (w, x) => op.add(op.matmul(x, w), op.matmul(op.exp(x), w))],
  ['a product with the transposed', 1, (w, x) => op.matmul(x, w, { transposeB: true })],
  ['a product and another tensor', 1, (w, x) => op.add(op.matmul(x, w), x)],
]

describe('the gradient of a standardized tensor', () => {
  it.each(rows)('of %s: %i means of its own', (_, means, body) => {
    const graph = lowered(
      trace('t', { w: spec([4, 4]), x: spec(shape), y: spec(shape) }, ({ w, x, y }) => {
        const g = body(w, x)
        const everywhere = (value: number) =>
          op.broadcastTo(y.tracer.constant(hostTensor('float32', [], [value])), [4])
        const norm = [op.reshape(y, g.shape), everywhere(1), everywhere(0)]
        const [standardized, , invStd] = y.tracer.emit('layerNorm', norm, { epsilon: 1e-5 })
        return { z: y.tracer.emit('standardizeGradient', [standardized!, invStd!, g], {})[0]! }
      }),
    )
    const large = graph.nodes.filter(
      ({ op, inputs: [x] }) => op === 'mean' && sizeOf(graph.types[x!]!.shape) > 16,
    )
    // One is that of the projection on the standardized tensor.
    expect(large).toHaveLength(1 + means)
  })
})

describe('sums of rows', () => {
  it('of the gradient of a softmax come from what was attended to', () => {
    const [tokens, width] = [13, 3]
    const shape = [2, tokens, 2, width]
    const graph = lowered(
      trace(
        't',
        { q: spec(shape), k: spec(shape), v: spec(shape), dropped: spec([2, 2, tokens, tokens]) },
        (inputs) => {
          const { q, k, v } = inputs
          const [a, b, c] = [q, k, v].map((x) => op.transpose(x, [0, 2, 1, 3])) as [
            Tensor,
            Tensor,
            Tensor,
          ]
          const weights = op.softmax(op.matmul(a, b, { transposeB: true }))
          const mixed = op.matmul(op.mul(op.mul(weights, inputs.dropped), 1.25), c)
          const joined = op.reshape(op.transpose(mixed, [0, 2, 1, 3]), [2 * tokens, 2 * width])
          const [dq, dk, dv] = gradients(op.sum(op.mul(joined, joined)), [q, k, v])
          return { dq: dq!, dk: dk!, dv: dv! }
        },
      ),
    )
    const summed = graph.nodes
      .filter(({ op }) => op === 'sum')
      .map(({ inputs: [x] }) => graph.types[x!]!.shape)
    expect(summed).toEqual([[2, tokens, 2, width]])
  })
})
