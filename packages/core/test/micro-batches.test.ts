// Gradient accumulation: the step of the whole batch, from micro-batches, in float64 on the reference.
import { describe, expect, it, test } from 'vitest'
import {
  batchInputs,
  evaluate,
  hostScalar,
  hostTensor,
  initialParameters,
  initialState,
  lower,
  methodDefinition,
  methodNames,
  methods,
  planMemory,
  planTogether,
  Random,
  sizeOf,
  stepGraphs,
  studentSpecs,
  trainGraph,
  verify,
  type HostTensor,
  type Method,
  type Preset,
  type ReferenceTensor,
  type TrainConfig,
} from '../src/index.js'
import * as small from '@embed-kd/conformance/small-models'

const BATCH = 8

const configOf = (method: Method, preset: Preset, rest: Partial<TrainConfig>): TrainConfig =>
  small.configOf(method, preset, {
    batch: BATCH,
    schedule: { kind: 'cosine', warmupSteps: 1, totalSteps: 10 },
    ...rest,
  })

type Values = Record<string, HostTensor | ReferenceTensor>

/** Two batches, and what stays: the same for all ways of taking a step. */
function given(config: TrainConfig) {
  const random = new Random(5)
  const draw = (shape: readonly number[]) =>
    hostTensor(
      'float32',
      shape,
      Array.from({ length: sizeOf(shape) }, () => random.normal()),
    )
  const { inputs, types } = trainGraph(config)
  const held: Values = { seed: hostScalar(3, 'int32') }
  for (const { name, value } of inputs)
    if (name.startsWith('teacher.')) held[name] = draw(types[value]!.shape)
  const batches = [0, 1].map((offset) => {
    const tensors = new Map<string, HostTensor>()
    for (const { name, value } of inputs) {
      const { shape } = types[value]!
      const labels = Array.from({ length: BATCH }, (_, i) => (i * i + offset) % 3)
      if (name === 'batch.labels') tensors.set(name, hostTensor('int32', shape, labels))
      else if (name.startsWith('batch.')) tensors.set(name, draw(shape))
    }
    return tensors
  })
  const parameters = initialParameters(studentSpecs(config), new Random(1))
  return { held, batches, state: Object.fromEntries(initialState(parameters)) as Values }
}

/** All values after two steps on the reference, those of `sum.*` included. */
function train(config: TrainConfig): Values {
  const parts = stepGraphs(config).map(({ graph, times }) => ({
    graph: verify(lower(verify(graph))),
    times,
  }))
  const { held, batches, state } = given(config)
  let values: Values = { ...held, ...state }
  for (const { graph } of parts)
    for (const { name, value } of graph.inputs)
      if (name.startsWith('sum.')) values[name] = hostTensor('float32', graph.types[value]!.shape)
  for (const batch of batches)
    for (const { graph, times } of parts)
      for (let index = 0; index < times; index++) {
        const all = { ...values, ...Object.fromEntries(batchInputs(graph, batch, index)) }
        const taken = graph.inputs.map(({ name }) => [name, all[name]!] as const)
        values = { ...values, ...evaluate(graph, Object.fromEntries(taken)) }
      }
  return values
}

const isRelational = (method: Method): boolean => methodDefinition(method).relational ?? false

/** Two teachers of other widths and weights, for methods that take stored outputs. */
const several = {
  kind: 'several',
  teachers: [
    { name: 'a', width: 6 },
    { name: 'b', width: 5, weight: 0.5 },
  ],
} as const
const cases: { method: Method; preset: Preset; teachers: string; rest: Partial<TrainConfig> }[] =
  methodNames
    .filter((method) => !isRelational(method))
    .flatMap((method) => [
      { method, preset: 'paper' as const, teachers: 'as usual', rest: {} },
      { method, preset: 'corrected' as const, teachers: 'as usual', rest: {} },
      ...(methods[method].teacher === 'none'
        ? []
        : [
            {
              method,
              preset: 'corrected' as const,
              teachers: 'several',
              rest: { teacher: several },
            },
          ]),
    ])

test.each(methodNames.filter(isRelational))('%s cannot be computed by micro-batches', (method) => {
  expect(() => stepGraphs(configOf(method, 'paper', { microBatch: 2 }))).toThrow(
    `${method} compares all 8 images of a batch, which micro-batches of 2 cannot; leave out microBatch`,
  )
  expect(() => stepGraphs(configOf(method, 'paper', { batch: 1 }))).toThrow(
    `${method} compares the images of a batch, but a batch has 1; choose a batch of at least 2`,
  )
})

