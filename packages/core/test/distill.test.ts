// Distillation beyond PyTorch's golden steps: preset `corrected`, live teachers, dropout, evaluation, and refusals.
import { describe, expect, it, test } from 'vitest'
import {
  classCentroids,
  embedGraph,
  evalGraph,
  evaluate,
  gradientGraph,
  hostScalar,
  hostTensor,
  initialParameters,
  initialState,
  classifierParameters,
  learningRate,
  lower,
  methodNames,
  paperAdamW,
  presets,
  Random,
  scheduleOf,
  sizeOf,
  spec,
  studentSpecs,
  trace,
  trainGraph,
  verify,
  vitParameters,
  type ClassifierConfig,
  type Graph,
  type HostTensor,
  type ValueId,
  type Method,
  type Preset,
  type ReferenceTensor,
  type TrainConfig,
} from '../src/index.js'
import { goldenCases, relativeError } from '@embed-kd/conformance/golden'
import { configOf, student } from '@embed-kd/conformance/small-models'

/** Sees larger images with three channels, so that the graph has to resize and repeat. */
const teacher: ClassifierConfig = {
  ...student,
  imageSize: 12,
  channels: 3,
  width: 6,
  layers: 1,
  heads: 3,
  activation: 'gelu',
  preNorm: false,
}

const config = (method: Method, preset: Preset, rest: Partial<TrainConfig> = {}): TrainConfig =>
  configOf(
    method,
    preset,
    { optimizer: paperAdamW, schedule: scheduleOf(presets[preset], 20), ...rest },
    teacher,
  )

const draw = (shape: readonly number[], seed: number) => {
  const random = new Random(seed)
  return hostTensor(
    'float32',
    shape,
    Array.from({ length: sizeOf(shape) }, () => random.normal()),
  )
}

/** Values for every input of a graph; labels 0, 1, 1, 2. */
function values(
  graph: Graph,
  parameters: ReadonlyMap<string, HostTensor>,
): Record<string, HostTensor> {
  const state = initialState(parameters)
  return Object.fromEntries(
    graph.inputs.map(({ name, value }, i) => {
      const { shape, dtype } = graph.types[value]!
      if (name === 'batch.labels') return [name, hostTensor('int32', [4], [0, 1, 1, 2])]
      if (name === 'seed') return [name, hostScalar(3, 'int32')]
      return [
        name,
        state.get(name) ?? (dtype === 'int32' ? hostTensor(dtype, shape) : draw(shape, i + 100)),
      ]
    }),
  )
}

const all = methodNames.flatMap((method): [Method, Preset][] => [
  [method, 'paper'],
  [method, 'corrected'],
])

describe.each(all)('%s, %s', (method, preset) => {
  const trainConfig = config(method, preset)
  const parameters = initialParameters(studentSpecs(trainConfig), new Random(1))

  it('has gradients that agree with finite differences', () => {
    const graph = verify(lower(gradientGraph(trainConfig)))
    const given: Record<string, HostTensor | ReferenceTensor> = values(graph, parameters)
    const exact = evaluate(graph, given)
    for (const name of parameters.keys()) {
      const { shape, data } = parameters.get(name)!
      const gradient = Array.from(exact[`gradients.${name}`]!.data)
      // A direction that no symmetry of the model makes zero: differences along it test all elements at once.
      const direction = draw(shape, 7).data as Float32Array
      const lossAt = (h: number) => {
        const moved = Float64Array.from(data, (value, i) => value + h * direction[i]!)
        const input: ReferenceTensor = { dtype: 'float32', shape, data: moved }
        return evaluate(graph, { ...given, [`state.parameters.${name}`]: input })['metrics.loss']!
          .data[0]!
      }
      const h = 1e-5
      const difference = (lossAt(h) - lossAt(-h)) / (2 * h)
      const product = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0)
      expect(Math.abs(product - difference), name).toBeLessThan(
        1e-6 * Math.max(1, Math.abs(difference)),
      )
    }
  })

  it('lowers the loss of a batch it trains on', () => {
    const optimizer = { ...paperAdamW, learningRate: 1e-2 }
    const graph = verify(lower(trainGraph({ ...trainConfig, optimizer })))
    let given: Record<string, HostTensor | ReferenceTensor> = values(graph, parameters)
    const losses = Array.from({ length: 15 }, () => {
      const outputs = evaluate(graph, given)
      given = {
        ...given,
        ...Object.fromEntries(Object.entries(outputs).filter(([name]) => name in given)),
      }
      return outputs['metrics.loss']!.data[0]!
    })
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.05)
    expect(given['state.step']!.data[0]).toBe(15)
  })
})

