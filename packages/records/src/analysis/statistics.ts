// The few statistics of the report: means over runs and ratios of paired runs, each with a 95 % interval.
// Statistics of the steps inside one run come with the record and are not computed again.

export type Interval = readonly [low: number, high: number]

export interface Summary {
  readonly mean: number
  /** Number of runs. */
  readonly n: number
  /** Of the mean over runs; absent for fewer than two. */
  readonly interval?: Interval
}

export interface Ratio {
  /** Geometric mean of the paired runs' ratios. */
  readonly value: number
  /** Number of paired runs. */
  readonly n: number
  /** What the interval was taken over: runs, or for a single pair the steps inside it. */
  readonly over?: 'runs' | 'steps'
  readonly interval?: Interval
}

/** One run on each side of a ratio, with the 95 % intervals that the steps inside them gave, where there are any. */
export interface Pair {
  readonly numerator: number
  readonly denominator: number
  readonly numeratorInterval?: Interval | undefined
  readonly denominatorInterval?: Interval | undefined
}

/** Mean over runs, with Student's t interval. */
export function summarize(values: readonly number[]): Summary | undefined {
  const n = values.length
  if (n === 0) return undefined
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  if (n === 1) return { mean, n }
  const half = halfWidth(values, mean)
  return { mean, n, interval: [mean - half, mean + half] }
}

/**
 * Ratio of paired runs. With two pairs or more the interval is Student's t on the logarithms: a percentile bootstrap
 * of the three to five seeds that people run is far too narrow (three pairs: it covers 75 %, not 95 %). A single
 * pair has an interval only where its steps gave one for both sides; these combine on the log scale (MOVER, Donner
 * and Zou 2012) and say nothing of how the next run would differ.
 */
export function pairedRatio(pairs: readonly Pair[]): Ratio | undefined {
  const usable = pairs.filter(({ numerator, denominator }) => numerator > 0 && denominator > 0)
  const n = usable.length
  if (n === 0) return undefined
  const logs = usable.map(({ numerator, denominator }) => Math.log(numerator / denominator))
  const center = logs.reduce((sum, log) => sum + log, 0) / n
  const value = Math.exp(center)
  if (n > 1) {
    const half = halfWidth(logs, center)
    return { value, n, over: 'runs', interval: [Math.exp(center - half), Math.exp(center + half)] }
  }
  const interval = singlePairInterval(usable[0]!, center)
  return interval === undefined ? { value, n } : { value, n, over: 'steps', interval }
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

/** Whether a 95 % interval of a ratio leaves 1 out. */
export function excludesOne({ interval }: Ratio): boolean {
  return interval !== undefined && (interval[0] > 1 || interval[1] < 1)
}

/**
 * From where to where ratios are drawn: all of the values, and of their intervals no more than the square of the
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

/** 97.5 % quantile of Student's t: a table for few degrees of freedom, Cornish and Fisher's expansion for more. */
export function tQuantile(degrees: number): number {
  const listed = T_975[degrees - 1]
  if (listed !== undefined) return listed
  const z = Z_975
  const first = (z ** 3 + z) / 4
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96
  return z + first / degrees + second / degrees ** 2
}
