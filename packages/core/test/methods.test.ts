// The table of methods, and methods that users define: a built-in loss written by hand gives the same bits.
import { describe, expect, it, test } from 'vitest'
import {
  defineMethod,
  evaluate,
  gradientGraph,
  hostTensor,
  initialParameters,
  initialState,
  linearParameters,
  l2Normalize,
  crossEntropy,
  methodDefinition,
  methodName,
  methodNames,
  methods,
  print,
  Random,
  sizeOf,
  stepGraphs,
  studentSpecs,
  teacherInput,
  trainGraph,
  unlabelledMethods,
  verify,
  type Graph,
  type HostTensor,
  type MethodDefinition,
  type TrainConfig,
} from '../src/index.js'
import { configOf, student, teacher } from '@embed-kd/conformance/small-models'

/** The small student without its classifier. */
const { classes: _classes, ...encoder } = student

describe('the table', () => {
  it.each(methodNames)('has a label for %s from which its name follows', (name) => {
    expect(methodName(methods[name])).toBe(name)
    expect(methods[name].description).not.toMatch(/\n|\.$/)
  })

  it.each(methodNames)('gives %s a loss exactly if it has a teacher', (name) => {
    const { teacher: needed, takes, loss } = methodDefinition(name)
    expect([takes === 'none', loss === undefined]).toEqual(Array(2).fill(needed === 'none'))
  })

  it.each(methodNames)(
    'names the graphs of %s, and the input that takes a stored output',
    (name) => {
      const stored = methods[name].teacher !== 'none'
      const config = configOf(
        name,
        'paper',
        stored ? { teacher: { kind: 'stored', width: teacher.width } } : {},
      )
      const graph = trainGraph(config)
      expect(graph.name).toBe(`train ${name}`)
      const inputs = graph.inputs
        .map((input) => input.name)
        .filter((input) => /teacher[_.]/.test(input))
      const { statistics, queue } = methodDefinition(name)
      expect(inputs.filter((input) => !input.startsWith('state.'))).toEqual([
        ...Object.keys(statistics?.shapes(teacher.width) ?? {}).map((key) => `teacher.${key}`),
        ...(stored ? [teacherInput(name)] : []),
        ...(queue ? ['batch.teacher_queue'] : []),
      ])
    },
  )

  it('does not know other names', () => {
    expect(() => methodDefinition('embed')).toThrow(
      `there is no method "embed"; choose one of ${methodNames.join(', ')}`,
    )
  })
})

const draw = (shape: readonly number[], seed: number) => {
  const random = new Random(seed)
  return hostTensor(
    'float32',
    shape,
    Array.from({ length: sizeOf(shape) }, () => random.normal()),
  )
}

/** Values for every input of a configuration's graph; labels 0, 1, 1, 2. */
function values(graph: Graph, config: TrainConfig): Record<string, HostTensor> {
  const state = initialState(initialParameters(studentSpecs(config), new Random(1)))
  return Object.fromEntries(
    graph.inputs.map(({ name, value }, i) => {
      const { shape, dtype } = graph.types[value]!
      if (name === 'batch.labels') return [name, hostTensor('int32', [4], [0, 1, 1, 2])]
      return [
        name,
        state.get(name) ?? (dtype === 'int32' ? hostTensor(dtype, shape) : draw(shape, i)),
      ]
    }),
  )
}

