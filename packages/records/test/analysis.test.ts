// From records to answers: what is grouped, what is compared, what is claimed, and what is said if a figure is missing.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  answersOf,
  type BenchRecord,
  breakEven,
  changesBetween,
  comparisonsOf,
  configurationsOf,
  accuracyDifference,
  epochMeasure,
  epochSeconds,
  exhaustionOf,
  exhaustionSentence,
  extrapolatedEpochSeconds,
  failuresOf,
  hostPeakBytes,
  MEASURES,
  ratioOf,
  recommendationsOf,
  scopeName,
  scopeNamer,
  stepSeconds,
  summaryOf,
  verdictOf,
} from '../src/index.js'
import { syntheticRecords } from './synthetic.js'

const records = syntheticRecords()

const sceneOf = (shown: readonly BenchRecord[], all = shown) => ({
  configurations: configurationsOf(shown),
  all: configurationsOf(all),
})
const answersIn = (shown: readonly BenchRecord[], all = shown) => answersOf(sceneOf(shown, all))
const comparisonsIn = (records: readonly BenchRecord[]) => comparisonsOf(configurationsOf(records))
const withRuns = (record: BenchRecord) => ({
  ...record,
  time: { ...record.time!, epochExtrapolated: false },
})

describe('configurations', () => {
  test('gather the seeds of one trial and nothing else', () => {
    const configurations = configurationsOf(records)
    expect(configurations.reduce((sum, { runs }) => sum + runs.length, 0)).toBe(records.length)
    for (const { runs } of configurations) {
      expect(runs.map(({ trial }) => trial.seed)).toEqual([0, 1, 2])
      const trials = runs.map(({ trial }) => JSON.stringify({ ...trial, seed: undefined }))
      expect(new Set(trials).size).toBe(1)
    }
  })

  test.each<[string, (record: BenchRecord) => BenchRecord]>([
    ['machine', (r) => ({ ...r, environment: { ...r.environment, cpuModel: 'another' } })],
    ['commit', (r) => ({ ...r, environment: { ...r.environment, commit: 'another' } })],
    ['changes to the commit', (r) => ({ ...r, environment: { ...r.environment, dirty: true } })],
    ['version of the benchmark', (r) => ({ ...r, benchmarkVersion: '9' })],
    [
      'runtime package',
      (r) => ({ ...r, environment: { ...r.environment, packages: { 'onnxruntime-node': '9' } } }),
    ],
    ['precision', (r) => ({ ...r, trial: { ...r.trial, precision: 'mixed-float16' } })],
    ['micro-batch', (r) => ({ ...r, trial: { ...r.trial, microBatch: 4 } })],
    ['learning rate', (r) => ({ ...r, trial: { ...r.trial, learningRate: 0.5 } })],
    [
      'size of the test split',
      (r) => ({ ...r, trial: { ...r.trial, dataset: { ...r.trial.dataset, testSize: 77 } } }),
    ],
    [
      'number of steps',
      (r) => {
        const { epochs: _epochs, ...trial } = r.trial
        return { ...r, trial: { ...trial, steps: 7 } }
      },
    ],
  ])('are told apart by %s, and then not compared', (_name, change) => {
    const some = syntheticRecords({ teachers: ['vit-mini'] })
    const both = [...some, ...some.map(change)]
    expect(configurationsOf(both)).toHaveLength(2 * configurationsOf(some).length)
    expect(comparisonsIn(both)).toHaveLength(2 * comparisonsIn(some).length)
    const mixed = some.map((record) =>
      record.trial.method === 'embed-kd' ? change(record) : record,
    )
    expect(comparisonsIn(mixed)).toHaveLength(0)
  })

  test('count a trial that was run again as further runs', () => {
    const once = syntheticRecords({ teachers: ['vit-mini'], batches: [16], seeds: 1 })
    const again = syntheticRecords({ teachers: ['vit-mini'], batches: [16], seeds: 1, noise: 5 })
    const [single] = comparisonsIn(once)
    const [repeated] = comparisonsIn([...once, ...again])
    expect(repeated!.embedKd.runs).toHaveLength(2)
    expect(ratioOf(single!.teacherKd, single!.embedKd, stepSeconds)).toMatchObject({ n: 1 })
    expect(ratioOf(repeated!.teacherKd, repeated!.embedKd, stepSeconds)).toMatchObject({
      n: 2,
      over: 'runs',
    })
    // The seed decides the accuracy, so that repeating it shows nothing about other seeds.
    expect(accuracyDifference(repeated!.embedKd, repeated!.teacherKd)).toMatchObject({
      n: 1,
      over: 'images',
    })
  })

  test('keep a trial that failed, and lists no runtime, with the sweep it belongs to', () => {
    const some = syntheticRecords({ teachers: ['vit-mini'], batches: [16] }).map(
      (record, at): BenchRecord => {
        if (at % 3 !== 0) return record
        const { time: _time, memory: _memory, accuracy: _accuracy, ...rest } = record
        const environment = { ...record.environment, packages: {} }
        return { ...rest, environment, status: 'oom', reason: 'a test' }
      },
    )
    expect(configurationsOf(some)).toHaveLength(4)
  })

  test('of two precisions are named by it', () => {
    const half = records.map((record) => ({
      ...record,
      trial: { ...record.trial, precision: 'mixed-float16' as const },
    }))
    const scopes = new Set(configurationsOf([...records, ...half]).map(({ scope }) => scope))
    expect([...scopes].map(scopeNamer(scopes)).sort()).toEqual(['float32', 'mixed-float16'])
    expect([...scopes].map(scopeName).sort()).toEqual([
      'ort:cpu in mixed-float16 · mnist · preset corrected · student small 28 px',
      'ort:cpu · mnist · preset corrected · student small 28 px',
    ])
  })
})

