// What belongs to an experiment beside its methods: searches for hyperparameters, and the seconds that an accuracy took.
import { describe, expect, test } from 'vitest'
import {
  accuracyBySeconds,
  accuracyWithin,
  answersOf,
  type BenchRecord,
  comparisonsOf,
  configurationsOf,
  controlsOf,
  controlTable,
  methodTablesOf,
  searchesOf,
  searchTable,
  teacherSetsOf,
  teacherSetTable,
  tidyCsv,
  spentSeconds,
  trainingSeconds,
} from '../src/index.js'
import { syntheticRecords } from './synthetic.js'

const rates = [1e-4, 3e-4, 1e-3]

/** Records of a search over learning rates, whose best is 0.001, and results that use it. */
function searched(): { searches: BenchRecord[]; results: BenchRecord[] } {
  const all = syntheticRecords({ teachers: ['vit-mini'], batches: [16], seeds: 2 })
  const first = all.filter(({ trial }) => trial.seed === 0)
  const idOf = ({ id }: BenchRecord, rate: number) => `search ${id} ${rate}`
  const searches = first.flatMap((record) =>
    rates.map((learningRate): BenchRecord => {
      const { accuracy: _accuracy, ...rest } = record
      const trial = { ...record.trial, learningRate, seed: 99, purpose: 'search' as const }
      return { ...rest, id: idOf(record, learningRate), trial, wallSeconds: 7 }
    }),
  )
  const results = all.map((record): BenchRecord => {
    const mine = first.find(({ trial }) => trial.method === record.trial.method)!
    const trials = rates.map((learningRate) => ({
      id: idOf(mine, learningRate),
      values: { learningRate },
      ...(learningRate === 3e-4 ? {} : { accuracy: 0.5 + learningRate }),
    }))
    const trial = { ...record.trial, learningRate: 1e-3, search: { learningRate: rates } }
    return { ...record, trial, searched: { seed: 99, trials } }
  })
  return { searches, results }
}

describe('searches', () => {
  const { searches, results } = searched()
  const configurations = configurationsOf(results)
  const found = searchesOf(configurations, [...searches, ...results])

  test('say what was tried, what was chosen, and at what expense', () => {
    expect(found).toHaveLength(4)
    expect(found[0]!.seconds).toBe(21)
    expect(found[0]!.atEdge).toEqual(['learningRate'])
    const { rows } = searchTable(found)
    expect(rows.map(([name]) => name)).toEqual([
      'Supervised, no teacher',
      'Logit-KD, teacher vit-mini',
      'Teacher-KD, teacher vit-mini',
      'Embed-KD, teacher vit-mini',
    ])
    expect(rows[0]!.slice(1)).toEqual([
      'learning rate 0.001 (at the edge)',
      '50.1 %',
      '50.0 %; 1 did not finish',
      'learning rate 0.0001, 0.0003, 0.001',
      '3 trials, 21.0 s',
    ])
  })

  test('without records of their trials leave the expense open', () => {
    expect(searchesOf(configurations, results)[0]!.seconds).toBeUndefined()
  })

  test('never answer a question', () => {
    const scene = { configurations: configurationsOf(searches), all: [] }
    expect(answersOf(scene).answers.accuracy.found).toBeUndefined()
  })
})

describe('the seconds spent', () => {
  const records = syntheticRecords({ teachers: ['vit-mini'], batches: [16], seeds: 1 })
  const of = (method: string) => records.find(({ trial }) => trial.method === method)!

  test('hold the training, and the embeddings if they are stored', () => {
    for (const method of ['embed-kd', 'teacher-kd']) {
      const record = of(method)
      const training = record.trial.epochs! * record.time!.epochSeconds!
      expect(trainingSeconds.of(record)).toBeCloseTo(training, 9)
      expect(spentSeconds.of(record)).toBeCloseTo(training + (record.embeddings?.seconds ?? 0), 9)
    }
    expect(of('embed-kd').embeddings!.seconds).toBeGreaterThan(0)
  })

  test('of a number of images are those of the epochs in them', () => {
    const { epochs: _epochs, ...trial } = of('embed-kd').trial
    const record = { ...of('embed-kd'), trial: { ...trial, imagesSeen: 90_000 } }
    expect(trainingSeconds.of(record)).toBeCloseTo(1.5 * record.time!.epochSeconds!, 9)
  })

  test('lead to the accuracy within a budget', () => {
    const curve = accuracyBySeconds(of('embed-kd'))
    expect(curve).toHaveLength(4)
    const [[first], , [third, reached]] = curve as [[number, number], unknown, [number, number]]
    expect(accuracyWithin(curve, third)).toBe(reached)
    expect(accuracyWithin(curve, first * 0.99)).toBeUndefined()
  })
})

