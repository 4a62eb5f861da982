// How configurations compare in a measure: means over runs, ratios and differences of paired runs.
import type { BenchRecord } from '../schema.js'
import type { Configuration } from './corpus.js'
import { unpackResults } from '../image-results.js'
import {
  accuracy,
  epochSeconds,
  extrapolatedEpochSeconds,
  hasMeasuredEpoch,
  type Measure,
} from './measures.js'
import { imageError, type PairedResults, testSeeds } from './paired-images.js'
import {
  type Difference,
  type Interval,
  type Pair,
  pairedDifference,
  pairedRatio,
  type Ratio,
  summarize,
  type Summary,
} from './statistics.js'

const summaries = new WeakMap<Configuration, Map<Measure, Summary | undefined>>()

/** Returns the mean of the measure over the configuration's finished runs, with its interval. */
export function summaryOf(configuration: Configuration, measure: Measure): Summary | undefined {
  let known = summaries.get(configuration)
  if (known === undefined) summaries.set(configuration, (known = new Map()))
  if (!known.has(measure)) known.set(measure, summarizeRuns(configuration, measure))
  return known.get(measure)
}

function summarizeRuns(configuration: Configuration, measure: Measure): Summary | undefined {
  const records = finished(configuration).filter((record) => measure.of(record) !== undefined)
  const values = measure.bySeed
    ? Array.from(groupBySeed(records).values(), (repeats) => meanOf(repeats, measure))
    : records.map((record) => measure.of(record)!)
  const summary = summarize(values, samplingErrorOf(records, measure))
  return summary && withoutMeaninglessInterval(summary, measure)
}

/** Returns the interval of the mean over runs, or over the steps of a single run. */
export function intervalOf(configuration: Configuration, measure: Measure): Interval | undefined {
  const summary = summaryOf(configuration, measure)
  if (summary === undefined || summary.interval !== undefined || summary.n > 1) {
    return summary?.interval
  }
  return measure.within?.(
    finished(configuration).find((record) => measure.of(record) !== undefined)!,
  )
}

const ratios = new WeakMap<Configuration, WeakMap<Configuration, Map<Measure, Ratio | undefined>>>()

/** Returns the ratio of two configurations in a measure, over the runs that both have (see `pairsOf`). */
export function ratioOf(
  numerator: Configuration,
  denominator: Configuration,
  measure: Measure,
): Ratio | undefined {
  let against = ratios.get(numerator)
  if (against === undefined) ratios.set(numerator, (against = new WeakMap()))
  let known = against.get(denominator)
  if (known === undefined) against.set(denominator, (known = new Map()))
  if (!known.has(measure)) {
    const ratio = pairedRatio(pairsOf(numerator, denominator, measure))
    known.set(measure, ratio && withoutMeaninglessInterval(ratio, measure))
  }
  return known.get(measure)
}

const differences = new WeakMap<Configuration, WeakMap<Configuration, Difference>>()

/**
 * Returns the difference of two configurations in accuracy, over the seeds that both have. Its interval covers the
 * sampling of the test images, and the seeds too if there are several. If the records say which images were right, images
 * are paired; otherwise both sides count as tested on images of their own, which makes the interval wider.
 */
export function accuracyDifference(
  minuend: Configuration,
  subtrahend: Configuration,
): Difference | undefined {
  let against = differences.get(minuend)
  if (against === undefined) differences.set(minuend, (against = new WeakMap()))
  const known = against.get(subtrahend)
  if (known !== undefined) return known
  const results = pairedResultsOf(minuend, subtrahend)
  const unpairedError = () =>
    Math.hypot(
      samplingErrorOf(finished(minuend), accuracy),
      samplingErrorOf(finished(subtrahend), accuracy),
    )
  const found = pairedDifference(
    pairsOf(minuend, subtrahend, accuracy),
    results === undefined ? unpairedError() : imageError(results),
  )
  if (found === undefined) return undefined
  const difference = { ...found, ...(results && { seeds: testSeeds(results) }) }
  against.set(subtrahend, difference)
  return difference
}

/** Returns the results of single images by seed; undefined if a seed that both sides have lacks them on either side. */
function pairedResultsOf(
  minuend: Configuration,
  subtrahend: Configuration,
): PairedResults[] | undefined {
  const measured = (configuration: Configuration) =>
    groupBySeed(finished(configuration).filter((record) => accuracy.of(record) !== undefined))
  const seconds = measured(subtrahend)
  const results: PairedResults[] = []
  for (const [seed, [first]] of measured(minuend)) {
    const second = seconds.get(seed)?.[0]
    if (second === undefined) continue
    const [one, other] = [first!.testResults, second.testResults]
    if (one === undefined || one.dataset !== other?.dataset || one.images !== other.images)
      return undefined
    results.push({ seed, first: unpackResults(one), second: unpackResults(other) })
  }
  return results.length === 0 ? undefined : results
}

/** Returns the measure in which epochs of both compare: as they ran if both ran whole epochs, else extrapolated. */
export function epochMeasure(...configurations: readonly Configuration[]): Measure {
  const runs = configurations.flatMap(finished).filter(({ time }) => time !== undefined)
  return runs.length > 0 && runs.every(hasMeasuredEpoch) ? epochSeconds : extrapolatedEpochSeconds
}

/**
 * Pairs the runs of equal seed. If a seed was run several times on both sides, the repeats are dealt into as many pairs
 * as the side with fewer has; a measure that the seed decides keeps one pair a seed.
 */
function pairsOf(numerator: Configuration, denominator: Configuration, measure: Measure): Pair[] {
  const measured = (configuration: Configuration) =>
    groupBySeed(finished(configuration).filter((record) => measure.of(record) !== undefined))
  const below = measured(denominator)
  const pairs: Pair[] = []
  for (const [seed, above] of measured(numerator)) {
    const under = below.get(seed)
    if (under === undefined) continue
    const count = measure.bySeed ? 1 : Math.min(above.length, under.length)
    for (let at = 0; at < count; at++) {
      const tops = above.filter((_, index) => index % count === at)
      const bottoms = under.filter((_, index) => index % count === at)
      pairs.push({
        numerator: meanOf(tops, measure),
        denominator: meanOf(bottoms, measure),
        numeratorInterval: tops.length === 1 ? measure.within?.(tops[0]!) : undefined,
        denominatorInterval: bottoms.length === 1 ? measure.within?.(bottoms[0]!) : undefined,
      })
    }
  }
  return pairs
}

function groupBySeed(records: readonly BenchRecord[]): Map<number, BenchRecord[]> {
  const seeds = new Map<number, BenchRecord[]>()
  for (const record of records) {
    const repeats = seeds.get(record.trial.seed)
    if (repeats === undefined) seeds.set(record.trial.seed, [record])
    else repeats.push(record)
  }
  return seeds
}

function meanOf(records: readonly BenchRecord[], measure: Measure): number {
  return records.reduce((sum, record) => sum + measure.of(record)!, 0) / records.length
}

/** All seeds are tested on the same images, so that the error of one run is the error of their mean. */
function samplingErrorOf(records: readonly BenchRecord[], measure: Measure): number {
  return Math.max(0, ...records.map((record) => measure.samplingError?.(record) ?? 0))
}

export function finished({ runs }: Configuration): BenchRecord[] {
  return runs.filter(({ status }) => status === 'ok')
}

function withoutMeaninglessInterval<T extends Summary | Ratio>(value: T, measure: Measure): T {
  if (measure.exact === undefined) return value
  const { interval: _interval, over: _over, ...rest } = value
  return rest as T
}
