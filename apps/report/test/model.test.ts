// From records to answers: grouping, filters, the state in the address, what is claimed and what is refused.
import type { BenchRecord } from '@embed-kd/records'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answer, breakEven } from '@embed-kd/records'
import { changesBetween } from '@embed-kd/records'
import { comparisonsOf, configurationsOf, scopeName, scopeNamer } from '@embed-kd/records'
import { DIMENSIONS, passing, valuesOf } from '../src/model/filters.js'
import { MEASURES, hostPeakBytes, stepSeconds, summaryOf } from '@embed-kd/records'
import { formatState, parseState } from '../src/model/state.js'
import { bestCoveredBatch, viewOf } from '../src/model/view.js'
import { syntheticRecords } from './synthetic.js'

const records = syntheticRecords()

const comparisonsIn = (records: readonly BenchRecord[]) => comparisonsOf(configurationsOf(records))

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

  test('are told apart by machine, and then not compared', () => {
    const elsewhere = records.map((record) =>
      record.trial.method === 'embed-kd'
        ? { ...record, environment: { ...record.environment, cpuModel: 'another' } }
        : record,
    )
    expect(comparisonsIn(records)).toHaveLength(12)
    expect(comparisonsIn(elsewhere)).toHaveLength(0)
  })
})

describe('precision', () => {
  const half = records.map((record) => ({
    ...record,
    trial: { ...record.trial, precision: 'mixed-float16' as const },
  }))

  test('tells configurations apart that are equal but for it, and is named then', () => {
    const both = configurationsOf([...records, ...half])
    expect(both).toHaveLength(2 * configurationsOf(records).length)
    expect(comparisonsOf(both)).toHaveLength(2 * comparisonsIn(records).length)
    for (const { teacherKd, embedKd } of comparisonsOf(both))
      expect(teacherKd.trial.precision).toBe(embedKd.trial.precision)
    const scopes = new Set(both.map(({ scope }) => scope))
    expect([...scopes].map(scopeNamer(scopes))).toEqual(['float32', 'mixed-float16'])
    expect([...scopes].map(scopeName)).toEqual([
      'ort:cpu · mnist · corrected · student small 28 px',
      'ort:cpu in mixed-float16 · mnist · corrected · student small 28 px',
    ])
    expect(viewOf(both, { precision: ['mixed-float16'] }).records).toHaveLength(half.length)
  })
})

describe('answers', () => {
  test('come from the largest teacher, with the paired ratio of its runs', () => {
    const comparisons = comparisonsIn(records)
    const { found, support } = answer('time', comparisons)
    expect(found!.comparison.embedKd.trial).toMatchObject({
      teacher: { name: 'vit-large-16' },
      batch: 64,
    })
    const { teacherKd, embedKd } = found!.comparison
    const logs = teacherKd.runs.map((run, at) =>
      Math.log(run.time!.medianSeconds / embedKd.runs[at]!.time!.medianSeconds),
    )
    expect(found!.ratio.n).toBe(3)
    expect(Math.log(found!.ratio.value)).toBeCloseTo(logs.reduce((a, b) => a + b) / 3, 9)
    expect(found!.beside[0]!.measure.id).toBe('stepFlops')
    expect(support).toEqual({ level: 'supported', reasons: [] })
  })

  test('divide peak by peak and resident by resident', () => {
    const { found } = answer('memory', comparisonsIn(records))
    expect(found!.measure).toBe(hostPeakBytes)
    expect(found!.beside.map(({ measure }) => measure.id)).toEqual([
      'plannedPeakBytes',
      'hostResidentBytes',
      'plannedResidentBytes',
    ])
    const { teacherKd, embedKd } = found!.comparison
    const planned = teacherKd.runs[0]!.cost!.planned!
    expect(found!.beside[2]!.ratio.value).toBeCloseTo(
      planned.residentBytes / embedKd.runs[0]!.cost!.planned!.residentBytes,
    )
    expect(found!.beside[2]!.ratio.interval).toBeUndefined()
  })

  test('about accuracy never come from a cost-only teacher', () => {
    expect(answer('accuracy', comparisonsIn(records)).found!.comparison.embedKd.runs).toSatisfy(
      (runs: BenchRecord[]) => runs.every(({ costOnly }) => !costOnly),
    )
    const costOnly = syntheticRecords({ teachers: ['vit-base-16'] })
    const { found, support } = answer('accuracy', comparisonsIn(costOnly))
    expect(found).toBeUndefined()
    expect(support.level).toBe('unsupported')
    expect(support.reasons[0]).toMatch(/^Cost only/)
  })

  test('are not supported by one seed in accuracy, and have reservations in time', () => {
    const comparisons = comparisonsIn(syntheticRecords({ seeds: 1, teachers: ['vit-mini'] }))
    expect(answer('accuracy', comparisons).support).toEqual({
      level: 'unsupported',
      reasons: ['One seed: chance alone can make this difference.'],
    })
    const time = answer('time', comparisons)
    expect(time.found!.ratio.over).toBe('steps')
    expect(time.support.level).toBe('limited')
    expect(answer('memory', comparisons).found!.ratio.interval).toBeUndefined()
  })

  test('say when the machine was noisy or the benchmark warned', () => {
    const noisy = records.map((record) => ({
      ...record,
      ...(record.roofline === undefined ? {} : { roofline: { ...record.roofline, noisy: true } }),
      warnings: ['another process used the GPU'],
    }))
    const { level, reasons } = answer('time', comparisonsIn(noisy)).support
    expect(level).toBe('limited')
    expect(reasons.join(' ')).toMatch(/another process used the GPU.*Noisy machine: in 6 runs of 6/)
  })

  test('say what stood in the way where there are none', () => {
    const alone = records.filter(({ trial }) => trial.method === 'embed-kd')
    expect(answer('time', comparisonsIn(alone)).support.reasons[0]).toMatch(
      /No setting was run by both/,
    )
    const oom = syntheticRecords({ teachers: ['vit-base-16'], memoryLimitBytes: 4e8 })
    expect(answer('memory', comparisonsIn(oom)).support.reasons[0]).toMatch(/2 out of memory/)
  })

  test('use device memory where both methods have it', () => {
    const onDevice = records.map((record) =>
      record.memory === undefined
        ? record
        : { ...record, memory: { ...record.memory, devicePeakBytes: record.memory.peakRssBytes } },
    )
    expect(answer('memory', comparisonsIn(onDevice)).found!.measure.id).toBe('devicePeakBytes')
  })

  test('about break-even divide the one-time cost by what an epoch saves', () => {
    const [comparison] = comparisonsIn(syntheticRecords({ teachers: ['vit-base-16'], seeds: 1 }))
    const [live] = comparison!.teacherKd.runs
    const [embed] = comparison!.embedKd.runs
    const won = live!.time!.epochSeconds! - embed!.time!.epochSeconds!
    expect(breakEven(comparison!)!.epochs).toBeCloseTo(embed!.embeddings!.seconds / won)
  })
})

