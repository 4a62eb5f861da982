import type { BenchRecord } from '@embed-kd/records'
import { describe, expect, it } from 'vitest'

import { captureEnvironment } from '../src/measure/environment.js'
import { expandGrids, parseGrids } from '../src/sweep/grid.js'
import { makeRecord } from '../src/sweep/make-record.js'
import { planTrials } from '../src/sweep/plan.js'
import { summaryTables } from '../src/sweep/summary.js'
import { temporaryDirectory } from '../../distill/test/temporary.js'
import { tinyGrid, writeTinyDataset } from '../../distill/test/tiny.js'

const environment = await captureEnvironment()
const method = ['teacher-kd', 'embed-kd', 'supervised']
const grid = tinyGrid(writeTinyDataset(temporaryDirectory()), { method, epochs: 1, seeds: 3 })
const trials = await planTrials(expandGrids(parseGrids({ grids: [grid] }, 'test')))

/** What each trial gave, by method, one figure a seed. */
const accuracies: Readonly<Record<string, number[]>> = {
  'teacher-kd': [0.9, 0.92, 0.94],
  'embed-kd': [0.918, 0.9384, 0.9588],
  supervised: [0.5, 0.5, 0.5],
}

const records = trials.map((trial): BenchRecord => {
  const { seed } = trial.config
  const medianSeconds = (trial.config.method === 'teacher-kd' ? 0.2 : 0.05) * (1 + seed)
  const interval95Seconds: [number, number] = [medianSeconds, medianSeconds]
  const output = {
    versions: {},
    accuracy: accuracies[trial.config.method]![seed]!,
    time: {
      warmupSteps: 0,
      stepSeconds: [medianSeconds],
      medianSeconds,
      p95Seconds: medianSeconds,
      interval95Seconds,
      imagesPerSecond: 16 / medianSeconds,
    },
    memory: { baselineRssBytes: 2 ** 20, peakRssBytes: 3 * 2 ** 20 },
  }
  const observed = { othersOnDevice: [] }
  const circumstances = { startedAt: new Date(0), wallSeconds: 1, environment }
  return makeRecord(trial, { status: 'ok', output, observed } as never, circumstances)
})

const lineOf = (tables: string, beginning: string, nth = 0): string =>
  tables.split('\n').filter((line) => line.startsWith(beginning))[nth]!

describe('the summary of a sweep', () => {
  it('gives means over runs with 95 % intervals, sampling of the test images included', () => {
    // Seeds: standard deviation 0.02 of three, 4.303 x 0.02 / sqrt(3) = 0.0497. The few test images add their own.
    const line = lineOf(summaryTables(records), 'teacher-kd')
    expect(line).toMatch(/ 3 +92\.0 % ± \d+\.\d % +400 ms ± 497 ms +2\.10 MB ± 0 B /)
    const [, half] = /92\.0 % ± (\d+\.\d) %/.exec(line)!
    expect(Number(half)).toBeGreaterThan(5)
  })

  it('compares methods in pairs of equal seeds, accuracy in points', () => {
    // The same ratio at each seed, whatever the seeds differ among each other.
    const tables = summaryTables(records)
    expect(tables).toContain('against teacher-kd, equal seeds')
    const line = lineOf(tables, 'embed-kd', 1)
    expect(line).toMatch(
      / \+1\.84 points \(−\d+\.\d\d to \+\d+\.\d\d points\) +0\.25× \(0\.25–0\.25×\) +1\.000× /,
    )
    // A student without a teacher has no partner.
    expect(lineOf(tables, 'supervised', 1)).toBeUndefined()
  })

  it('says what did not finish and leaves it out of the means', () => {
    const lost = records.map((record) => ({ ...record, status: 'oom' as const, reason: 'a test' }))
    expect(summaryTables(lost)).toBe('did not finish: 9 of 9 trials\n  9 out of memory: a test')
    const [first, ...others] = records
    const one = summaryTables([{ ...first!, status: 'oom', reason: 'a test' }, ...others])
    expect(lineOf(one, 'teacher-kd')).toMatch(/ 2 +93\.0 %/)
  })

  it('says that memory sufficed for one method alone', () => {
    const lost = records.map((record) =>
      record.trial.method === 'teacher-kd'
        ? { ...record, status: 'oom' as const, reason: 'a test' }
        : record,
    )
    expect(summaryTables(lost)).toContain(
      'Teacher-KD ran out of memory in 1 of 1 setting; there Embed-KD peaked at 2.10 MB.',
    )
  })
})
