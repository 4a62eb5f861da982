// Tables of methods: what stands in one table, the tests against the baselines, and the same figures as text.
import { describe, expect, test } from 'vitest'
import {
  accuracyDifference,
  answersOf,
  type BenchRecord,
  comparisonsOf,
  configurationsOf,
  methodsCsv,
  methodTablesOf,
  methodTableText,
} from '../src/index.js'
import { syntheticRecords } from './synthetic.js'

const sweep = {
  teachers: ['vit-mini'],
  batches: [16],
  labels: [0.01, 0.1, undefined],
  testResults: true,
  gains: { 'embed-kd': 0.03, 'teacher-kd': 0.03, 'logit-kd': -0.02 },
} as const
const records = syntheticRecords(sweep)
const tablesOf = (records: readonly BenchRecord[]) =>
  methodTablesOf(configurationsOf(records)).tables
const withTrial = (record: BenchRecord, change: object) =>
  ({ ...record, trial: { ...record.trial, ...change } }) as BenchRecord

describe('a table', () => {
  const [table, ...others] = tablesOf(records)
  const cell = (row: string, column: number) =>
    table!.rows.find(({ method }) => method === row)!.cells[column]!

  test('has a row for each method and a column for each share of labels', () => {
    expect(others).toEqual([])
    expect(table!.columns).toEqual(['1 % of the labels', '10 % of the labels', 'all labels'])
    expect(table!.rows.map(({ name }) => name)).toEqual([
      'Supervised',
      'Logit-KD',
      'Teacher-KD',
      'Embed-KD',
    ])
    for (const { cells } of table!.rows) expect(cells.every((found) => found?.accuracy.n === 3))
  })

  test('tests methods against both baselines, images paired, and corrects for their number', () => {
    const { supervised, 'teacher-kd': live } = cell('embed-kd', 2).against
    expect(supervised!.difference.interval![0]).toBeGreaterThan(0)
    expect(supervised!.difference.seeds).toHaveLength(3)
    expect(supervised!.corrected).toBeGreaterThanOrEqual(supervised!.p!)
    expect(supervised!.corrected).toBeLessThan(0.05)
    expect(live!.corrected).toBeGreaterThan(0.05)
    expect(cell('logit-kd', 2).against.supervised!.difference.value).toBeLessThan(0)
    expect(cell('supervised', 2).against.supervised).toBeUndefined()
  })

  test('is the same as text and as CSV', () => {
    const text = methodTableText(table!)
    expect(text.columns).toEqual([
      'Labels',
      'Method',
      'n',
      'Accuracy',
      'against Supervised',
      'p',
      'against Teacher-KD',
      'p',
    ])
    expect(text.rows).toHaveLength(12)
    const row = text.rows.find(([labels, name]) => labels === 'all labels' && name === 'Embed-KD')!
    expect(row[4]).toMatch(/^\+\d\.\d\d \(\+\d\.\d\d to \+\d\.\d\d\)$/)
    expect(row[5]).toMatch(/\*$/)
    const lines = methodsCsv([table!]).trimEnd().split('\r\n')
    expect(lines).toHaveLength(13)
    expect(lines[0]).toContain('differenceToTeacherKdLow,differenceToTeacherKdHigh,pToTeacherKd')
  })
})

test('pairing the images narrows the interval', () => {
  const [comparison] = comparisonsOf(configurationsOf(records))
  const { embedKd, teacherKd } = comparison!
  const without = (item: typeof embedKd) => ({
    ...item,
    runs: item.runs.map(({ testResults: _results, ...record }) => record),
  })
  const paired = accuracyDifference(embedKd, teacherKd)!
  const unpaired = accuracyDifference(without(embedKd), without(teacherKd))!
  expect(unpaired.seeds).toBeUndefined()
  expect(paired.imageError).toBeLessThan(unpaired.imageError)
  expect(paired.value).toBeCloseTo(unpaired.value, 12)
})

