// What can be read off a record, each under one name with its unit and direction, and how configurations compare in
// it. Resident and peak, planned and measured, host and device are separate measures and are never mixed.
import type { BenchRecord } from '@embed-kd/records'
import type { Configuration } from './corpus.js'
import { formatBytes, formatFlops, formatPercent, formatRate, formatSeconds } from './format.js'
import {
  type Interval,
  type Pair,
  pairedRatio,
  type Ratio,
  summarize,
  type Summary,
} from './statistics.js'

export interface Measure {
  readonly id: string
  /** Whole name with what it is measured over. */
  readonly label: string
  /** Column heading. */
  readonly short: string
  /** Unit of the bare number, for CSV headings and axes. */
  readonly unit: string
  readonly better: 'lower' | 'higher'
  /** Read off the graph: the same in every run, so that an interval would mean nothing. */
  readonly exact?: true
  readonly of: (record: BenchRecord) => number | undefined
  /** 95 % interval over the steps of one run. */
  readonly within?: (record: BenchRecord) => Interval | undefined
  readonly format: (value: number) => string
}

export const stepSeconds: Measure = {
  id: 'stepSeconds',
  label: 'time of a training step (median of a run)',
  short: 'Step',
  unit: 's',
  better: 'lower',
  of: ({ time }) => time?.medianSeconds,
  within: ({ time }) => time?.interval95Seconds,
  format: formatSeconds,
}

export const imagesPerSecond: Measure = {
  id: 'imagesPerSecond',
  label: 'training throughput',
  short: 'Images/s',
  unit: 'images/s',
  better: 'higher',
  of: ({ time }) => time?.imagesPerSecond,
  within: ({ time, trial }) => {
    if (time === undefined || time.interval95Seconds[0] <= 0) return undefined
    return [trial.batch / time.interval95Seconds[1], trial.batch / time.interval95Seconds[0]]
  },
  format: formatRate,
}

export const epochSeconds: Measure = {
  id: 'epochSeconds',
  label: 'time of an epoch',
  short: 'Epoch',
  unit: 's',
  better: 'lower',
  of: ({ time, trial }) => {
    if (time === undefined) return undefined
    return (
      time.epochSeconds ?? Math.ceil(trial.dataset.trainSize / trial.batch) * time.medianSeconds
    )
  },
  format: formatSeconds,
}

export const hostPeakBytes: Measure = {
  id: 'hostPeakBytes',
  label: 'measured peak of host memory, over the baseline',
  short: 'Peak, host',
  unit: 'bytes',
  better: 'lower',
  of: ({ memory }) => memory && positive(memory.peakRssBytes - memory.baselineRssBytes),
  format: formatBytes,
}

export const hostResidentBytes: Measure = {
  id: 'hostResidentBytes',
  label: 'measured resident host memory, over the baseline',
  short: 'Resident, host',
  unit: 'bytes',
  better: 'lower',
  of: ({ memory }) =>
    memory?.residentRssBytes === undefined
      ? undefined
      : positive(memory.residentRssBytes - memory.baselineRssBytes),
  format: formatBytes,
}

export const devicePeakBytes: Measure = {
  id: 'devicePeakBytes',
  label: 'measured peak of device memory',
  short: 'Peak, device',
  unit: 'bytes',
  better: 'lower',
  of: ({ memory }) => memory?.devicePeakBytes,
  format: formatBytes,
}

export const deviceResidentBytes: Measure = {
  id: 'deviceResidentBytes',
  label: 'measured resident device memory',
  short: 'Resident, device',
  unit: 'bytes',
  better: 'lower',
  of: ({ memory }) => memory?.deviceResidentBytes,
  format: formatBytes,
}

export const plannedPeakBytes: Measure = {
  id: 'plannedPeakBytes',
  label: 'planned peak memory, from the graph',
  short: 'Peak, planned',
  unit: 'bytes',
  better: 'lower',
  exact: true,
  of: ({ cost }) => cost?.planned?.peakBytes,
  format: formatBytes,
}

export const plannedResidentBytes: Measure = {
  id: 'plannedResidentBytes',
  label: 'planned resident memory, from the graph',
  short: 'Resident, planned',
  unit: 'bytes',
  better: 'lower',
  exact: true,
  of: ({ cost }) => cost?.planned?.residentBytes,
  format: formatBytes,
}

export const stepFlops: Measure = {
  id: 'stepFlops',
  label: 'floating-point operations of a step, from the graph',
  short: 'FLOPs',
  unit: 'FLOP',
  better: 'lower',
  exact: true,
  of: ({ cost }) => cost?.stepFlops,
  format: formatFlops,
}