test('no answer depends on the order of the records (shuffle)', () => {
  const mixed = [
    ...syntheticRecords({ memoryLimitBytes: 1.2e9, seeds: 2 }),
    ...syntheticRecords({ memoryLimitBytes: 1.2e9, seeds: 1, noise: 3 }),
    ...syntheticRecords({ machine: 'other', teachers: ['vit-mini', 'vit-base-16'], seeds: 2 }),
    ...syntheticRecords({ commit: 'later', teachers: ['vit-mini'], seeds: 1, slowdown: 1.3 }),
  ]
  const everything = (records: readonly BenchRecord[]) => {
    const scene = sceneOf(records)
    const comparisons = comparisonsOf(scene.configurations)
    const answers = answersOf(scene)
    return JSON.stringify([
      answers,
      verdictOf(answers),
      comparisons.map((comparison) => breakEven(comparison)),
      failuresOf(scene.configurations),
      recommendationsOf(scene.configurations),
      scene.configurations.map((item) => MEASURES.map((measure) => summaryOf(item, measure))),
      changesBetween(mixed, records),
    ])
  }
  const expected = everything(mixed)
  const shuffled = fc.shuffledSubarray(mixed, { minLength: mixed.length })
  fc.assert(
    fc.property(shuffled, (records) => {
      expect(everything(records)).toBe(expected)
    }),
    { numRuns: 8 },
  )
})

