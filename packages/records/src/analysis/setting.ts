// Which settings answer. All three answers come from one matched setting, so that memory, time and accuracy belong
// together; a larger teacher that was only measured for its cost is a second setting, and is labelled so.
import { stepCount } from '../summary.js'
import { epochMeasure, ratioOf, summaryOf } from './compare.js'
import { type Comparison, compareText } from './corpus.js'
import * as measures from './measures.js'
import type { Measure } from './measures.js'

/** The rule of `matchedSetting` for readers. */
export const MATCHED_RULE =
  'One setting answers all three questions: same teacher, student, data, batch, backend, machine and version. Of all settings that answer most of the questions, it is the one with the largest teacher, then the largest batch, then most paired runs, then fewest prototypes a class, then the latest.'

/** Returns the setting whose three answers the first screen shows; undefined if both methods finished none. */
export function matchedSetting(comparisons: readonly Comparison[]): Comparison | undefined {
  return best(
    comparisons.filter((comparison) => answered(comparison) > 0),
    answered,
  )
}

/**
 * Returns the setting with the largest teacher that was measured for its cost alone, if its teacher is larger than that
 * of the matched setting.
 */
export function costSetting(
  comparisons: readonly Comparison[],
  matched: Comparison | undefined,
): Comparison | undefined {
  const least = matched === undefined ? 0 : teacherSize(matched)
  const candidates = comparisons.filter(
    (comparison) =>
      comparison !== matched &&
      teacherSize(comparison) > least &&
      !hasAccuracy(comparison) &&
      answered(comparison) > 0,
  )
  return best(candidates, answered)
}

function best(
  comparisons: readonly Comparison[],
  score: (comparison: Comparison) => number,
): Comparison | undefined {
  const rank = (comparison: Comparison) => [
    score(comparison),
    teacherSize(comparison),
    comparison.embedKd.trial.batch,
    pairs(comparison),
    -(comparison.embedKd.trial.prototypes ?? 1),
  ]
  return comparisons.reduce<Comparison | undefined>((chosen, candidate) => {
    if (chosen === undefined) return candidate
    const [a, b] = [rank(candidate), rank(chosen)]
    const at = a.findIndex((value, index) => value !== b[index])
    if (at >= 0) return a[at]! > b[at]! ? candidate : chosen
    return isLater(candidate, chosen) ? candidate : chosen
  }, undefined)
}

function isLater(a: Comparison, b: Comparison): boolean {
  const latest = ({ embedKd, teacherKd }: Comparison) =>
    [...embedKd.runs, ...teacherKd.runs]
      .map(({ startedAt }) => startedAt)
      .sort()
      .at(-1)!
  return (compareText(latest(a), latest(b)) || compareText(b.embedKd.key, a.embedKd.key)) > 0
}

/** How many of the three questions the setting answers. */
function answered(comparison: Comparison): number {
  const { teacherKd, embedKd } = comparison
  const both = (measure: Measure) => ratioOf(teacherKd, embedKd, measure) !== undefined
  const memory = both(measures.devicePeakBytes) || both(measures.hostPeakBytes)
  const time = both(epochMeasure(teacherKd, embedKd))
  return Number(memory) + Number(time) + Number(hasAccuracy(comparison))
}

function hasAccuracy({ teacherKd, embedKd }: Comparison): boolean {
  return ratioOf(embedKd, teacherKd, measures.accuracy) !== undefined
}

function pairs({ teacherKd, embedKd }: Comparison): number {
  return ratioOf(teacherKd, embedKd, measures.stepSeconds)?.n ?? 0
}

export function teacherSize({ embedKd }: Comparison): number {
  return embedKd.trial.teacher?.parameterCount ?? 0
}

/** Median number of timed steps of the runs in a setting. */
export function timedSteps({ teacherKd, embedKd }: Comparison): readonly [number, number] {
  const steps = (item: Comparison['embedKd']) =>
    summaryOf(item, {
      ...measures.stepSeconds,
      of: ({ time }) => time && stepCount(time),
    })?.mean ?? 0
  return [Math.round(steps(embedKd)), Math.round(steps(teacherKd))]
}
