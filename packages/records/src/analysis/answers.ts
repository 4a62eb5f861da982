// The three answers of the first screen: memory, time and accuracy of Embed-KD against Teacher-KD in one matched
// setting. Each has its ratio or difference with an interval, related quantities, and whether the data support it.
import type { BenchRecord } from '../schema.js'
import { differenceOf, epochMeasure, finished, ratioOf } from './compare.js'
import { type Comparison, comparisonsOf, teacherName } from './corpus.js'
import { counted, formatRatio, listed } from './format.js'
import * as measures from './measures.js'
import type { Measure } from './measures.js'
import { type Exhaustion, exhaustionOf, missingComparison, type Scene } from './outcomes.js'
import { PAPER } from './paper.js'
import { costSetting, matchedSetting, timedSteps } from './setting.js'
import { type Difference, excludesOne, excludesZero, type Ratio } from './statistics.js'

export type Question = 'memory' | 'time' | 'accuracy'

export interface Answers {
  /** The setting of all three answers; absent if both methods finished none. */
  readonly matched?: Comparison
  readonly answers: Readonly<Record<Question, Answer>>
  /** A larger teacher of which only the cost was measured. */
  readonly cost?: {
    readonly comparison: Comparison
    readonly memory: Answer
    readonly time: Answer
  }
  /** Settings in which Teacher-KD had no memory for it and Embed-KD finished. */
  readonly exhaustion?: Exhaustion
}

export interface Answer {
  readonly question: Question
  /** Absent if the setting does not answer the question. */
  readonly found?: Finding
  readonly support: Support
}

export interface Finding {
  readonly comparison: Comparison
  readonly measure: Measure
  /** Memory and time: Teacher-KD over Embed-KD. Accuracy: Embed-KD over Teacher-KD. */
  readonly ratio: Ratio
  /** Accuracy only: Embed-KD less Teacher-KD. */
  readonly difference?: Difference
  /** Geometric means over the paired runs (memory, time), or means (accuracy). */
  readonly teacherKd: number
  readonly embedKd: number
  /** The ratio in related measures of the same setting. */
  readonly beside: readonly Related[]
  readonly paperRatio: number
  /** Smallest and largest ratio over all settings that answer the question. */
  readonly range: readonly [number, number]
  /** The same for the difference in accuracy. */
  readonly differences?: readonly [number, number]
  readonly settings: number
}

export interface Related {
  readonly measure: Measure
  readonly ratio: Ratio
}

export interface Support {
  /** Whether the data support the claim: yes, with the reservations given, or not at all. */
  readonly level: 'supported' | 'limited' | 'unsupported'
  readonly reasons: readonly string[]
}

const PAPER_RATIOS: Readonly<Record<Question, number>> = {
  memory: PAPER.memoryRatio,
  time: PAPER.timeRatio,
  accuracy: PAPER.accuracyRatio,
}

/** Answers all three questions from what passes the filters. */
export function answersOf(scene: Scene): Answers {
  const comparisons = comparisonsOf(scene.configurations)
  const matched = matchedSetting(comparisons)
  const cost = costSetting(comparisons, matched)
  const exhaustion = exhaustionOf(comparisons)
  const about = (question: Question) => answer(question, matched, comparisons, scene)
  const ofCost = (question: Question) => answer(question, cost, [], scene)
  return {
    answers: { memory: about('memory'), time: about('time'), accuracy: about('accuracy') },
    ...(matched && { matched }),
    ...(cost && {
      cost: { comparison: cost, memory: ofCost('memory'), time: ofCost('time') },
    }),
    ...(exhaustion && { exhaustion }),
  }
}

function answer(
  question: Question,
  comparison: Comparison | undefined,
  comparisons: readonly Comparison[],
  scene: Scene,
): Answer {
  const compared = comparison && compare(question, comparison)
  if (comparison === undefined || compared === undefined) {
    const reasons = [whyNone(question, comparison, comparisons, scene)]
    return { question, support: { level: 'unsupported', reasons } }
  }
  const all = comparisons.flatMap((other) => compare(question, other) ?? [])
  const ratios = [compared, ...all].map(({ ratio }) => ratio.value)
  const differences = [compared, ...all].flatMap(({ difference }) => difference?.value ?? [])
  const { ratio, difference } = compared
  const found: Finding = {
    ...compared,
    comparison,
    ...(difference === undefined
      ? { teacherKd: ratio.numerator, embedKd: ratio.denominator }
      : { teacherKd: difference.subtrahend, embedKd: difference.minuend }),
    paperRatio: PAPER_RATIOS[question],
    range: [Math.min(...ratios), Math.max(...ratios)],
    ...(difference && { differences: [Math.min(...differences), Math.max(...differences)] }),
    settings: Math.max(1, all.length),
  }
  return { question, found, support: supportOf(question, found) }
}

export interface Compared {
  readonly measure: Measure
  readonly ratio: Ratio
  readonly difference?: Difference
  readonly beside: readonly Related[]
}

/** Compares both methods in one setting; undefined if one of them has no value. */
export function compare(question: Question, comparison: Comparison): Compared | undefined {
  const { teacherKd, embedKd } = comparison
  for (const [measure, related] of evidenceFor(question, comparison)) {
    const ratio = orientedRatio(comparison, measure)
    if (ratio === undefined) continue
    const difference =
      question === 'accuracy' ? differenceOf(embedKd, teacherKd, measure) : undefined
    const beside = related.flatMap((measure) => {
      const ratio = orientedRatio(comparison, measure)
      return ratio === undefined ? [] : [{ measure, ratio }]
    })
    return { measure, ratio, beside, ...(difference && { difference }) }
  }
  return undefined
}

