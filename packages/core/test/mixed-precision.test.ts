// Mixed precision: what is in float16 and what is not, how near its gradients are, and how loss scaling goes about overflow.
import { describe, expect, it } from 'vitest'
import {
  batchInputs,
  evaluate,
  hasTrait,
  gradientGraph,
  hostScalar,
  hostTensor,
  inDtype,
  initialParameters,
  initialState,
  lower,
  methodDefinition,
  methodNames,
  mixedPrecision,
  op,
  planMemory,
  Random,
  spec,
  stepGraphs,
  studentSpecs,
  trace,
  trainGraph,
  verify,
  type Graph,
  type Method,
  type Place,
  type Precision,
  type ReferenceTensor,
  type StepPart,
  type HostTensor,
  type TrainConfig,
} from '../src/index.js'
import * as small from '@embed-kd/conformance/small-models'

const configOf = (method: Method, rest: Partial<TrainConfig> = {}): TrainConfig =>
  small.configOf(method, 'corrected', { precision: 'mixed-float16', ...rest })

type Values = Record<string, HostTensor | ReferenceTensor>

/** Values for all inputs of a graph. */
function valuesFor(config: TrainConfig, { inputs, types }: Graph): Values {
  const random = new Random(5)
  const values: Values = Object.fromEntries(
    initialState(initialParameters(studentSpecs(config), new Random(1)), true),
  )
  // The published weights of relational losses overflow at the first scale, which training then halves.
  if (methodDefinition(config.method).relational) values['state.loss_scale.factor'] = hostScalar(8)
  for (const { name, value } of inputs) {
    if (values[name]) continue
    const { dtype, shape } = types[value]!
    const tensor = hostTensor(dtype === 'int32' ? dtype : 'float32', shape)
    const scale = name.startsWith('teacher.') ? 0.2 : 1
    for (let i = 0; i < tensor.data.length; i++)
      tensor.data[i] = dtype === 'int32' ? i % 3 : scale * random.normal()
    values[name] = tensor
  }
  return values
}

const taken = ({ inputs, types }: Graph, values: Values): Values =>
  Object.fromEntries(
    inputs.map(({ name, value }) => {
      const tensor = values[name]!
      const { dtype } = types[value]!
      return [name, dtype === 'float16' ? inDtype(tensor as HostTensor, dtype) : tensor]
    }),
  )

const productTypes = (graph: Graph, isIn: (place: Place) => boolean) =>
  new Set(
    graph.nodes
      .filter(({ place, op }) => isIn(place) && hasTrait(op, 'product'))
      .map(({ outputs }) => graph.types[outputs[0]!]!.dtype),
  )

describe('mixedPrecision', () => {
  it.each(methodNames)(
    'has the products of models in float16, and nothing else of %s',
    (method) => {
      const microBatch = methodDefinition(method).relational ? 4 : 2
      for (const { graph } of stepGraphs(configOf(method, { microBatch }))) {
        verify(lower(verify(graph)))
        const halves = graph.nodes.filter(({ outputs }) =>
          outputs.some((value) => graph.types[value]!.dtype === 'float16'),
        )
        for (const { place } of halves) expect(['student', 'teacher']).toContain(place.part)
        for (const { name, value } of [...graph.inputs, ...graph.outputs])
          if (graph.types[value]!.dtype === 'float16')
            expect(name).toMatch(/^teacher\..*(weight|bias)$/)
      }
      const whole = trainGraph(configOf(method))
      expect(productTypes(whole, ({ block }) => block !== undefined)).toEqual(new Set(['float16']))
      expect(productTypes(whole, ({ part }) => part === 'loss')).not.toContain('float16')
    },
  )

  it('casts once what several products read, and not what a product made for the next', () => {
    const graph = mixedPrecision(
      trace('t', { x: spec([4, 4]), w: spec([4, 4]) }, ({ x, w }, tracer) =>
        tracer.part('student', () => {
          const first = op.linear(x, w)
          return { y: op.linear(op.mul(first, 0.5), w) }
        }),
      ),
    )
    expect(graph.nodes.filter((node) => node.op === 'cast').length).toBe(3)
    expect(graph.nodes.map((node) => node.op)).toEqual([
      'cast',
      'cast',
      'linear',
      'constant',
      'mul',
      'linear',
      'cast',
    ])
  })

  it('takes less memory for activations', () => {
    const big = { ...small.student, width: 64, layers: 4 }
    const peak = (precision: Precision) =>
      planMemory(lower(trainGraph(configOf('embed-kd', { student: big, batch: 64, precision }))))
        .peakBytes
    expect(peak('mixed-float16')).toBeLessThan(0.9 * peak('float32'))
  })
})

describe('gradients', () => {
  it.each(methodNames)('are those of float32 but for rounding, of %s', (method) => {
    const config = configOf(method)
    const graph = gradientGraph(config)
    const wide = gradientGraph({ ...config, precision: 'float32' })
    const values = valuesFor(config, graph)
    // The reference computes in float64 and rounds where a tensor is cast to float16.
    const [half, exact] = [graph, wide].map((g) => evaluate(lower(g), taken(g, values)))
    for (const { name } of graph.outputs) {
      const [a, b] = [half![name]!.data, exact![name]!.data]
      const norm = (values: ArrayLike<number>) => Math.hypot(...Array.from(values))
      const difference = norm(Array.from(a, (x, i) => x - b[i]!))
      expect(difference, name).toBeLessThanOrEqual(2e-2 * norm(b) + 1e-5)
    }
    expect(Array.from(half!['metrics.loss']!.data)).not.toEqual(
      Array.from(exact!['metrics.loss']!.data),
    )
  })
})

