// The statistics of the report: means over runs, ratios of paired runs and differences of accuracies, each with a 95 %
// interval. Statistics of the steps inside one run come with the record and are not recomputed here.

import type { SeedTest } from './paired-images.js'
import { normalTail, quadratureP, quantileOf, studentTail } from './significance.js'

export type Interval = readonly [low: number, high: number]

/**
 * What varies inside an interval: the runs, the steps of a single run, the images of the test split, or the runs and
 * the images together. Only an interval over runs says how the next run may differ.
 */
export type Over = 'runs' | 'steps' | 'images' | 'runs and images'

export interface Summary {
  readonly mean: number
  /** Number of runs. */
  readonly n: number
  /** Interval of the mean; absent for a single run whose measure has no sampling error. */
  readonly interval?: Interval
  readonly over?: Over
}

export interface Ratio {
  /** Geometric mean of the paired runs' ratios: that of the numerators over that of the denominators. */
  readonly value: number
  /** Geometric mean of the paired runs. */
  readonly numerator: number
  readonly denominator: number
  /** Number of paired runs. */
  readonly n: number
  readonly over?: Over
  readonly interval?: Interval
}

/** A difference of two shares, such as accuracies: 0.01 is one percentage point. */
export interface Difference {
  /** Mean of the paired runs' differences: that of the minuends less that of the subtrahends. */
  readonly value: number
  /** Mean of the paired runs. */
  readonly minuend: number
  readonly subtrahend: number
  /** Number of paired runs. */
  readonly n: number
  readonly over?: Over
  readonly interval?: Interval
  /** Standard error that the spread of the runs gives to the mean; 0 for a single run. */
  readonly runError: number
  /** Standard error that the sample of test images gives to the mean; 0 if it is unknown. */
  readonly imageError: number
  /** McNemar's test of each seed; absent if a record does not say which images were right. */
  readonly seeds?: readonly SeedTest[]
}

/** One run on each side of a ratio, with the 95 % intervals over the steps inside each run if they are known. */
export interface Pair {
  readonly numerator: number
  readonly denominator: number
  readonly numeratorInterval?: Interval | undefined
  readonly denominatorInterval?: Interval | undefined
}

/**
 * Returns the mean over runs with Student's t interval. A standard error that no number of runs reduces, such as the
 * sampling error of a fixed test split, widens the interval in quadrature.
 */
export function summarize(values: readonly number[], standardError = 0): Summary | undefined {
  const n = values.length
  if (n === 0) return undefined
  const mean = meanOf(values)
  return { mean, n, ...intervalAround(values, mean, standardError) }
}

/**
 * Returns the mean difference of paired shares with its interval over runs.
 * @param imageError standard error that the sample of test images gives to the mean; it widens the interval in quadrature.
 */
export function pairedDifference(
  pairs: readonly Pick<Pair, 'numerator' | 'denominator'>[],
  imageError = 0,
): Difference | undefined {
  const n = pairs.length
  if (n === 0) return undefined
  const differences = pairs.map(({ numerator, denominator }) => numerator - denominator)
  const minuend = meanOf(pairs.map(({ numerator }) => numerator))
  const subtrahend = meanOf(pairs.map(({ denominator }) => denominator))
  const value = minuend - subtrahend
  const runError = n > 1 ? errorOfMean(differences, value) : 0
  const around = intervalAround(differences, value, imageError)
  return { value, minuend, subtrahend, n, runError, imageError, ...around }
}

/**
 * Returns the two-sided p-value of no difference: McNemar's for a single seed whose images are known, else the level at
 * which the interval just reaches 0. Undefined if the difference has no interval.
 */
export function pValueOf(difference: Difference): number | undefined {
  const { value, n, runError, imageError, interval, seeds } = difference
  if (n === 1 && seeds !== undefined) return seeds[0]!.p
  if (interval === undefined) return undefined
  return quadratureP(value, { error: runError, degrees: n - 1 }, imageError)
}

/**
 * Returns the standard error of a share that was counted on so many images. Two images are added to each side
 * (Agresti and Coull), so that 100 % of few images is not taken for certainty.
 */
export function binomialError(share: number, images: number): number {
  const adjusted = (share * images + 2) / (images + 4)
  return Math.sqrt((adjusted * (1 - adjusted)) / (images + 4))
}