describe('preset corrected', () => {
  it('takes images of the same class as positives', () => {
    // Both images of class 1 have the same anchor: with negatives the loss could not fall below that of a tie.
    const losses = (['positive', 'negative'] as const).map((sameClass) => {
      const settings = { ...presets.corrected, sameClass }
      const graph = gradientGraph(config('cached-kd', 'corrected', { settings }))
      const given = values(
        graph,
        initialParameters(studentSpecs(config('cached-kd', 'corrected')), new Random(1)),
      )
      return evaluate(graph, given)
    })
    const scale = Math.exp(Math.log(1 / 0.07))
    const [positive, negative] = losses.map((outputs) => {
      const cosine = outputs['outputs.cosine']!.data
      const rows = [0, 1, 2, 3].map((row) =>
        Array.from(cosine.slice(4 * row, 4 * row + 4), (c) => c * scale),
      )
      const logSoftmax = rows.map((row) => {
        const total = Math.log(row.reduce((sum, score) => sum + Math.exp(score), 0))
        return row.map((score) => score - total)
      })
      return { logSoftmax, loss: outputs['metrics.kd_loss']!.data[0]! }
    })
    const p = positive!.logSoftmax
    expect(positive!.loss).toBeCloseTo(
      -(p[0]![0]! + (p[1]![1]! + p[1]![2]!) / 2 + (p[2]![1]! + p[2]![2]!) / 2 + p[3]![3]!) / 4,
      5,
    )
    const n = negative!.logSoftmax
    expect(negative!.loss).toBeCloseTo(-(n[0]![0]! + n[1]![1]! + n[2]![2]! + n[3]![3]!) / 4, 5)
  })

  it('decays matrices alone', () => {
    /** Weight decay by parameter: parameters reach the optimizer one by one, or reshaped and put one after another. */
    const decayOf = (preset: Preset) => {
      const { inputs, nodes } = trainGraph(config('supervised', preset))
      const makers = new Map(nodes.flatMap((node) => node.outputs.map((value) => [value, node])))
      const names = new Map(inputs.map(({ name, value }) => [value, name]))
      const parametersIn = (value: ValueId): string[] =>
        names.has(value) ? [names.get(value)!] : makers.get(value)!.inputs.flatMap(parametersIn)
      return new Map(
        nodes.flatMap((node) =>
          node.op === 'adamw'
            ? parametersIn(node.inputs[0]!).map((name) => [name, node.attrs.weightDecay] as const)
            : [],
        ),
      )
    }
    const decays = decayOf('corrected')
    const names = trainGraph(config('supervised', 'corrected'))
      .inputs.map(({ name }) => name)
      .filter((name) => name.startsWith('state.parameters.'))
    expect([...decays.keys()].toSorted()).toEqual(names.toSorted())
    for (const [name, decay] of decays)
      expect(decay, name).toBe(name.endsWith('weight') && !name.includes('norm') ? 0.1 : 0)
    expect(new Set(decayOf('paper').values())).toEqual(new Set([0.1]))
  })
})

test('learning rates: constant, and warm-up followed by a cosine', () => {
  const rates = (preset: Preset, steps: number) => {
    const graph = trace('rate', { step: spec([], { dtype: 'int32' }) }, ({ step }) => ({
      rate: learningRate(scheduleOf(presets[preset], steps), 2, step),
    }))
    return Array.from(
      { length: steps + 1 },
      (_, step) => evaluate(graph, { step: hostScalar(step, 'int32') }).rate!.data[0]!,
    )
  }
  expect(rates('paper', 3)).toEqual([2, 2, 2, 2])
  const corrected = rates('corrected', 40)
  expect(corrected.slice(0, 2)).toEqual([2 / 3, 4 / 3].map((rate) => expect.closeTo(rate, 6)))
  expect(corrected[2]).toBeCloseTo(2, 6)
  expect(corrected[21]).toBeCloseTo(1, 6)
  expect(corrected[40]).toBeCloseTo(0, 12)
})

test('dropout draws anew each step, and the same again from the same seed', () => {
  const dropped = config('supervised', 'paper', { student: { ...student, attentionDropout: 0.5 } })
  const graph = gradientGraph(dropped)
  const given = values(graph, initialParameters(studentSpecs(dropped), new Random(1)))
  const lossOf = (seed: number, step: number) =>
    evaluate(graph, {
      ...given,
      seed: hostScalar(seed, 'int32'),
      'state.step': hostScalar(step, 'int32'),
    })['metrics.loss']!.data[0]!
  expect(lossOf(3, 0)).toBe(lossOf(3, 0))
  expect(lossOf(3, 1)).not.toBe(lossOf(3, 0))
  expect(lossOf(4, 0)).not.toBe(lossOf(3, 0))
})