describe.each(cases)('$method, $preset, teachers $teachers', ({ method, preset, rest }) => {
  const whole = train(configOf(method, preset, rest))

  it.each([4, 2, 1])('takes the step of the whole batch by %i images', (microBatch) => {
    const micro = train(configOf(method, preset, { ...rest, microBatch }))
    expect(Object.keys(whole).length).toBeGreaterThan(50)
    for (const [name, { data }] of Object.entries(whole)) {
      const scale = Math.max(...Array.from(data, Math.abs), 1e-3)
      const apart = Math.max(...Array.from(data, (x, i) => Math.abs(x - micro[name]!.data[i]!)))
      // AdamW makes a step of the rounding errors that the gradient of a key's bias, which is zero, consists of.
      expect(apart / scale, name).toBeLessThan(1e-8)
    }
    const sums = Object.entries(micro).filter(([name]) => name.startsWith('sum.'))
    expect(sums.length).toBeGreaterThan(2)
    expect(sums.filter(([, { data }]) => data.some((x) => x !== 0))).toEqual([])
  })
})

describe('dropout', () => {
  const dropped = { student: { ...small.student, attentionDropout: 0.5 } }
  const lossOf = (microBatch: number, rest: Partial<TrainConfig> = dropped) =>
    train(configOf('supervised', 'paper', { ...rest, microBatch }))['metrics.loss']!.data[0]!

  it('draws the same masks again, and others for other micro-batches', () => {
    expect(lossOf(2)).toBe(lossOf(2))
    expect(lossOf(2)).not.toBe(lossOf(4))
    expect(lossOf(2)).not.toBe(lossOf(2, {}))
  })

  it('draws for each micro-batch of each step with a key of its own', () => {
    const config = configOf('supervised', 'paper', { ...dropped, microBatch: 2 })
    const { graph } = stepGraphs(config)[0]!
    const { held, batches, state } = given(config)
    const lossAt = (step: number, index: number) => {
      const all: Values = {
        ...held,
        ...state,
        ...Object.fromEntries(batchInputs(graph, batches[0]!, 0)),
        'state.step': hostScalar(step, 'int32'),
        micro_batch: hostScalar(index, 'int32'),
      }
      const taken = graph.inputs.map(({ name, value }) => [
        name,
        all[name] ?? hostTensor('float32', graph.types[value]!.shape),
      ])
      return evaluate(graph, Object.fromEntries(taken))['sum.metrics.loss']!.data[0]!
    }
    const losses = [0, 1, 2].flatMap((step) => [0, 1, 2, 3].map((index) => lossAt(step, index)))
    expect(new Set(losses).size).toBe(12)
  })
})

describe('memory', () => {
  const planOf = (microBatch: number) =>
    planTogether(
      stepGraphs(configOf('embed-kd', 'paper', { microBatch })).map(({ graph }) => lower(graph)),
    )

  it('is that of a micro-batch, with the sums of the gradients beside the state', () => {
    const [whole, micro] = [planOf(BATCH), planOf(2)]
    expect(micro.activationBytes / whole.activationBytes).toBeLessThan(0.4)
    const { parameter, optimizer } = whole.inputBytes
    // A sum for each parameter and four metrics; the centroids stay where they are.
    expect(micro.inputBytes.parameter).toBe(parameter)
    expect(micro.inputBytes.optimizer).toBe(optimizer + parameter + 4 * 4)
    expect(micro.residentBytes).toBe(whole.residentBytes + parameter + 4 * 4)
  })

  it('of graphs that run in turn counts what others keep', () => {
    const config = configOf('embed-kd', 'paper', { microBatch: 2 })
    const [accumulate] = stepGraphs(config).map(({ graph }) => lower(graph))
    const { parameter } = planOf(2).inputBytes
    const ofMoments = 2 * parameter + 2 * 4
    expect(planOf(2).peakBytes).toBe(planMemory(accumulate!).peakBytes + ofMoments)
  })
})

it('refuses micro-batches that do not make up the batch', () => {
  expect(() => stepGraphs(configOf('supervised', 'paper', { microBatch: 3 }))).toThrow(
    'micro-batches of 3 images do not make up a batch of 8',
  )
})