describe('answers', () => {
  test('come from one setting, the largest teacher that has all three, with its paired runs', () => {
    const { matched, answers, cost } = answersIn(records)
    expect(matched!.embedKd.trial).toMatchObject({ teacher: { name: 'vit-small-28' }, batch: 64 })
    for (const { found } of Object.values(answers)) {
      expect(found!.comparison).toBe(matched)
      expect(found!.ratio.n).toBe(3)
    }
    const { teacherKd, embedKd } = matched!
    const { ratio, beside } = answers.time.found!
    const logs = teacherKd.runs.map((run, at) =>
      Math.log(run.time!.medianSeconds / embedKd.runs[at]!.time!.medianSeconds),
    )
    expect(Math.log(ratio.value)).toBeCloseTo(logs.reduce((a, b) => a + b) / 3, 9)
    expect(beside.map(({ measure }) => measure.id)).toEqual(['stepSeconds', 'stepFlops'])
    expect(answers.time.support).toMatchObject({ verdict: 'supported', reasons: [] })
    expect(cost!.comparison.embedKd.trial.teacher!.name).toBe('vit-large-16')
  })

  test('show two values whose quotient is the ratio and whose difference is the points', () => {
    const { memory, time, accuracy } = answersIn(records).answers
    for (const { found } of [memory, time]) {
      expect(found!.teacherKd / found!.embedKd).toBeCloseTo(found!.ratio.value, 9)
    }
    const { difference, embedKd, teacherKd } = accuracy.found!
    expect(embedKd - teacherKd).toBeCloseTo(difference!.value, 12)
  })

  test('divide peak by peak and resident by resident', () => {
    const found = answersIn(records).answers.memory.found!
    expect(found.measure).toBe(hostPeakBytes)
    expect(found.beside.map(({ measure }) => measure.id)).toEqual([
      'plannedPeakBytes',
      'hostResidentBytes',
      'plannedResidentBytes',
    ])
    expect(found.beside[2]!.ratio.interval).toBeUndefined()
  })

  test('compare epochs that ran only with epochs that ran', () => {
    const [comparison] = comparisonsIn(syntheticRecords({ teachers: ['vit-mini'], batches: [16] }))
    const { teacherKd, embedKd } = comparison!
    expect(epochMeasure(teacherKd, embedKd)).toBe(extrapolatedEpochSeconds)
    const ran = { ...embedKd, runs: embedKd.runs.map(withRuns) }
    expect(epochMeasure(teacherKd, ran)).toBe(extrapolatedEpochSeconds)
    expect(epochMeasure({ ...teacherKd, runs: teacherKd.runs.map(withRuns) }, ran)).toBe(
      epochSeconds,
    )
  })

  test('about accuracy carry the sampling of the test images beside the seeds', () => {
    const few = records.map((record) => ({
      ...record,
      trial: { ...record.trial, dataset: { ...record.trial.dataset, testSize: 100 } },
    }))
    const width = (records: readonly BenchRecord[]) => {
      const { interval, over } = answersIn(records).answers.accuracy.found!.difference!
      expect(over).toBe('runs and images')
      return interval![1] - interval![0]
    }
    // 97 % of 100 images: 1.96 x sqrt(2 x 0.97 x 0.03 / 100) is 4.7 points on either side.
    expect(width(few)).toBeGreaterThan(0.09)
    expect(width(few)).toBeGreaterThan(width(records))
  })

  test('about accuracy never come from a cost-only teacher', () => {
    const costOnly = syntheticRecords({ teachers: ['vit-base-16'] })
    const { found, support } = answersIn(costOnly).answers.accuracy
    expect(found).toBeUndefined()
    expect(support.verdict).toBe('inconclusive')
    expect(support.reasons[0]).toMatch(/^Cost only/)
    expect(verdictOf(answersIn(costOnly))).toMatch(
      /^These records cannot answer the question\. Cost only/,
    )
  })

  test('are not supported by one seed in accuracy, and have reservations in time', () => {
    const { accuracy, time, memory } = answersIn(
      syntheticRecords({ seeds: 1, teachers: ['vit-mini'] }),
    ).answers
    expect(accuracy.support.verdict).toBe('inconclusive')
    expect(accuracy.support.reasons[0]).toMatch(/^One seed: chance alone/)
    expect(accuracy.found!.difference!.over).toBe('images')
    expect(time.found!.ratio.over).toBe('steps')
    expect(time.support.verdict).toBe('supported')
    expect(memory.found!.ratio.interval).toBeUndefined()
  })

  test('say when the machine was noisy, the benchmark warned, or few steps were timed', () => {
    const noisy = syntheticRecords({ samples: 5 }).map((record) => ({
      ...record,
      ...(record.roofline === undefined ? {} : { roofline: { ...record.roofline, noisy: true } }),
      warnings: ['another process used the GPU'],
    }))
    const { verdict, reasons } = answersIn(noisy).answers.time.support
    expect(verdict).toBe('supported')
    expect(reasons).toEqual([
      'Few timed steps: 5 of Embed-KD and 5 of Teacher-KD in a run.',
      'The benchmark warned in 6 runs of 6, for example: another process used the GPU.',
      'Noisy machine: its speed drifted by over 10 % in 6 runs of 6.',
    ])
  })

  test('say of peaks that their plan does not explain them, and in which direction', () => {
    const marked = records.map(({ memory, ...record }, at) => ({
      ...record,
      ...(memory && { memory: { ...memory, unexplainedBytes: at % 2 === 0 ? 5e6 : -5e6 } }),
    }))
    const { reasons } = answersIn(marked).answers.memory.support
    expect(reasons.join('\n')).toMatch(
      /^Far above the plan .*: the peak of 2 runs of 6\.$[^]*^Far below the plan .*: the peak of 4 runs of 6\.$/m,
    )
  })

  test('use device memory if both methods have it', () => {
    const onDevice = records.map((record) =>
      record.memory === undefined
        ? record
        : { ...record, memory: { ...record.memory, devicePeakBytes: record.memory.peakRssBytes } },
    )
    expect(answersIn(onDevice).answers.memory.found!.measure.id).toBe('devicePeakBytes')
  })

  test('about break-even divide the one-time cost by what an epoch saves', () => {
    const [comparison] = comparisonsIn(syntheticRecords({ teachers: ['vit-base-16'], seeds: 1 }))
    const [live] = comparison!.teacherKd.runs
    const [embed] = comparison!.embedKd.runs
    const saved = live!.time!.epochSeconds! - embed!.time!.epochSeconds!
    const { epochs, steps, stepsPerEpoch } = breakEven(comparison!)!
    expect(epochs).toBeCloseTo(embed!.embeddings!.seconds / saved)
    expect(steps).toBe(Math.ceil(epochs! * stepsPerEpoch))
  })
})

