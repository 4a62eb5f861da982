// When embeddings that were made beforehand have paid for themselves: their one-time cost against the time that each
// step and each epoch saves.
import { epochMeasure, finished, ratioOf } from './compare.js'
import type { Comparison } from './corpus.js'
import { epochSeconds, stepsPerEpoch } from './measures.js'
import { costSetting, matchedSetting } from './setting.js'

export interface BreakEven {
  readonly comparison: Comparison
  /** One-time cost of the embeddings. */
  readonly embeddingSeconds: number
  readonly images: number
  /** True if the teacher ran on a few batches only and its time was extrapolated. */
  readonly embeddingExtrapolated: boolean
  readonly teacherEpochSeconds: number
  readonly embedEpochSeconds: number
  /** True if an epoch is the median step times its steps. */
  readonly epochExtrapolated: boolean
  readonly stepsPerEpoch: number
  /** Epochs after which the one-time cost is saved; absent if it never is. */
  readonly epochs?: number
  readonly steps?: number
}

/** Returns when the embeddings of this setting pay; undefined if their cost or the time of an epoch is unknown. */
export function breakEven(comparison: Comparison): BreakEven | undefined {
  const { teacherKd, embedKd } = comparison
  const made = finished(embedKd).flatMap(({ embeddings }) => embeddings ?? [])
  const measure = epochMeasure(teacherKd, embedKd)
  const ratio = ratioOf(teacherKd, embedKd, measure)
  if (made.length === 0 || ratio === undefined) return undefined
  const embeddingSeconds = made.reduce((sum, { seconds }) => sum + seconds, 0) / made.length
  const saved = ratio.numerator - ratio.denominator
  const steps = stepsPerEpoch(embedKd.runs[0]!)
  const epochs = embeddingSeconds / saved
  return {
    comparison,
    embeddingSeconds,
    images: made[0]!.images,
    embeddingExtrapolated: made.some(({ extrapolated }) => extrapolated === true),
    teacherEpochSeconds: ratio.numerator,
    embedEpochSeconds: ratio.denominator,
    epochExtrapolated: measure !== epochSeconds,
    stepsPerEpoch: steps,
    ...(saved > 0 && { epochs, steps: Math.ceil(epochs * steps) }),
  }
}

/** Returns the break-even of the matched setting, and of the larger teacher that was measured for its cost alone. */
export function breakEvens(comparisons: readonly Comparison[]): BreakEven[] {
  const matched = matchedSetting(comparisons)
  const cost = costSetting(comparisons, matched)
  return [matched, cost].flatMap((comparison) => (comparison && breakEven(comparison)) ?? [])
}