describe.each(['elementwise', 'blocks'] as const)('rematerialise %s', (rematerialise) => {
  it('gives the same gradients, to the bit', () => {
    const config = configOf('embed-kd')
    const graph = gradientGraph(config)
    const values = taken(graph, valuesFor(config, graph))
    const again = lower(gradientGraph({ ...config, rematerialise }))
    expect(again.nodes.length).toBeGreaterThan(lower(graph).nodes.length)
    expect(evaluate(verify(again), values)).toEqual(evaluate(lower(graph), values))
  })
})

describe('micro-batches', () => {
  it.each(['embed-kd', 'teacher-kd'] as const)(
    'take the step of the whole batch, of %s',
    (method) => {
      const config = configOf(method)
      const run = (parts: readonly StepPart[]): Values => {
        let values = valuesFor(config, trainGraph(config))
        const batch = new Map(Object.entries(values)) as Map<string, HostTensor>
        for (const { graph } of parts)
          for (const { name, value } of graph.inputs)
            if (name.startsWith('sum.'))
              values[name] = hostTensor('float32', graph.types[value]!.shape)
        for (const { graph, times } of parts)
          for (let index = 0; index < times; index++) {
            const all = { ...values, ...Object.fromEntries(batchInputs(graph, batch, index)) }
            values = { ...values, ...evaluate(lower(graph), taken(graph, all)) }
          }
        return values
      }
      const [whole, parts] = [config, { ...config, microBatch: 2 }].map((c) => run(stepGraphs(c)))
      expect(Array.from(parts!['metrics.skipped']!.data)).toEqual([0])
      for (const name of Object.keys(whole!).filter((name) => name.startsWith('state.m.'))) {
        const [a, b] = [parts![name]!.data, whole![name]!.data]
        const apart = Math.hypot(...Array.from(a, (x, i) => x - b[i]!))
        expect(apart, name).toBeLessThanOrEqual(2e-2 * Math.hypot(...Array.from(b)) + 1e-5)
      }
    },
  )
})

describe('loss scaling', () => {
  const config = configOf('embed-kd')
  const graph = lower(trainGraph(config))
  const given = valuesFor(config, graph)
  const step = (values: Values): Values => ({ ...values, ...evaluate(graph, taken(graph, values)) })
  const scalar = (values: Values, name: string) => Array.from(values[name]!.data)[0]
  const state = (values: Values) =>
    Object.fromEntries(
      Object.entries(values)
        .filter(([name]) => /^state\.(parameters|m|v|correction)/.test(name))
        .map(([name, { data }]) => [name, Array.from(data)]),
    )
  const scaled = (factor: number, steps = 0): Values => ({
    ...given,
    'state.loss_scale.factor': hostScalar(factor),
    'state.loss_scale.steps': hostScalar(steps, 'int32'),
  })

  it('leaves a step as it was where it only scales', () => {
    const [a, b] = [state(step(scaled(1))), state(step(scaled(2 ** 8)))]
    for (const [name, values] of Object.entries(a))
      values.forEach((x, i) => expect(x, name).toBeCloseTo(b[name]![i]!, 4))
  })

  it('does not take a step whose gradients overflow, and halves the factor', () => {
    const before = scaled(2 ** 40, 7)
    const after = step(before)
    expect(state(after)).toEqual(state(before))
    expect(scalar(after, 'state.step')).toBe(1)
    expect(scalar(after, 'state.loss_scale.factor')).toBe(2 ** 39)
    expect(scalar(after, 'state.loss_scale.steps')).toBe(0)
    expect(scalar(after, 'state.loss_scale.skipped')).toBe(1)
    expect(scalar(after, 'metrics.skipped')).toBe(1)
    expect(Number.isFinite(scalar(after, 'metrics.loss'))).toBe(true)
  })

  it('finds a factor that does not overflow', () => {
    let values = step(scaled(2 ** 30))
    expect(scalar(values, 'metrics.skipped')).toBe(1)
    for (let i = 0; i < 30 && scalar(values, 'metrics.skipped') === 1; i++) values = step(values)
    expect(scalar(values, 'metrics.skipped')).toBe(0)
    expect(scalar(values, 'state.loss_scale.skipped')).toBe(
      30 - Math.log2(scalar(values, 'state.loss_scale.factor')!),
    )
    expect(state(values)).not.toEqual(state(given))
  })

  it('doubles the factor after 2000 steps', () => {
    const after = step(scaled(2 ** 8, 1999))
    expect(scalar(after, 'metrics.skipped')).toBe(0)
    expect(scalar(after, 'state.loss_scale.factor')).toBe(2 ** 9)
    expect(scalar(after, 'state.loss_scale.steps')).toBe(0)
    expect(scalar(step(scaled(2 ** 8, 3)), 'state.loss_scale.steps')).toBe(4)
  })

  it('does not take a step on images that are not numbers', () => {
    const images = given['batch.images']!
    const data = Float32Array.from(images.data)
    data[3] = NaN
    const before = { ...scaled(1), 'batch.images': hostTensor('float32', images.shape, data) }
    expect(state(step(before))).toEqual(state(before))
  })
})