function intervalAround(
  values: readonly number[],
  mean: number,
  standardError: number,
): { interval: Interval; over: Over } | undefined {
  const sampling = Z_975 * standardError
  if (values.length > 1) {
    const half = Math.hypot(halfWidth(values, mean), sampling)
    return {
      interval: [mean - half, mean + half],
      over: sampling > 0 ? 'runs and images' : 'runs',
    }
  }
  return sampling > 0 ? { interval: [mean - sampling, mean + sampling], over: 'images' } : undefined
}

/**
 * Ratio of paired runs. With two pairs or more the interval is Student's t on the logarithms: a percentile bootstrap
 * of the three to five seeds that people run is far too narrow (three pairs: it covers 75 %, not 95 %). A single
 * pair has an interval only if its steps gave one for both sides; these combine on the log scale (MOVER, Donner and
 * Zou 2012) and say nothing about how the next run may differ.
 */
export function pairedRatio(pairs: readonly Pair[]): Ratio | undefined {
  const usable = pairs.filter(({ numerator, denominator }) => numerator > 0 && denominator > 0)
  const n = usable.length
  if (n === 0) return undefined
  const logs = usable.map(({ numerator, denominator }) => Math.log(numerator / denominator))
  const center = meanOf(logs)
  const ratio = {
    value: Math.exp(center),
    numerator: geometricMean(usable.map(({ numerator }) => numerator)),
    denominator: geometricMean(usable.map(({ denominator }) => denominator)),
    n,
  }
  if (n > 1) {
    const half = halfWidth(logs, center)
    return { ...ratio, over: 'runs', interval: [Math.exp(center - half), Math.exp(center + half)] }
  }
  const interval = singlePairInterval(usable[0]!, center)
  return interval === undefined ? ratio : { ...ratio, over: 'steps', interval }
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function geometricMean(values: readonly number[]): number {
  return values.length === 1 ? values[0]! : Math.exp(meanOf(values.map(Math.log)))
}

function singlePairInterval(pair: Pair, center: number): Interval | undefined {
  const { numerator, denominator, numeratorInterval, denominatorInterval } = pair
  if (numeratorInterval === undefined || denominatorInterval === undefined) return undefined
  if (numeratorInterval[0] <= 0 || denominatorInterval[0] <= 0) return undefined
  const distance = (value: number, bound: number) => Math.abs(Math.log(bound / value))
  const down = Math.hypot(
    distance(numerator, numeratorInterval[0]),
    distance(denominator, denominatorInterval[1]),
  )
  const up = Math.hypot(
    distance(numerator, numeratorInterval[1]),
    distance(denominator, denominatorInterval[0]),
  )
  return [Math.exp(center - down), Math.exp(center + up)]
}

/** Whether the 95 % interval of a ratio leaves 1 out. */
export function excludesOne({ interval }: Ratio): boolean {
  return interval !== undefined && (interval[0] > 1 || interval[1] < 1)
}

/** Whether the 95 % interval of a difference leaves 0 out. */
export function excludesZero({ interval }: Difference): boolean {
  return interval !== undefined && (interval[0] > 0 || interval[1] < 0)
}

/** Whether an interval says how the next run may differ. */
export function coversRuns(over: Over | undefined): boolean {
  return over === 'runs' || over === 'runs and images'
}

/**
 * Returns the range over which ratios are drawn: all values, and as much of their intervals as the square root of the
 * values' span, so that one interval over two runs does not squeeze everything else.
 */
export function ratioRange(values: readonly number[], bounds: readonly number[]): Interval {
  const low = Math.min(...values)
  const high = Math.max(...values)
  const room = Math.max(high / low, 1.02) ** 0.5
  return [
    Math.max(low / room, Math.min(low, ...bounds)),
    Math.min(high * room, Math.max(high, ...bounds)),
  ]
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
}

function halfWidth(values: readonly number[], mean: number): number {
  return tQuantile(values.length - 1) * errorOfMean(values, mean)
}

function errorOfMean(values: readonly number[], mean: number): number {
  const n = values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)
  return Math.sqrt(variance / n)
}

const Z_975 = quantileOf(normalTail, 0.05)
const quantiles = new Map<number, number>()

/** Returns the 97.5 % quantile of Student's t. */
export function tQuantile(degrees: number): number {
  let known = quantiles.get(degrees)
  if (known === undefined) {
    known = quantileOf((t) => studentTail(t, degrees), 0.05)
    quantiles.set(degrees, known)
  }
  return known
}
