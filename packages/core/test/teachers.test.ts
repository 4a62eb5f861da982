// Several teachers at once: each has parameters and a loss of its own, and the losses are averaged by their weights.
import { describe, expect, it, test } from 'vitest'
import {
  evaluate,
  gradientGraph,
  hostTensor,
  initialParameters,
  methodDefinition,
  methodNames,
  methods,
  Random,
  sizeOf,
  studentSpecs,
  teacherInput,
  trainGraph,
  verify,
  type HostTensor,
  type Method,
  type TeacherSource,
  type TrainConfig,
  type WeightedTeacher,
} from '../src/index.js'
import { configOf } from '@embed-kd/conformance/small-models'

const taught = methodNames.filter((name) => methods[name].teacher !== 'none')
const A = { name: 'a', width: 6 }
const B = { name: 'b', width: 5 }

const configFor = (method: Method, teacher: TeacherSource): TrainConfig =>
  configOf(method, 'corrected', { teacher })
const several = (...teachers: WeightedTeacher[]): TeacherSource => ({ kind: 'several', teachers })

/** Splits a name such as `state.parameters.teachers.a.teacher_proj.bias` or `teacher.centroids.a` into the rest and the teacher. */
function splitName(name: string): { rest: string; teacher: string } {
  const [found = '', first, last] =
    /(?<=\.)teachers\.(\w)\.|(?<=^(?:teacher|batch)\.\w+)\.(\w)$/.exec(name) ?? []
  return { rest: name.replace(found, ''), teacher: first ?? last ?? '' }
}

const seedOf = (text: string): number =>
  [...text].reduce((seed, letter) => (31 * seed + letter.codePointAt(0)!) % 2 ** 31, 7)

/** Evaluates the gradient graph. Every input is drawn by its name and its teacher, the same for one teacher and for several. */
function gradientsOf(config: TrainConfig, single = ''): Record<string, HostTensor> {
  const graph = verify(gradientGraph(config))
  const given: Record<string, HostTensor> = {}
  for (const { name: input, value } of graph.inputs) {
    const { shape, dtype } = graph.types[value]!
    const { rest, teacher } = splitName(input)
    const own = /teacher[_.]|logit_scale|student_proj/.test(rest) ? teacher || single : ''
    const random = new Random(seedOf(`${rest} ${own}`))
    const values = Array.from({ length: sizeOf(shape) }, () => random.normal())
    given[input] =
      input === 'batch.labels'
        ? hostTensor('int32', [4], [0, 1, 1, 2])
        : hostTensor(dtype, shape, dtype === 'int32' ? undefined : values)
  }
  return evaluate(graph, given) as Record<string, HostTensor>
}

describe.each(taught)('%s', (method) => {
  const single = (letter: 'a' | 'b') =>
    gradientsOf(configFor(method, { kind: 'stored', width: letter === 'a' ? 6 : 5 }), letter)

  it('has inputs and parameters called by the teachers', () => {
    const config = configFor(method, several(A, B))
    const names = trainGraph(config).inputs.map(({ name }) => name)
    const given = names.filter((name) => !name.startsWith('state.') && name.includes('teacher'))
    const { statistics, queue } = methodDefinition(method)
    const inputs = [
      ...Object.keys(statistics?.shapes(6) ?? {}).map((name) => `teacher.${name}`),
      teacherInput(method),
      ...(queue ? ['batch.teacher_queue'] : []),
    ]
    expect(given).toEqual(inputs.flatMap((name) => [`${name}.a`, `${name}.b`]))
    const own = [...initialParameters(studentSpecs(config), new Random(0)).keys()]
    const count = own.filter((name) => name.startsWith('teachers.a.')).length
    expect(own.filter((name) => name.startsWith('teachers.b.'))).toHaveLength(count)
    expect(names.filter((name) => name.startsWith('state.parameters.teachers.'))).toHaveLength(
      2 * count,
    )
  })

  it('gives the bits of a single teacher to a list of one', () => {
    const expected = single('a')
    const found = gradientsOf(configFor(method, several({ ...A, weight: 3 })))
    for (const [name, { data }] of Object.entries(found)) {
      const plain = name.replace('teachers.a.', '').replace('cosine.a', 'cosine')
      expect(data, name).toEqual(expected[plain]!.data)
    }
    expect(Object.keys(found)).toHaveLength(Object.keys(expected).length)
  })

  it('averages losses and gradients by the weights', () => {
    const [a, b] = [single('a'), single('b')]
    const both = gradientsOf(configFor(method, several(A, { ...B, weight: 3 })))
    const mean = (name: string, i = 0) => (a[name]!.data[i]! + 3 * b[name]!.data[i]!) / 4
    for (const name of ['metrics.loss', 'metrics.kd_loss'])
      expect(both[name]!.data[0]).toBeCloseTo(mean(name), 5)
    expect(both['metrics.class_loss']?.data).toEqual(a['metrics.class_loss']?.data)
    const shared = Object.keys(both).filter((name) => name in a && name.startsWith('gradients.'))
    expect(shared.length).toBeGreaterThan(20)
    for (const name of shared) {
      const apart = both[name]!.data.map((x, i) => Math.abs(x - mean(name, i)))
      expect(Math.max(...apart), name).toBeLessThan(1e-6)
    }
  })
})

describe('a list of teachers is refused', () => {
  test.each<[string, WeightedTeacher[], string]>([
    ['if it is empty', [], 'there is no teacher in the list'],
    ['with a name twice', [A, { ...B, name: 'a' }], 'two teachers are called a; give each'],
    ['with a dot in a name', [{ ...A, name: 'a.b' }], 'teacher "a.b" cannot be told apart'],
    ['with a weight of 0', [A, { ...B, weight: 0 }], 'teacher b: weight must be a finite number'],
    ['with no width', [{ ...A, width: 0 }], 'teacher a: width must be a whole number of at least'],
  ])('%s', (_, teachers, message) => {
    expect(() => trainGraph(configFor('cached-kd', several(...teachers)))).toThrow(message)
  })
})
