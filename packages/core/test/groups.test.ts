// Groups of parameters: which are together, and that packed graphs compute what the graphs do that they are made of.
import { configOf, student } from '@embed-kd/conformance/small-models'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  embedGraph,
  evalGraph,
  evaluate,
  hostTensor,
  initialParameters,
  initialState,
  lower,
  packGraph,
  packTensors,
  parameterGroups,
  Random,
  sizeOf,
  stepGraphs,
  studentSpecs,
  trainGraph,
  unpackTensors,
  verify,
  type Graph,
  type HostTensor,
  type TrainConfig,
} from '../src/index.js'
import { groupParameters } from '../src/optim/groups.js'
import { undecayed, weight } from '../src/nn/parameters.js'

describe('groups', () => {
  it('join small parameters of the same kind of decay, and leave large ones alone', () => {
    const specs = {
      a: { weight: weight([3, 4], 0), bias: undecayed([3], 0) },
      large: weight([512, 512], 0),
      b: { weight: weight([5], 0), bias: undecayed([2, 2], 0) },
    }
    const groups = groupParameters(specs, ({ decay }) => decay)
    expect(
      groups.map(({ name, decays, members }) => [name, decays, ...members.map((m) => m.name)]),
    ).toEqual([
      ['joined.0', true, 'a.weight', 'b.weight'],
      ['joined.1', false, 'a.bias', 'b.bias'],
      ['large', true, 'large'],
    ])
  })

  it('are no larger than what every WebGPU device binds, and have every parameter once', () => {
    const size = fc.integer({ min: 1, max: 2 ** 18 })
    const spec = fc.record({ size, decay: fc.boolean() })
    fc.assert(
      fc.property(fc.array(spec, { maxLength: 400 }), (drawn) => {
        const specs = Object.fromEntries(
          drawn.map(({ size, decay }, i) => [`p${i}`, (decay ? weight : undecayed)([size], 0)]),
        )
        const groups = groupParameters(specs, ({ decay }) => decay)
        const members = groups.flatMap((group) => group.members.map(({ name }) => name))
        expect(members.toSorted()).toEqual(Object.keys(specs).toSorted())
        for (const { name, members, decays } of groups) {
          const total = members.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
          expect(4 * total).toBeLessThanOrEqual(128 * 2 ** 20)
          expect(members.length === 1 ? name : members[0]!.name).toBe(members[0]!.name)
          for (const member of members)
            expect(drawn[Number(member.name.slice(1))]!.decay).toBe(decays)
        }
        expect(new Set(groups.map(({ name }) => name)).size).toBe(groups.length)
      }),
      { numRuns: 30 },
    )
  })
})

/** Values for the inputs of a graph that `known` has none for. */
function valuesFor({ inputs, types }: Graph, known: ReadonlyMap<string, HostTensor>) {
  const random = new Random(7)
  return new Map(
    inputs.map(({ name, value }) => {
      const { dtype, shape } = types[value]!
      const tensor = hostTensor(dtype, shape)
      for (let i = 0; i < tensor.data.length; i++)
        tensor.data[i] = dtype === 'int32' ? i % 3 : 0.3 * random.normal()
      return [name, known.get(name) ?? tensor]
    }),
  )
}

const stateOf = (config: TrainConfig) =>
  initialState(
    initialParameters(studentSpecs(config), new Random(1)),
    config.precision === 'mixed-float16',
  )

/** Runs a graph as it is and packed, and compares all outputs. */
function expectSame(graph: Graph, config: TrainConfig, prefixes?: readonly string[]): Graph {
  const groups = parameterGroups(config)
  const values = valuesFor(graph, stateOf(config))
  const packed = verify(packGraph(graph, groups, prefixes))
  const given = prefixes ? renamed(values, prefixes[0]!, groups) : packTensors(values, groups)
  const got = evaluate(packed, Object.fromEntries(given))
  const expected = evaluate(graph, Object.fromEntries(values))
  const unpacked = unpackTensors(new Map(Object.entries(got)) as Map<string, HostTensor>, groups)
  expect([...unpacked.keys()].toSorted()).toEqual(Object.keys(expected).toSorted())
  for (const [name, { shape, data }] of unpacked) {
    expect(shape, name).toEqual(expected[name]!.shape)
    expect([...data], name).toEqual([...expected[name]!.data])
  }
  return packed
}

/** Packs tensors that are called otherwise than those of a state. */
const renamed = (
  values: ReadonlyMap<string, HostTensor>,
  prefix: string,
  groups: ReturnType<typeof parameterGroups>,
) => {
  const rename = (from: string, to: string, tensors: ReadonlyMap<string, HostTensor>) =>
    new Map([...tensors].map(([name, tensor]) => [name.replace(from, to), tensor]))
  const state = 'state.parameters.'
  return rename(state, prefix, packTensors(rename(prefix, state, values), groups))
}

describe('packed graphs', () => {
  it.each(['float32', 'mixed-float16'] as const)('train as the others, in %s', (precision) => {
    const config = configOf('embed-kd', 'corrected', { precision })
    const packed = expectSame(trainGraph(config), config)
    const state = packed.inputs.filter(({ name }) => /^state\.(parameters|m|v)\./.test(name))
    expect(state.map(({ name }) => name)).toEqual(
      ['parameters', 'm', 'v'].flatMap((part) => [
        `state.${part}.joined.0`,
        `state.${part}.joined.1`,
      ]),
    )
  })

  it('update moments in place: lowered, they are neither joined nor cut', () => {
    const config = configOf('embed-kd', 'corrected')
    const { nodes, inputs } = lower(packGraph(trainGraph(config), parameterGroups(config)), {
      composites: ['split', 'adamw'],
    })
    const moments = inputs.filter(({ name }) => /^state\.[mv]\./.test(name))
    for (const { value } of moments)
      expect(nodes.filter((node) => node.inputs.includes(value)).map(({ op }) => op)).toEqual([
        'adamw',
      ])
  })

  it('take the steps of micro-batches', () => {
    const config = configOf('teacher-kd', 'corrected', { microBatch: 2 })
    for (const { graph } of stepGraphs(config)) expectSame(graph, config)
  })

  it('evaluate and embed', () => {
    const config = configOf('embed-kd', 'corrected')
    expectSame(evalGraph(student, 4, config.images), config)
    expectSame(embedGraph(student, 4, config.images), config, ['teacher.'])
  })

  it('keep what is recomputed', () => {
    const config = configOf('embed-kd', 'corrected', { rematerialise: 'blocks' })
    expect(packGraph(trainGraph(config), parameterGroups(config)).rematerialise).toBe('blocks')
  })
})