describe('measures', () => {
  test('take nothing from runs that did not finish, and are absent where nothing was measured', () => {
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

describe('filters', () => {
  test('keep what matches every dimension; runs without a teacher stay under a teacher', () => {
    const kept = records.filter(passing({ teacher: ['vit-mini'], batch: ['64'] }))
    expect(kept).not.toHaveLength(0)
    for (const { trial } of kept) {
      expect(trial.batch).toBe(64)
      expect(['vit-mini', undefined]).toContain(trial.teacher?.name)
    }
    expect(records.filter(passing({ method: [] }))).toHaveLength(records.length)
    expect(records.filter(passing({ method: ['none such'] }))).toHaveLength(0)
  })

  test('offer numbers in their order', () => {
    const batch = DIMENSIONS.find(({ id }) => id === 'batch')!
    const sweep = syntheticRecords({ batches: [128, 16, 8], seeds: 1 })
    expect(valuesOf(sweep, batch).map(([value]) => value)).toEqual(['8', '16', '128'])
  })

  test('decide which scope and batch the figures show', () => {
    const sweep = syntheticRecords({
      datasets: ['mnist', 'fashion'],
      memoryLimitBytes: 1.2e9,
      batches: [16, 512],
    })
    const view = viewOf(configurationsOf(sweep), { dataset: ['fashion'] })
    expect(view.scope!.dataset).toBe('fashion')
    expect(view.scopeCount).toBe(1)
    expect(bestCoveredBatch(view.inScope)).toBe(16)
  })
})

test('the state of the page survives the address, whatever it holds', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme' })
  const values = fc.array(text, { minLength: 1, maxLength: 3 })
  const state = fc.record(
    {
      filters: fc.record(
        { method: values, teacher: values, machine: values },
        { requiredKeys: [] },
      ),
      descending: fc.boolean(),
      sort: text,
      baseline: text,
      trial: text,
    },
    { requiredKeys: ['filters', 'descending'] },
  )
  fc.assert(
    fc.property(state, (state) => {
      // Through the browser's own parser, as a fragment.
      const url = new URL('file:///report.html')
      url.hash = formatState(state)
      expect(parseState(url.hash)).toEqual(state)
    }),
  )
  expect(parseState('#nonsense&sort=')).toEqual({ filters: {}, descending: false })
})

describe('changes', () => {
  test('put regressions first, worst first, and count what stayed the same', () => {
    const { worse, better, unchanged } = changesBetween(records, records)
    expect({ worse, better, unchanged }).toEqual({ worse: [], better: [], unchanged: 38 })
    const slower = syntheticRecords({ slowdown: 1.2 })
    const found = changesBetween(records, slower)
    expect(found.better).toEqual([])
    expect(found.worse).toHaveLength(38)
    expect(found.worse.every(({ figure }) => figure!.measure === stepSeconds)).toBe(true)
    const sizes = found.worse.map(({ figure }) => figure!.ratio.value)
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a))
    expect(changesBetween(slower, records).better).toHaveLength(38)
  })

  test('count a configuration that no longer finishes as the worst', () => {
    const limited = syntheticRecords({ memoryLimitBytes: 1.2e9, slowdown: 1.2 })
    const [first] = changesBetween(records, limited).worse
    expect(first).toMatchObject({ verdict: 'worse' })
    expect(first!.figure).toBeUndefined()
  })

  test('name what only one side has, and take another machine for another configuration', () => {
    const part = records.filter(({ trial }) => trial.batch === 16)
    expect(changesBetween(records, part).onlyBefore).toHaveLength(19)
    expect(changesBetween(part, records).onlyAfter).toHaveLength(19)
  })

  test('do not take a small difference between single runs for a change', () => {
    const once = syntheticRecords({ seeds: 1 })
    const heavier = once.map((record) => ({
      ...record,
      memory: { ...record.memory!, peakRssBytes: Math.round(record.memory!.peakRssBytes * 1.01) },
    }))
    expect(changesBetween(once, heavier).worse).toEqual([])
  })
})