describe('controls', () => {
  const sweep = {
    methods: ['embed-kd', 'teacher-kd'],
    teachers: ['vit-mini'],
    batches: [16],
  } as const
  const of = (gain: number, seeds = 5, method: 'embed-kd' | 'teacher-kd' = 'embed-kd') =>
    syntheticRecords({
      ...sweep,
      methods: [method],
      seeds,
      testResults: true,
      gains: { [method]: gain },
    })
  const asControl = (records: readonly BenchRecord[], anchors: 'shuffled' | 'orthogonal') =>
    records.map((record) => ({ ...record, trial: { ...record.trial, anchors } }))
  const groupsOf = (shuffled: number, orthogonal: number, seeds = 5) =>
    controlsOf(
      configurationsOf([
        ...of(0.03, seeds),
        ...asControl(of(shuffled, seeds), 'shuffled'),
        ...asControl(of(orthogonal, seeds), 'orthogonal'),
      ]),
    )

  test.each([
    ['supported', 0, 0.01],
    ['refuted', 0, 0.03],
    ['refuted', 0, 0.05],
  ] as const)('leave the knowledge %s at gains of %d and %d', (verdict, shuffled, orthogonal) => {
    const [group, ...others] = groupsOf(shuffled, orthogonal)
    expect(others).toEqual([])
    expect(group!.support.verdict).toBe(verdict)
    expect(group!.controls).toHaveLength(2)
    for (const { p, corrected } of group!.controls) expect(corrected).toBeGreaterThanOrEqual(p!)
  })

  test('of one seed leave it open', () => {
    expect(groupsOf(0, 0, 1)[0]!.support.verdict).toBe('inconclusive')
  })

  test('have a table whose first row of a setting is the teacher', () => {
    const { rows } = controlTable(groupsOf(0, 0.01))
    expect(rows.map(([, vectors]) => vectors)).toEqual([
      "the teacher's",
      'orthogonal anchors',
      'shuffled anchors',
    ])
  })

  test('never answer for the method, and stand in no table of methods', () => {
    const records = [...of(0.03, 3, 'teacher-kd'), ...asControl(of(0), 'orthogonal')]
    expect(comparisonsOf(configurationsOf(records))).toEqual([])
    expect(methodTablesOf(configurationsOf(records)).tables).toEqual([])
  })
})

describe('several teachers', () => {
  const names = ['vit-mini', 'vit-small-28'] as const
  type Kind = 'none' | (typeof names)[number] | 'both'
  const gains: Readonly<Record<Kind, number>> = {
    none: 0,
    'vit-mini': 0.01,
    'vit-small-28': 0.02,
    both: 0.05,
  }
  /** Records of students of no teacher, of one or of both, with gains over the synthetic ones. */
  const of = (kind: Kind, { gain = gains[kind], seeds = 5, weight = 1 } = {}): BenchRecord[] => {
    const method = kind === 'none' ? 'supervised' : 'embed-kd'
    const records = syntheticRecords({
      methods: [method],
      teachers: [kind === 'both' ? names[0] : kind],
      batches: [16],
      seeds,
      testResults: true,
      gains: { [method]: gain },
    })
    if (kind !== 'both') return records
    const [second] = syntheticRecords({ methods: [method], teachers: [names[1]], seeds: 1 })
    return records.map((record) => {
      const members = [record.trial.teacher!, second!.trial.teacher!].map(
        ({ place: _place, members: _members, ...teacher }, i) => ({
          ...teacher,
          kind: 'trained' as const,
          weight: i === 0 ? 1 : weight,
        }),
      )
      const teacher = {
        name: members.map(({ name }) => name).join(' + '),
        kind: 'several' as const,
        embeddingWidth: 384,
        members,
      }
      return { ...record, id: `both ${weight} ${record.id}`, trial: { ...record.trial, teacher } }
    })
  }
  const groupsOf = (...records: BenchRecord[][]) => teacherSetsOf(configurationsOf(records.flat()))
  const all = () => names.map((name) => of(name))

  test('are tested against each alone and against none, largest sets first', () => {
    const [group, ...others] = groupsOf(of('both'), ...all(), of('none'))
    expect(others).toEqual([])
    expect(group!.teachers).toEqual(names)
    expect(group!.fewer.map(({ teachers }) => teachers)).toEqual([
      ['vit-mini'],
      ['vit-small-28'],
      [],
    ])
    const [mini, small, none] = group!.fewer.map(({ difference }) => difference.value)
    expect(none).toBeGreaterThan(mini!)
    expect(mini).toBeGreaterThan(small!)
    for (const { difference, p, corrected } of group!.fewer) {
      expect(difference.n).toBe(5)
      expect(corrected).toBeGreaterThanOrEqual(p!)
    }
    const { rows } = teacherSetTable([group!])
    expect(rows.map((row) => row.slice(1, 4))).toEqual([
      ['vit-mini + vit-small-28', '98.1 %, 98.6 %', '5'],
      ['vit-mini', '98.1 %', '5'],
      ['vit-small-28', '98.6 %', '5'],
      ['none', '–', '5'],
    ])
  })

  test('are written to CSV as JSON', () => {
    const [head, row] = tidyCsv(of('both', { seeds: 1 })).split('\n')
    expect(head).toContain('teacherMembers')
    expect(row).toContain('""name"":""vit-small-28""')
    expect(row).not.toContain('[object')
  })

  test.each([
    ['supported', { gain: 0.05 }],
    ['refuted', { gain: 0.02 }],
    ['inconclusive', { gain: 0.05, seeds: 1 }],
  ] as const)('leave what each adds %s with %o', (verdict, both) => {
    const [group] = groupsOf(of('both', both), ...all())
    expect(group!.support.verdict).toBe(verdict)
  })

  test('of other weights are tested each for itself', () => {
    const groups = groupsOf(of('both'), of('both', { weight: 0.5 }), ...all())
    expect(groups.map(({ teachers }) => teachers.join(' + ')).toSorted()).toEqual([
      'vit-mini + vit-small-28',
      'vit-mini + vit-small-28@0.5',
    ])
    for (const { fewer } of groups) expect(fewer).toHaveLength(2)
  })

  test('without any smaller set say nothing', () => {
    expect(groupsOf(of('both'), of('none'))).toEqual([])
    expect(groupsOf(...all(), of('none'))).toEqual([])
  })
})
