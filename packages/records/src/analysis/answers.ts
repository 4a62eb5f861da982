// The three answers of the first screen, memory, time and accuracy of Embed-KD against Teacher-KD: which setting each
// is taken from, the ratio with its interval, what stands beside it, and whether the data support it.
import type { BenchRecord } from '@embed-kd/records'
import { type Comparison, type Configuration, teacherName } from './corpus.js'
import { counted, formatRatio, listed, statusName } from './format.js'
import * as measures from './measures.js'
import { finished, type Measure, ratioOf, summaryOf } from './measures.js'
import { PAPER } from './paper.js'
import { excludesOne, type Ratio } from './statistics.js'

export type Question = 'memory' | 'time' | 'accuracy'

export interface Answer {
  readonly question: Question
  /** Absent where no setting can answer. */
  readonly found?: Finding
  readonly support: Support
}

export interface Finding {
  readonly comparison: Comparison
  readonly measure: Measure
  /** How many times less memory or time, or how many times the accuracy, Embed-KD has. */
  readonly ratio: Ratio
  /** Means over runs. */
  readonly teacherKd: number
  readonly embedKd: number
  /** The ratio in related measures of the same setting. */
  readonly beside: readonly { readonly measure: Measure; readonly ratio: Ratio }[]
  readonly paperRatio: number
  /** Smallest and largest ratio over all settings that can answer. */
  readonly range: readonly [number, number]
  readonly settings: number
}

export interface Support {
  /** Whether the data carry the claim: yes, with the reservations given, or not at all. */
  readonly level: 'supported' | 'limited' | 'unsupported'
  readonly reasons: readonly string[]
}

const PAPER_RATIOS: Readonly<Record<Question, number>> = {
  memory: PAPER.memoryRatio,
  time: PAPER.timeRatio,
  accuracy: PAPER.accuracyRatio,
}

/** In each question the measure that answers and those beside it; device memory goes before host memory. */
const EVIDENCE: Readonly<Record<Question, readonly (readonly [Measure, readonly Measure[]])[]>> = {
  memory: [
    [
      measures.devicePeakBytes,
      [measures.plannedPeakBytes, measures.deviceResidentBytes, measures.plannedResidentBytes],
    ],
    [
      measures.hostPeakBytes,
      [measures.plannedPeakBytes, measures.hostResidentBytes, measures.plannedResidentBytes],
    ],
  ],
  time: [[measures.stepSeconds, [measures.stepFlops]]],
  accuracy: [[measures.accuracy, []]],
}

export function answer(question: Question, comparisons: readonly Comparison[]): Answer {
  const candidates = comparisons.flatMap((comparison) => {
    const found = compare(question, comparison)
    return found === undefined ? [] : [{ comparison, ...found }]
  })
  const chosen = candidates.reduce<(typeof candidates)[number] | undefined>(
    (best, candidate) =>
      best === undefined || weight(candidate.comparison) > weight(best.comparison)
        ? candidate
        : best,
    undefined,
  )
  if (chosen === undefined) {
    return {
      question,
      support: { level: 'unsupported', reasons: [whyNone(question, comparisons)] },
    }
  }
  const values = candidates.map(({ ratio }) => ratio.value)
  const { comparison, measure, ratio, beside } = chosen
  const found: Finding = {
    comparison,
    measure,
    ratio,
    teacherKd: summaryOf(comparison.teacherKd, measure)!.mean,
    embedKd: summaryOf(comparison.embedKd, measure)!.mean,
    beside,
    paperRatio: PAPER_RATIOS[question],
    range: [Math.min(...values), Math.max(...values)],
    settings: candidates.length,
  }
  return { question, found, support: supportOf(question, found) }
}

/** The ratio that answers the question in this setting, oriented so that more is better for Embed-KD. */
export function compare(
  question: Question,
  { teacherKd, embedKd }: Comparison,
): { measure: Measure; ratio: Ratio; beside: Finding['beside'] } | undefined {
  const oriented = (measure: Measure) =>
    measure.better === 'lower'
      ? ratioOf(teacherKd, embedKd, measure)
      : ratioOf(embedKd, teacherKd, measure)
  for (const [measure, related] of EVIDENCE[question]) {
    const ratio = oriented(measure)
    if (ratio === undefined) continue
    const beside = related.flatMap((measure) => {
      const ratio = oriented(measure)
      return ratio === undefined ? [] : [{ measure, ratio }]
    })
    return { measure, ratio, beside }
  }
  return undefined
}

/** The paper speaks of large teachers, so the largest one answers; among equals the largest batch. */
function weight({ embedKd }: Comparison): number {
  const { teacher, batch } = embedKd.trial
  return (teacher?.parameterCount ?? 0) * 1e5 + batch
}