const byHand = {
  'logit-kd': defineMethod({
    label: 'My logits',
    description: 'logit-kd by hand',
    teacher: 'live',
    takes: 'probabilities',
    loss: ({ logits, probabilities, settings: { temperature }, op }) =>
      op.mul(crossEntropy(op.mul(logits, 1 / temperature), probabilities), temperature ** 2),
  }),
  'embed-kd': defineMethod({
    label: 'My centroids',
    description: 'embed-kd of preset paper by hand',
    teacher: 'centroids',
    parameters: ({ studentWidth, teacherWidth }) => ({
      teacher_proj: linearParameters(teacherWidth, studentWidth),
    }),
    loss({ embedding, anchors, labels, parameters: { teacher_proj }, op }) {
      const projected = op.linear(anchors, teacher_proj.weight, teacher_proj.bias)
      const cosine = op.matmul(l2Normalize(embedding), l2Normalize(projected), { transposeB: true })
      return { loss: crossEntropy(cosine, op.oneHot(labels, anchors.shape[0]!)), cosine }
    },
  }),
  'cached-kd': defineMethod({
    label: 'My samples',
    description: 'cached-kd of preset paper by hand',
    teacher: 'samples',
    wholeBatch: true,
    parameters: ({ studentWidth, teacherWidth }) => ({
      teacher_proj: linearParameters(teacherWidth, studentWidth),
    }),
    loss({ embedding, anchors, anchorRows, parameters: { teacher_proj }, op }) {
      const projected = op.linear(anchors, teacher_proj.weight, teacher_proj.bias)
      const targets = op.oneHot(anchorRows, anchors.shape[0]!)
      const cosine = op.matmul(l2Normalize(embedding), l2Normalize(projected), { transposeB: true })
      return { loss: crossEntropy(cosine, targets), cosine }
    },
  }),
  'cosine-kd': defineMethod({
    label: 'My cosine',
    description: 'cosine-kd by hand',
    teacher: 'samples',
    parameters: ({ studentWidth, teacherWidth }) => ({
      student_proj: linearParameters(studentWidth, teacherWidth),
    }),
    loss({ embedding, anchors, parameters: { student_proj }, op }) {
      const projected = op.linear(embedding, student_proj.weight, student_proj.bias)
      const products = op.mul(l2Normalize(projected), l2Normalize(anchors))
      return op.sub(1, op.mean(op.sum(products, { axes: [1] })))
    },
  }),
} satisfies Partial<Record<keyof typeof methods, MethodDefinition>>

describe.each(Object.entries(byHand))('%s by hand', (name, method) => {
  const builtIn = configOf(name as keyof typeof byHand, 'paper')
  const own = { ...builtIn, method }

  it('gives the bits of the built-in method', () => {
    const graph = verify(gradientGraph(own))
    expect(graph.name).toBe(`gradients ${methodName(method)}`)
    const given = values(graph, own)
    const expected = evaluate(gradientGraph(builtIn), given)
    const got = evaluate(graph, given)
    expect(Object.keys(got).length).toBeGreaterThan(30)
    for (const [key, { data }] of Object.entries(got))
      expect(data, key).toEqual(expected[key]!.data)
  })

  it('trains by micro-batches on the same graphs', () => {
    const named = (config: TrainConfig) =>
      stepGraphs({ ...config, microBatch: 2 }).map(({ graph }) =>
        print(graph).replaceAll(methodName(config.method), ''),
      )
    expect(named(own)).toEqual(named(builtIn))
  })
})

describe('a method without class labels', () => {
  const method = defineMethod({
    label: 'Unlabelled',
    description: 'matches embeddings of equal width without class labels',
    teacher: 'samples',
    needsLabels: false,
    loss: ({ embedding, anchors, op }) => {
      const difference = op.sub(embedding, anchors)
      return op.mean(op.mul(difference, difference))
    },
  })
  const config = {
    ...configOf('cached-kd', 'corrected'),
    method,
    student: encoder,
    teacher: { kind: 'stored', width: student.width },
  } as const

  it('trains a student without a classifier on its loss alone', () => {
    const graph = verify(trainGraph(config))
    expect(graph.inputs.map(({ name }) => name)).not.toContain('batch.labels')
    const given = values(graph, config)
    const after = evaluate(graph, given)
    expect(Object.keys(after).filter((name) => name.startsWith('metrics.'))).toEqual([
      'metrics.loss',
      'metrics.kd_loss',
      'metrics.learning_rate',
    ])
    const changed = (name: string) =>
      after[name]!.data.some((x, i) => Math.abs(x - given[name]!.data[i]!) > 1e-6)
    expect(after).not.toHaveProperty('state.parameters.classifier.weight')
    expect(changed('state.parameters.class_token')).toBe(true)
  })

  it('can be trained by micro-batches', () => {
    for (const { graph } of stepGraphs({ ...config, microBatch: 2 })) verify(graph)
  })

  it.each(unlabelledMethods)('is %s, with or without a class loss', (name) => {
    const { relational = false } = methodDefinition(name)
    for (const microBatch of relational ? [4] : [4, 2]) {
      const labelled = configOf(name, 'corrected', { microBatch })
      for (const config of [labelled, { ...labelled, student: encoder }]) {
        const graphs = stepGraphs(config).map(({ graph }) => verify(graph))
        const names = graphs.flatMap(({ inputs, outputs }) =>
          [...inputs, ...outputs].map((value) => value.name),
        )
        const ofLabels = names.filter((value) =>
          /labels|class_loss|correct$|classifier/.test(value),
        )
        expect(ofLabels.length > 0).toBe(config === labelled)
      }
    }
  })

  it.each(methodNames.filter((name) => methods[name].needsLabels))('is not %s', (name) => {
    expect(() => trainGraph({ ...configOf(name, 'corrected'), student: encoder })).toThrow(
      `${name} needs class labels, but the student has no classifier; give the student`,
    )
  })
})