export const rooflineShare: Measure = {
  id: 'rooflineShare',
  label: "share of the same process's matrix-product rate",
  short: 'Roofline',
  unit: 'share',
  better: 'higher',
  of: ({ roofline }) => roofline?.share,
  format: formatPercent,
}

export const accuracy: Measure = {
  id: 'accuracy',
  label: 'test accuracy',
  short: 'Accuracy',
  unit: 'share',
  better: 'higher',
  of: ({ accuracy, costOnly }) => (costOnly ? undefined : accuracy),
  format: formatPercent,
}

/** In the order of the table's columns. */
export const MEASURES: readonly Measure[] = [
  stepSeconds,
  imagesPerSecond,
  epochSeconds,
  hostPeakBytes,
  devicePeakBytes,
  plannedPeakBytes,
  hostResidentBytes,
  deviceResidentBytes,
  plannedResidentBytes,
  accuracy,
  stepFlops,
  rooflineShare,
]

function positive(value: number): number | undefined {
  return value > 0 ? value : undefined
}

const summaries = new WeakMap<Configuration, Map<Measure, Summary | undefined>>()

/** Mean of the measure over the configuration's runs that finished, with its interval. */
export function summaryOf(configuration: Configuration, measure: Measure): Summary | undefined {
  let known = summaries.get(configuration)
  if (known === undefined) summaries.set(configuration, (known = new Map()))
  if (known.has(measure)) return known.get(measure)
  const values = finished(configuration)
    .map((record) => measure.of(record))
    .filter((value) => value !== undefined)
  const summary = withoutMeaninglessInterval(summarize(values), measure)
  known.set(measure, summary)
  return summary
}

/** Interval of the mean over runs, or for a single run over its steps. */
export function intervalOf(configuration: Configuration, measure: Measure): Interval | undefined {
  const summary = summaryOf(configuration, measure)
  if (summary === undefined || summary.n > 1) return summary?.interval
  return measure.within?.(finished(configuration)[0]!)
}

const ratios = new WeakMap<Configuration, WeakMap<Configuration, Map<Measure, Ratio | undefined>>>()

/** Ratio of two configurations in a measure, over the runs whose seeds both have; runs of one seed count together. */
export function ratioOf(
  numerator: Configuration,
  denominator: Configuration,
  measure: Measure,
): Ratio | undefined {
  let against = ratios.get(numerator)
  if (against === undefined) ratios.set(numerator, (against = new WeakMap()))
  let known = against.get(denominator)
  if (known === undefined) against.set(denominator, (known = new Map()))
  if (!known.has(measure)) known.set(measure, computeRatio(numerator, denominator, measure))
  return known.get(measure)
}

function computeRatio(
  numerator: Configuration,
  denominator: Configuration,
  measure: Measure,
): Ratio | undefined {
  const under = bySeed(denominator, measure)
  const pairs: Pair[] = []
  for (const [seed, top] of bySeed(numerator, measure)) {
    const bottom = under.get(seed)
    if (bottom === undefined) continue
    pairs.push({
      numerator: top.value,
      denominator: bottom.value,
      numeratorInterval: top.interval,
      denominatorInterval: bottom.interval,
    })
  }
  return withoutMeaninglessInterval(pairedRatio(pairs), measure)
}

interface Seed {
  /** Mean over the runs of the seed. */
  value: number
  /** Over the steps of a run; unknown where there are several. */
  interval: Interval | undefined
  n: number
}

function bySeed(configuration: Configuration, measure: Measure): Map<number, Seed> {
  const seeds = new Map<number, Seed>()
  for (const record of finished(configuration)) {
    const value = measure.of(record)
    if (value === undefined) continue
    const seed = seeds.get(record.trial.seed)
    if (seed === undefined) {
      seeds.set(record.trial.seed, { value, interval: measure.within?.(record), n: 1 })
    } else {
      seed.n += 1
      seed.value += (value - seed.value) / seed.n
      seed.interval = undefined
    }
  }
  return seeds
}

export function finished({ runs }: Configuration): BenchRecord[] {
  return runs.filter(({ status }) => status === 'ok')
}

function withoutMeaninglessInterval<T extends Summary | Ratio>(
  value: T | undefined,
  measure: Measure,
): T | undefined {
  if (value === undefined || measure.exact === undefined) return value
  const { interval: _interval, ...rest } = value
  return rest as T
}
