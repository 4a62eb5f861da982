// The statistics of the report: means over runs, ratios of paired runs and differences of accuracies, each with a 95 %
// interval. Statistics of the steps inside one run come with the record and are not recomputed here.

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
 * Returns the mean difference of paired shares with its interval. Both sides were tested on the same images, which
 * makes the binomial standard errors of the two conservative: records do not say which images were right.
 */
export function pairedDifference(
  pairs: readonly Pick<Pair, 'numerator' | 'denominator'>[],
  standardError = 0,
): Difference | undefined {
  const n = pairs.length
  if (n === 0) return undefined
  const differences = pairs.map(({ numerator, denominator }) => numerator - denominator)
  const minuend = meanOf(pairs.map(({ numerator }) => numerator))
  const subtrahend = meanOf(pairs.map(({ denominator }) => denominator))
  const value = minuend - subtrahend
  return { value, minuend, subtrahend, n, ...intervalAround(differences, value, standardError) }
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
  const n = values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)
  return tQuantile(n - 1) * Math.sqrt(variance / n)
}

const T_975 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]
const Z_975 = 1.959964

/** Returns the 97.5 % quantile of Student's t: from a table up to ten degrees of freedom, beyond by an expansion (Cornish and Fisher). */
export function tQuantile(degrees: number): number {
  const listed = T_975[degrees - 1]
  if (listed !== undefined) return listed
  const z = Z_975
  const first = (z ** 3 + z) / 4
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96
  return z + first / degrees + second / degrees ** 2
}
