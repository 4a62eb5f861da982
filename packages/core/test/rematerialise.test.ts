// Recomputing instead of keeping: the same numbers, from less memory and more work, whatever runs natively.
import { describe, expect, it } from 'vitest'
import {
  cost,
  evaluate,
  gradientGraph,
  hostScalar,
  hostTensor,
  lower,
  paperAdamW,
  planMemory,
  presets,
  Random,
  sizeOf,
  trainGraph,
  verify,
  type CompositeName,
  type Graph,
  type Rematerialise,
  type TrainConfig,
} from '../src/index.js'

const config = (attentionDropout: number, rematerialise?: Rematerialise): TrainConfig => ({
  method: 'embed-kd',
  student: {
    imageSize: 16,
    patchSize: 4,
    channels: 1,
    width: 8,
    layers: 3,
    heads: 2,
    classes: 3,
    activation: 'quickGelu',
    preNorm: true,
    epsilon: 1e-5,
    attentionDropout,
  },
  batch: 4,
  images: { channels: 1, size: 16 },
  teacher: { kind: 'stored', width: 6 },
  settings: presets.paper,
  optimizer: paperAdamW,
  schedule: { kind: 'constant' },
  ...(rematerialise && { rematerialise }),
})

function draw(graph: Graph) {
  const random = new Random(1)
  return Object.fromEntries(
    graph.inputs.map(({ name, value }) => {
      const { dtype, shape } = graph.types[value]!
      if (name === 'batch.labels') return [name, hostTensor('int32', shape, [0, 1, 2, 1])]
      if (dtype === 'int32') return [name, hostScalar(7, 'int32')]
      const values = Array.from({ length: sizeOf(shape) }, () => random.normal())
      return [name, hostTensor('float32', shape, values)]
    }),
  )
}

const fused: readonly CompositeName[] = ['softmax', 'layerNorm', 'linear']
const policies: readonly Rematerialise[] = ['elementwise', 'blocks']
const cases = policies.flatMap((policy) =>
  [0, 0.1].flatMap((dropout) => [fused, []].map((composites) => ({ policy, dropout, composites }))),
)

describe.each(cases)('$policy, dropout $dropout, native: $composites', (given) => {
  const { policy, dropout, composites } = given
  const lowered = (rematerialise?: Rematerialise) =>
    verify(lower(trainGraph(config(dropout, rematerialise)), { composites }))
  const [kept, again] = [lowered(), lowered(policy)]

  it('gives the same gradients', () => {
    const graphs = [undefined, policy].map((p) =>
      verify(lower(gradientGraph(config(dropout, p)), { composites })),
    )
    const inputs = draw(graphs[0]!)
    const [expected, got] = graphs.map((graph) => evaluate(graph, inputs))
    expect(Object.keys(got!)).toEqual(Object.keys(expected!))
    for (const [name, { data }] of Object.entries(expected!))
      expect(got![name]!.data, name).toEqual(data)
  })

  it('plans less memory and more work', () => {
    const [before, after] = [kept, again].map((graph) => planMemory(graph).activationBytes)
    expect(after! / before!).toBeLessThan(policy === 'blocks' ? 0.7 : 0.9)
    const [flops, more] = [kept, again].map((graph) => cost(graph).flops)
    expect(more! / flops!).toBeGreaterThan(1)
    expect(more! / flops!).toBeLessThan(policy === 'blocks' ? 4 / 3 : 1.06)
  })

  it('leaves the interface and the forward pass as they are', () => {
    expect(again.inputs).toEqual(kept.inputs)
    expect(again.outputs.map(({ name }) => name)).toEqual(kept.outputs.map(({ name }) => name))
    const forward = (graph: Graph) =>
      graph.nodes.filter(({ place }) => place.phase === 'forward').map(({ op }) => op)
    expect(forward(again)).toEqual(forward(kept))
  })

  it('reads in gradients of all blocks but the last only what it should', () => {
    const makers = new Map(again.nodes.flatMap((node) => node.outputs.map((id) => [id, node])))
    const readLate = again.nodes
      .filter(({ place }) => place.phase === 'backward')
      .flatMap(({ inputs }) => inputs.map((id) => makers.get(id)))
      .filter((node) => node !== undefined)
      .filter(({ place, op }) => [0, 1].includes(place.block!) && op !== 'constant')
      .filter(({ place }) => place.phase === 'forward')
      .map(({ op }) => op)
    // The streams between blocks are sums.
    if (policy === 'blocks') expect(readLate.filter((op) => op !== 'add')).toEqual([])
    else expect(readLate).not.toContain('sigmoid')
  })
})