describe('a missing answer', () => {
  const why = (shown: readonly BenchRecord[], all = shown) =>
    answersIn(shown, all).answers.memory.support.reasons[0]
  const alone = records.filter(({ trial }) => trial.method === 'embed-kd')

  test('is told apart: never run, filtered out, not matched, failed, not measured', () => {
    expect(why(alone)).toBe('Teacher-KD was never run in these records.')
    expect(why(alone, records)).toBe('The filters leave out every Teacher-KD trial.')
    const elsewhere = records.map((record) =>
      record.trial.method === 'embed-kd'
        ? { ...record, environment: { ...record.environment, cpuModel: 'another' } }
        : record,
    )
    expect(why(elsewhere)).toMatch(/^No setting was run by both .* they differ in some axis/)
    const oom = syntheticRecords({ teachers: ['vit-base-16'], memoryLimitBytes: 4e8 })
    expect(why(oom)).toMatch(/Teacher-KD out of memory in 2/)
    const bare = records.map(({ memory: _memory, ...record }) => record)
    expect(why(bare)).toBe(
      'In this setting, no seed has a measured peak of memory under both methods.',
    )
  })

  test('is the strongest case if memory sufficed for Embed-KD alone', () => {
    const oom = syntheticRecords({ teachers: ['vit-base-16'], memoryLimitBytes: 4e8 })
    const found = answersIn(oom)
    expect(exhaustionOf(comparisonsIn(oom))).toMatchObject({ exhausted: 2, settings: 2 })
    expect(verdictOf(found)).toMatch(
      /^Teacher-KD ran out of memory in 2 of 2 settings; there Embed-KD peaked at no more than \d+ MB\.$/,
    )
    expect(exhaustionOf(comparisonsIn(records))).toBeUndefined()
    expect(exhaustionSentence({ exhausted: 1, settings: 6, embedPeakBytes: 99e6 })).toBe(
      'Teacher-KD ran out of memory in 1 of 6 settings; there Embed-KD peaked at 99.0 MB.',
    )
  })

  test('counts what did not finish by reason, whatever the numbers in it', () => {
    const oom = syntheticRecords({ memoryLimitBytes: 4e8 }).map((record, at) =>
      record.status === 'oom' ? { ...record, reason: `over 400 MB after ${at} steps` } : record,
    )
    const failures = failuresOf(configurationsOf(oom))
    expect(failures).toHaveLength(1)
    expect(failures[0]!.trials).toBe(oom.filter(({ status }) => status === 'oom').length)
    expect(failures[0]!.methods.map(([method]) => method)).toEqual(
      expect.arrayContaining(['teacher-kd', 'logit-kd']),
    )
  })
})

test('recommendations name the largest batch that fits with each method', () => {
  const sweep = syntheticRecords({
    teachers: ['vit-base-16'],
    batches: [16, 64, 256],
    memoryLimitBytes: 1.2e9,
  })
  const [first, ...others] = recommendationsOf(configurationsOf(sweep))
  expect(others).toEqual([])
  expect(first).toMatchObject({ embedBatch: 256, teacherBatch: 64, common: { batch: 64 } })
  expect(first!.common!.memory!.value).toBeGreaterThan(1)
})

describe('measures', () => {
  test('take nothing from runs that did not finish, and are absent if nothing was measured', () => {
    const [record] = records
    const bare = { ...record!, time: undefined, memory: undefined, cost: undefined }
    const [failed] = configurationsOf([{ ...record!, status: 'oom', reason: 'killed' }])
    const [empty] = configurationsOf([
      { ...bare, roofline: undefined, accuracy: undefined } as unknown as BenchRecord,
    ])
    for (const measure of MEASURES) {
      expect(summaryOf(failed!, measure)).toBeUndefined()
      expect(summaryOf(empty!, measure)).toBeUndefined()
    }
  })

  test('subtract the baseline from host memory', () => {
    const [record] = records
    expect(hostPeakBytes.of(record!)).toBe(
      record!.memory!.peakRssBytes - record!.memory!.baselineRssBytes,
    )
  })
})