/** More is better for Embed-KD. */
function orientedRatio({ teacherKd, embedKd }: Comparison, measure: Measure): Ratio | undefined {
  return measure.better === 'lower'
    ? ratioOf(teacherKd, embedKd, measure)
    : ratioOf(embedKd, teacherKd, measure)
}

/** Lists measures that can answer, each with its related ones; device memory goes before host memory. */
function evidenceFor(
  question: Question,
  { teacherKd, embedKd }: Comparison,
): readonly (readonly [Measure, readonly Measure[]])[] {
  const { plannedPeakBytes, plannedResidentBytes, stepFlops, stepSeconds } = measures
  switch (question) {
    case 'memory':
      return [
        [
          measures.devicePeakBytes,
          [plannedPeakBytes, measures.deviceResidentBytes, plannedResidentBytes],
        ],
        [
          measures.hostPeakBytes,
          [plannedPeakBytes, measures.hostResidentBytes, plannedResidentBytes],
        ],
      ]
    case 'time':
      return [[epochMeasure(teacherKd, embedKd), [stepSeconds, stepFlops]]]
    case 'accuracy':
      return [[measures.accuracy, []]]
  }
}

/** Fewer timed steps than this give a median that one slow step can move. */
const FEW_STEPS = 10

function supportOf(question: Question, finding: Finding): Support {
  const { ratio, difference } = finding
  if (difference !== undefined) return accuracySupport(difference)
  const reasons: string[] = []
  if (ratio.n === 1) {
    reasons.push(
      ratio.over === 'steps'
        ? 'One run of each: the interval covers the steps inside it, not how the next run may differ.'
        : 'One run of each: no interval.',
    )
  }
  if (ratio.interval !== undefined && !excludesOne(ratio)) {
    reasons.push('The interval includes 1: no difference is shown.')
    return { level: 'unsupported', reasons }
  }
  reasons.push(...(question === 'time' ? timeReasons(finding) : memoryReasons(finding)))
  return { level: reasons.length === 0 ? 'supported' : 'limited', reasons }
}

function accuracySupport(difference: Difference): Support {
  const unclear = excludesZero(difference)
    ? []
    : ['The interval includes 0: no difference is shown.']
  if (difference.n > 1)
    return { level: unclear.length === 0 ? 'supported' : 'limited', reasons: unclear }
  return {
    level: 'unsupported',
    reasons: [
      'One seed: chance alone can make this difference. The interval covers the test images only.',
      ...unclear,
    ],
  }
}

function timeReasons({ comparison }: Finding): string[] {
  const records = recordsOf(comparison)
  const [embed, teacher] = timedSteps(comparison)
  const noisy = records.filter(({ roofline }) => roofline?.noisy === true).length
  const warned = new Set(records.flatMap(({ warnings }) => warnings ?? []))
  return [
    ...(Math.min(embed, teacher) < FEW_STEPS
      ? [`Few timed steps: ${embed} of Embed-KD and ${teacher} of Teacher-KD in a run.`]
      : []),
    ...[...warned].sort().map((warning) => `The benchmark warned: ${warning}.`),
    ...(noisy > 0
      ? [
          `Noisy machine: its speed drifted by over 10 % in ${counted(noisy, 'run')} of ${records.length}.`,
        ]
      : []),
  ]
}

function memoryReasons({ comparison, measure, ratio, beside }: Finding): string[] {
  const records = recordsOf(comparison)
  const reasons: string[] = []
  const lost = records.filter(
    (record) => record.memory !== undefined && measure.of(record) === undefined,
  ).length
  if (lost > 0) {
    reasons.push(
      `Left out: ${counted(lost, 'run')} of ${records.length}, too small to grow over the baseline of the process.`,
    )
  }
  const planned = beside.find((other) => other.measure === measures.plannedPeakBytes)
  if (planned !== undefined && Math.abs(Math.log(planned.ratio.value / ratio.value)) > 0.25) {
    reasons.push(
      `The graph's plan has ${formatRatio(planned.ratio.value)}: the runtime uses memory that the plan does not count.`,
    )
  }
  return reasons
}

function recordsOf({ teacherKd, embedKd }: Comparison): BenchRecord[] {
  return [...finished(teacherKd), ...finished(embedKd)]
}

function whyNone(
  question: Question,
  matched: Comparison | undefined,
  comparisons: readonly Comparison[],
  scene: Scene,
): string {
  if (matched === undefined) return missingComparison(scene, comparisons)
  if (question === 'accuracy' && comparisons.every(isCostOnly)) {
    const teachers = [...new Set(comparisons.map(({ embedKd }) => teacherName(embedKd.trial)))]
    return `Cost only: runs with ${listed(teachers.sort().slice(0, 4))} used random weights or few steps, so that their accuracy means nothing.`
  }
  return `The setting has no ${question} of both methods with the same seed.`
}

function isCostOnly({ teacherKd, embedKd }: Comparison): boolean {
  return [teacherKd, embedKd].some(({ runs }) => runs.every(({ costOnly }) => costOnly))
}