describe('defineMethod refuses', () => {
  const good = {
    label: 'Mine',
    description: 'for tests',
    teacher: 'samples',
    loss: ({ embedding, op }) => op.mean(embedding),
  } as const satisfies Parameters<typeof defineMethod>[0]

  test.each<[string, object, string]>([
    ['an empty label', { label: '' }, 'label must be one line of text, got ""'],
    ['a label with a slash', { label: 'a/b' }, 'the label cannot be a name'],
    ['a built-in name', { label: 'embed KD' }, 'a built-in method has this name'],
    ['no description', { description: '' }, 'description must be one line of text, got ""'],
    ['an unknown teacher', { teacher: 'stored' }, 'teacher must be one of none, live, centroids'],
    ['no loss', { loss: undefined }, 'loss must be a function, got undefined'],
    ['no parameters', { parameters: {} }, 'parameters must be a function, got object'],
    ['an unknown output', { takes: 'logits' }, 'takes must be one of none, embeddings, probab'],
    ['what no teacher gives', { teacher: 'none', takes: 'embeddings' }, 'cannot go with takes'],
    ['a teacher without output', { takes: 'none' }, 'cannot go with takes "none"'],
    [
      'probabilities of centroids',
      { teacher: 'centroids', takes: 'probabilities' },
      'centroids are embeddings',
    ],
    ['whole batches of centroids', { teacher: 'centroids', wholeBatch: true }, 'wholeBatch needs'],
    ['a flag that is none', { needsLabels: 1 }, 'needsLabels must be true or false, got 1'],
    ['a missing description', { description: undefined }, 'description must be one line'],
    ['a misspelt field', { teachers: 'live' }, 'there is no field "teachers"'],
  ])('%s', (_, change, message) => {
    expect(() => defineMethod({ ...good, ...change } as typeof good)).toThrow(message)
  })
})

describe('a loss is told', () => {
  const graphOf = ({ unlabelled = false, ...rest }: { unlabelled?: boolean }) =>
    gradientGraph({
      ...configOf('cached-kd', 'paper'),
      ...(unlabelled ? { student: encoder } : {}),
      method: defineMethod({
        label: 'Mine',
        description: 'for tests',
        teacher: 'samples',
        loss: ({ embedding, op }) => op.mean(embedding),
        ...rest,
      }),
    })
  test.each<[string, object, string]>([
    [
      'that it has no probabilities',
      { loss: ({ probabilities }: { probabilities: never }) => probabilities },
      "mine: its loss reads probabilities, which only methods with takes: 'probabilities' are given",
    ],
    [
      'that it has no labels',
      {
        unlabelled: true,
        needsLabels: false,
        loss: ({ labels }: { labels: never }) => labels,
      },
      'mine: its loss reads labels, which only methods with needsLabels are given',
    ],
    [
      'that it must be a scalar',
      { loss: ({ scores }: { scores: never }) => scores },
      'mine: the loss must be a float32 scalar, got f32[4,3]',
    ],
    [
      'that it must be a tensor',
      { loss: () => 3 },
      'mine: the loss must be a float32 scalar, got 3',
    ],
    [
      "that a parameter's name is taken",
      { parameters: () => ({ classifier: linearParameters(1, 1) }) },
      'mine: a parameter of the student is already called classifier',
    ],
  ])('%s', (_, rest, message) => {
    expect(() => graphOf(rest)).toThrow(message)
  })
})