test('methods that searched the same values are compared, each with its own choice', () => {
  const search = { learningRate: [1e-4, 1e-3] }
  const chosen = records.map((record) => {
    const { method } = record.trial
    const learningRate = method === 'embed-kd' ? 1e-3 : 1e-4
    const kdWeight = method === 'supervised' ? {} : { kdWeight: 2 }
    const space = method === 'supervised' ? search : { ...search, kdWeight: [0.5, 2] }
    return withTrial(record, { learningRate, ...kdWeight, search: space })
  })
  const [table, ...others] = tablesOf(chosen)
  expect(others).toEqual([])
  expect(table!.columns).toHaveLength(3)
  expect(table!.rows).toHaveLength(4)
  expect(answersOf({ configurations: configurationsOf(chosen), all: [] }).matched).toBeDefined()
})

test('a method whose weight was searched in one column and given in another has one row', () => {
  const mixed = records.map((record) => {
    if (record.trial.method === 'supervised')
      return record.trial.labels === 0.1
        ? record
        : withTrial(record, { search: { kdWeight: [1, 5] } })
    return record.trial.labels === 0.1
      ? withTrial(record, { kdWeight: 1 })
      : withTrial(record, { kdWeight: 5, search: { kdWeight: [1, 5] } })
  })
  const [table, ...others] = tablesOf(mixed)
  expect(others).toEqual([])
  expect(table!.rows.map(({ name }) => name)).toEqual([
    'Supervised',
    'Logit-KD',
    'Teacher-KD',
    'Embed-KD',
  ])
  for (const { cells } of table!.rows)
    expect(cells.every((found) => found !== undefined)).toBe(true)
  const heavier = records.map((record) =>
    record.trial.method === 'embed-kd' ? withTrial(record, { kdWeight: 3 }) : record,
  )
  const [two] = tablesOf([...records, ...heavier])
  expect(two!.rows.filter(({ method }) => method === 'embed-kd').map(({ name }) => name)).toEqual([
    expect.stringContaining('distillation weight'),
    expect.stringContaining('distillation weight'),
  ])
})

test('other students, machines or augmentations make other tables', () => {
  for (const change of [{ augment: 'flip' }, { preset: 'paper' }]) {
    const both = [...records, ...records.map((record) => withTrial(record, change))]
    expect(tablesOf(both)).toHaveLength(2)
  }
})

describe('the answer about accuracy', () => {
  const answerOf = (gain: number, seeds = 5) =>
    answersOf({
      configurations: configurationsOf(
        syntheticRecords({ ...sweep, labels: [undefined], seeds, gains: { 'embed-kd': gain } }),
      ),
      all: [],
    }).answers.accuracy

  test.each([
    [0.03, 'supported'],
    [0, 'supported'],
    [-0.04, 'refuted'],
  ] as const)('with a true gain of %d is %s', (gain, verdict) => {
    const { support } = answerOf(gain)
    expect(support.claim).toBe('at least as accurate as Teacher-KD, within 1 point')
    expect(support.verdict).toBe(verdict)
  })

  test('stays open with one seed, and says why', () => {
    const { support } = answerOf(-0.04, 1)
    expect(support.verdict).toBe('inconclusive')
    expect(support.reasons[0]).toMatch(/^One seed/)
  })

  test('has a second claim against training without a teacher', () => {
    const { withoutTeacher } = answerOf(0.03).found!
    expect(withoutTeacher!.support).toMatchObject({
      claim: 'more accurate than Supervised',
      verdict: 'supported',
    })
    expect(withoutTeacher!.configuration.method).toBe('supervised')
  })

  test('doubts a teacher that is no better than the student alone', () => {
    const weak = records.map((record) =>
      record.trial.teacher === undefined
        ? record
        : withTrial(record, { teacher: { ...record.trial.teacher, accuracy: 0.5 } }),
    )
    const { support } = answersOf({ configurations: configurationsOf(weak), all: [] }).answers
      .accuracy
    expect(support.reasons.at(-1)).toMatch(/it has little to teach/)
  })
})