test('evaluation counts masked images as absent and agrees with training on the class loss', () => {
  const parameters = initialParameters(classifierParameters(student), new Random(1))
  const graph = evalGraph(student, 4, { channels: 1, size: 8 })
  const given = values(graph, parameters)
  const run = (mask: number[]) =>
    evaluate(graph, { ...given, 'batch.mask': hostTensor('float32', [4], mask) })
  const each = [0, 1, 2, 3].map((i) => run([0, 0, 0, 0].with(i, 1)))
  const sum = (name: string) => each.reduce((total, outputs) => total + outputs[name]!.data[0]!, 0)
  const whole = run([1, 1, 1, 1])
  expect(sum('metrics.loss')).toBeCloseTo(whole['metrics.loss']!.data[0]!, 9)
  expect(sum('metrics.correct')).toBe(whole['metrics.correct']!.data[0]!)

  const training = gradientGraph(config('supervised', 'corrected'))
  const step = evaluate(training, {
    ...values(training, parameters),
    'batch.images': given['batch.images']!,
  })
  expect(step['metrics.class_loss']!.data[0]).toBeCloseTo(whole['metrics.loss']!.data[0]! / 4, 9)
})

test('a live teacher gives what its embeddings computed before give', () => {
  const images = { channels: 1, size: 8 }
  const embed = embedGraph(teacher, 4, images, presets.corrected.temperature)
  const teacherValues = values(embed, new Map())
  const signals = evaluate(embed, teacherValues)
  for (const [live, stored, signal] of [
    ['teacher-kd', 'teacher-kd', 'embeddings'],
    ['teacher-kd', 'cached-kd', 'embeddings'],
    ['cosine-kd', 'cosine-kd', 'embeddings'],
    ['logit-kd', 'logit-kd', 'probabilities'],
  ] as const) {
    const storedConfig = config(stored, 'corrected', {
      teacher: { kind: 'stored', width: teacher.width },
    })
    const parameters = initialParameters(studentSpecs(storedConfig), new Random(1))
    const liveConfig = config(live, 'corrected', { teacher: { kind: 'live', model: teacher } })
    const [a, b] = [gradientGraph(liveConfig), gradientGraph(storedConfig)]
    const common = { ...values(b, parameters), ...teacherValues }
    const computed = { [`batch.teacher_${signal}`]: signals[signal]! }
    expect(evaluate(a, common)['metrics.loss']!.data[0]).toBeCloseTo(
      evaluate(b, { ...common, ...computed })['metrics.loss']!.data[0]!,
      9,
    )
  }
})

describe('class centroids', () => {
  test.each(goldenCases('centroids'))('$entry.name equal PyTorch', ({ entry, tensor }) => {
    const labels = tensor('labels').data
    const got = classCentroids(
      tensor('embeddings'),
      labels,
      tensor('centroids').shape[0]!,
      entry.perClass as number,
    )
    expect(got.shape).toEqual(tensor('centroids').shape)
    expect(relativeError(got.data, tensor('centroids').data)).toBeLessThan(1e-6)
  })
  it('refuses a class without images, foreign labels and embeddings that are not finite', () => {
    const embeddings = hostTensor('float32', [2, 1], [1, 2])
    expect(() => classCentroids(embeddings, [0, 0], 2, 5)).toThrow('class 1 has no image')
    expect(() => classCentroids(embeddings, [0, 2], 2, 5)).toThrow(
      'label 2 is not one of the 2 classes',
    )
    const broken = hostTensor('float32', [2, 1], [1, Number.NaN])
    expect(() => classCentroids(broken, [0, 1], 2, 5)).toThrow(
      'an embedding of class 1 is not finite',
    )
  })
})

describe('refusals', () => {
  it.each<[string, () => unknown, string]>([
    [
      'a method without its teacher',
      () => trainGraph({ ...config('supervised', 'paper'), method: 'embed-kd' }),
      'embed-kd needs a teacher',
    ],
    [
      'embed-kd with a live teacher',
      () => trainGraph(config('embed-kd', 'paper', { teacher: { kind: 'live', model: teacher } })),
      'embed-kd needs a stored teacher, got live',
    ],
    [
      'logit-kd with other classes',
      () =>
        trainGraph(
          config('logit-kd', 'paper', {
            teacher: { kind: 'live', model: { ...teacher, classes: 7 } },
          }),
        ),
      "needs a teacher that scores the student's 3 classes, this one scores 7",
    ],
    [
      'patches that do not fit',
      () => vitParameters({ ...student, patchSize: 3 }),
      'patch size 3 does not divide image size 8',
    ],
    [
      'heads that do not fit',
      () => vitParameters({ ...student, heads: 3 }),
      '3 heads do not divide width 8',
    ],
    [
      'a width that is no number',
      () => vitParameters({ ...student, width: Number.NaN }),
      'width must be a whole number of at least 1, got NaN',
    ],
  ])('%s', (_, build, message) => {
    expect(build).toThrow(message)
  })
})
