// What became of the trials: how many did not finish and why, and why a figure is missing. A figure may be missing
// because a method was never run, was filtered out, did not finish, or was not measured; each is said differently.
import type { BenchRecord, Method, Status } from '../schema.js'
import { finished, summaryOf } from './compare.js'
import { type Comparison, compareText, type Configuration } from './corpus.js'
import { counted, formatBytes, listed, methodName, statusName } from './format.js'
import { devicePeakBytes, hostPeakBytes } from './measures.js'

export interface Failure {
  readonly status: Status
  /** Reason as the first of these trials gave it. */
  readonly reason: string
  readonly trials: number
  /** Trials by method, most first. */
  readonly methods: readonly (readonly [Method, number])[]
  /** One of these trials. */
  readonly example: BenchRecord
}

/** Groups the trials that did not finish by status and reason, most first; numbers in a reason do not tell them apart. */
export function failuresOf(configurations: readonly Configuration[]): Failure[] {
  const groups = new Map<
    string,
    { status: Status; reason: string; example: BenchRecord; methods: Map<Method, number> }
  >()
  for (const { method, runs } of configurations) {
    for (const record of runs) {
      const { status, reason = '' } = record
      if (status === 'ok') continue
      const key = `${status} ${reason.replaceAll(/\d[\d.,]*/g, '#')}`
      let group = groups.get(key)
      if (group === undefined) {
        groups.set(key, (group = { status, reason, example: record, methods: new Map() }))
      }
      group.methods.set(method, (group.methods.get(method) ?? 0) + 1)
    }
  }
  return [...groups.values()]
    .map(({ status, reason, example, methods }): Failure => {
      const byCount = [...methods].sort(([m, a], [n, b]) => b - a || compareText(m, n))
      const trials = byCount.reduce((sum, [, count]) => sum + count, 0)
      return { status, reason, example, trials, methods: byCount }
    })
    .sort((a, b) => b.trials - a.trials || compareText(a.reason, b.reason))
}

/** Settings in which Embed-KD finished and Teacher-KD had no memory for it. */
export interface Exhaustion {
  readonly exhausted: number
  readonly settings: number
  /** The most that Embed-KD peaked at in these settings; absent if it was not measured. */
  readonly embedPeakBytes?: number
}

/** Returns how often memory sufficed for Embed-KD alone; undefined if it never did. */
export function exhaustionOf(comparisons: readonly Comparison[]): Exhaustion | undefined {
  const exhausted = comparisons.filter(
    ({ teacherKd, embedKd }) =>
      finished(embedKd).length > 0 &&
      finished(teacherKd).length === 0 &&
      teacherKd.runs.some(({ status }) => status === 'oom'),
  )
  if (exhausted.length === 0) return undefined
  const peaks = exhausted.flatMap(({ embedKd }) => peakOf(embedKd) ?? [])
  return {
    exhausted: exhausted.length,
    settings: comparisons.length,
    ...(peaks.length > 0 && { embedPeakBytes: Math.max(...peaks) }),
  }
}

function peakOf(configuration: Configuration): number | undefined {
  return (summaryOf(configuration, devicePeakBytes) ?? summaryOf(configuration, hostPeakBytes))
    ?.mean
}

/** Says it in a sentence: `Teacher-KD ran out of memory in 6 of 6 settings; Embed-KD peaked at 99 MB.` */
export function exhaustionSentence({ exhausted, settings, embedPeakBytes }: Exhaustion): string {
  const fits =
    embedPeakBytes === undefined
      ? 'Embed-KD finished'
      : `Embed-KD peaked at ${exhausted > 1 ? 'no more than ' : ''}${formatBytes(embedPeakBytes)}`
  return `Teacher-KD ran out of memory in ${exhausted} of ${counted(settings, 'setting')}; there ${fits}.`
}

/** Configurations before and after the filters, to say so if a filter is why an answer is missing. */
export interface Scene {
  /** Configurations that pass the filters. */
  readonly configurations: readonly Configuration[]
  /** All configurations. */
  readonly all: readonly Configuration[]
}

/** Says why no setting has finished runs of both methods. */
export function missingComparison(
  { configurations, all }: Scene,
  comparisons: readonly Comparison[],
): string {
  for (const method of ['teacher-kd', 'embed-kd'] as const) {
    const has = (items: readonly Configuration[]) => items.some((item) => item.method === method)
    if (has(configurations)) continue
    return has(all)
      ? `The filters leave out every ${methodName(method)} trial.`
      : `${methodName(method)} was never run in these records.`
  }
  if (comparisons.length === 0) {
    return 'No setting was run by both Teacher-KD and Embed-KD: they differ in some axis, machine or version.'
  }
  const lost = comparisons.flatMap(({ teacherKd, embedKd }) =>
    [teacherKd, embedKd].filter((configuration) => finished(configuration).length === 0),
  )
  return `No setting finished under both methods: ${listed(kindsOf(lost))}.`
}

/** Counts the outcomes of configurations that did not finish: `Teacher-KD out of memory in 6`. */
function kindsOf(configurations: readonly Configuration[]): string[] {
  const counts = new Map<string, number>()
  for (const { method, runs } of configurations) {
    const kind = `${methodName(method)} ${statusName(runs[0]!.status)}`
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return Array.from(counts, ([kind, count]) => `${kind} in ${count}`)
}

/** Names why a configuration has no value of a measure: it failed, or it was not measured. */
export function absenceOf(configuration: Configuration, ofAccuracy: boolean): string {
  if (finished(configuration).length === 0) return statusName(configuration.runs[0]!.status)
  if (ofAccuracy && configuration.runs.every(({ costOnly }) => costOnly)) return 'cost only'
  return 'not measured'
}