function supportOf(question: Question, { comparison, ratio, beside, measure }: Finding): Support {
  const records = [...finished(comparison.teacherKd), ...finished(comparison.embedKd)]
  const reasons: string[] = []
  if (ratio.n === 1) {
    reasons.push(
      ratio.over === 'steps'
        ? 'One run of each: the interval covers the steps inside it, not how the next run would differ.'
        : 'One run of each: no interval.',
    )
  }
  if (question === 'accuracy') {
    if (ratio.n === 1) {
      return { level: 'unsupported', reasons: ['One seed: chance alone can make this difference.'] }
    }
  }
  if (ratio.interval !== undefined && !excludesOne(ratio)) {
    const reason = 'The interval includes 1: no difference is shown.'
    if (question !== 'accuracy') return { level: 'unsupported', reasons: [...reasons, reason] }
    reasons.push(reason)
  }
  if (question === 'time') reasons.push(...noise(records))
  if (question === 'memory') {
    const lost = records.filter(
      (record) => record.memory !== undefined && measure.of(record) === undefined,
    ).length
    if (lost > 0) {
      reasons.push(
        `${counted(lost, 'run')} of ${records.length} did not grow over the baseline of the process and count for nothing: too small to measure so.`,
      )
    }
    const planned = beside.find((other) => other.measure === measures.plannedPeakBytes)
    if (planned !== undefined && Math.abs(Math.log(planned.ratio.value / ratio.value)) > 0.25) {
      reasons.push(
        `The graph plans ${formatRatio(planned.ratio.value)}: the runtime spends memory that the graph does not know of.`,
      )
    }
  }
  return { level: reasons.length === 0 ? 'supported' : 'limited', reasons }
}

function noise(records: readonly BenchRecord[]): string[] {
  const noisy = records.filter(({ roofline }) => roofline?.noisy === true).length
  const warned = new Set(records.flatMap(({ warnings }) => warnings ?? []))
  const reasons = [...warned].map((warning) => `The benchmark warned: ${warning}.`)
  if (noisy > 0) {
    reasons.push(
      `Noisy machine: in ${counted(noisy, 'run')} of ${records.length} its speed drifted by over 10 %.`,
    )
  }
  return reasons
}

function whyNone(question: Question, comparisons: readonly Comparison[]): string {
  if (comparisons.length === 0) {
    return 'No setting was run by both Teacher-KD and Embed-KD.'
  }
  const failures = comparisons.flatMap(({ teacherKd, embedKd }) =>
    [teacherKd, embedKd].filter((configuration) => finished(configuration).length === 0),
  )
  if (failures.length >= comparisons.length) {
    return `No setting finished under both methods: ${listed(failureKinds(failures))}.`
  }
  if (question === 'accuracy' && comparisons.every(isCostOnly)) {
    const teachers = [...new Set(comparisons.map(({ embedKd }) => teacherName(embedKd.trial)))]
    return `Cost only: the runs with ${listed(teachers.slice(0, 4))} used random weights or few steps, so that their accuracy means nothing.`
  }
  return `No setting has ${question} measured under both methods with the same seed.`
}

function isCostOnly({ teacherKd, embedKd }: Comparison): boolean {
  return [teacherKd, embedKd].some(({ runs }) => runs.every(({ costOnly }) => costOnly))
}

function failureKinds(configurations: readonly Configuration[]): string[] {
  const counts = new Map<string, number>()
  for (const { runs } of configurations) {
    const kind = statusName(runs[0]!.status)
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return Array.from(counts, ([kind, count]) => `${count} ${kind}`)
}

export interface BreakEven {
  readonly comparison: Comparison
  /** Once, to make the embeddings. */
  readonly embeddingSeconds: number
  readonly images: number
  readonly teacherEpochSeconds: number
  readonly embedEpochSeconds: number
  /** Whether an epoch was computed from the median step, not run. */
  readonly extrapolated: boolean
  /** Steps of an epoch. */
  readonly steps: number
  /** Epochs until the time spent on embeddings is won back; absent where it never is. */
  readonly epochs?: number
}

/** When the embeddings of this setting pay for themselves; undefined where their cost or an epoch's time is unknown. */
export function breakEven(comparison: Comparison): BreakEven | undefined {
  const { teacherKd, embedKd } = comparison
  const made = finished(embedKd).flatMap(({ embeddings }) => embeddings ?? [])
  const teacherEpoch = summaryOf(teacherKd, measures.epochSeconds)
  const embedEpoch = summaryOf(embedKd, measures.epochSeconds)
  if (made.length === 0 || teacherEpoch === undefined || embedEpoch === undefined) return undefined
  const embeddingSeconds = made.reduce((sum, { seconds }) => sum + seconds, 0) / made.length
  const won = teacherEpoch.mean - embedEpoch.mean
  const extrapolated = [...finished(teacherKd), ...finished(embedKd)].some(
    ({ time }) => time?.epochSeconds === undefined || time.epochExtrapolated === true,
  )
  return {
    comparison,
    embeddingSeconds,
    images: made[0]!.images,
    teacherEpochSeconds: teacherEpoch.mean,
    embedEpochSeconds: embedEpoch.mean,
    extrapolated,
    steps: embedKd.trial.dataset.trainSize / embedKd.trial.batch,
    ...(won > 0 ? { epochs: embeddingSeconds / won } : {}),
  }
}

/** Of the settings whose break-even is known, the one with the largest teacher. */
export function largestBreakEven(comparisons: readonly Comparison[]): BreakEven | undefined {
  for (const comparison of comparisons.toSorted((a, b) => weight(b) - weight(a))) {
    const known = breakEven(comparison)
    if (known !== undefined) return known
  }
  return undefined
}
