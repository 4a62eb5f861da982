// Two sets of records held against each other: what became worse, what became better, and what one side lacks.
// Configurations are the same if every axis but the seed agrees; versions differ, which is what is compared.
import type { BenchRecord } from '../schema.js'
import { finished, ratioOf } from './compare.js'
import { compareText, type Configuration, configurationsOf } from './corpus.js'
import {
  accuracy,
  devicePeakBytes,
  hostPeakBytes,
  type Measure,
  plannedPeakBytes,
  stepSeconds,
} from './measures.js'
import { machineName, versionName } from './source.js'
import { coversRuns, excludesOne, type Ratio } from './statistics.js'

export interface Change {
  readonly before: Configuration
  readonly after: Configuration
  /** Absent if the configuration changed between finishing and failing. */
  readonly figure?: { readonly measure: Measure; readonly ratio: Ratio }
  readonly verdict: 'worse' | 'better'
}

export interface Changes {
  /** Worst first. */
  readonly worse: readonly Change[]
  /** Best first. */
  readonly better: readonly Change[]
  readonly unchanged: number
  readonly onlyBefore: readonly Configuration[]
  readonly onlyAfter: readonly Configuration[]
  readonly from: Side
  readonly to: Side
  /** False if no machine ran both sides: then only quantities that do not depend on the machine are compared. */
  readonly sameMachine: boolean
  /** Software that differs between the sides: name, value before, value after. */
  readonly differences: readonly (readonly [name: string, before: string, after: string])[]
}

/** Origin of one side of the comparison. */
export interface Side {
  readonly versions: readonly string[]
  readonly machines: readonly string[]
  /** Days of the first and of the last trial, as ISO dates. */
  readonly days: readonly [string, string]
}

const COMPARED: readonly Measure[] = [
  stepSeconds,
  hostPeakBytes,
  devicePeakBytes,
  plannedPeakBytes,
  accuracy,
]
const WITHOUT_MACHINE: ReadonlySet<Measure> = new Set([plannedPeakBytes, accuracy])

/** Single runs have no spread to judge by: differences between them that are smaller than this are taken for chance. */
export const SINGLE_RUN_THRESHOLD = 0.05

export function changesBetween(
  before: readonly BenchRecord[],
  after: readonly BenchRecord[],
): Changes {
  const machines = new Set(before.map(machineName))
  const sameMachine = after.some((record) => machines.has(machineName(record)))
  const compared = COMPARED.filter((measure) => sameMachine || WITHOUT_MACHINE.has(measure))
  const older = latestByTrial(before, sameMachine)
  const worse: Change[] = []
  const better: Change[] = []
  const onlyAfter: Configuration[] = []
  let unchanged = 0
  for (const [key, configuration] of latestByTrial(after, sameMachine)) {
    const elder = older.get(key)
    if (elder === undefined) {
      onlyAfter.push(configuration)
      continue
    }
    older.delete(key)
    const found = changesOf(elder, configuration, compared)
    if (found.length === 0) unchanged += 1
    for (const change of found) (change.verdict === 'worse' ? worse : better).push(change)
  }
  const bySize = (a: Change, b: Change) =>
    size(b) - size(a) || compareText(a.after.key, b.after.key)
  return {
    worse: worse.sort(bySize),
    better: better.sort(bySize),
    unchanged,
    onlyBefore: [...older.values()],
    onlyAfter,
    from: sideOf(before),
    to: sideOf(after),
    sameMachine,
    differences: differencesBetween(before, after),
  }
}

/** Returns configurations by trial. If a side has several versions of a trial, the latest speaks for it. */
function latestByTrial(
  records: readonly BenchRecord[],
  byMachine: boolean,
): Map<string, Configuration> {
  const latest = new Map<string, Configuration>()
  const time = ({ runs }: Configuration) =>
    runs
      .map(({ startedAt }) => startedAt)
      .sort()
      .at(-1)!
  for (const item of configurationsOf(records)) {
    const key = byMachine ? `${item.scope.machine}\n${item.trialKey}` : item.trialKey
    const known = latest.get(key)
    if (known === undefined || time(known) < time(item)) latest.set(key, item)
  }
  return latest
}

function changesOf(
  before: Configuration,
  after: Configuration,
  compared: readonly Measure[],
): Change[] {
  const finishedBefore = finished(before).length > 0
  const finishedAfter = finished(after).length > 0
  if (finishedBefore !== finishedAfter) {
    return [{ before, after, verdict: finishedAfter ? 'better' : 'worse' }]
  }
  return compared.flatMap((measure) => {
    const ratio = ratioOf(after, before, measure)
    if (ratio === undefined || !isSupportedChange(ratio, measure)) return []
    const verdict = ratio.value > 1 === (measure.better === 'higher') ? 'better' : 'worse'
    return [{ before, after, figure: { measure, ratio }, verdict }]
  })
}

/** Whether the data support that a ratio differs from 1: by its interval over runs, or between single runs by its size. */
export function isSupportedChange(ratio: Ratio, measure: Measure): boolean {
  if (measure.exact === true) return ratio.value !== 1
  if (coversRuns(ratio.over)) return excludesOne(ratio)
  const large = Math.abs(Math.log(ratio.value)) > SINGLE_RUN_THRESHOLD
  return large && (ratio.interval === undefined || excludesOne(ratio))
}

/** A configuration that no longer finishes, or now does, goes before every ratio. */
function size({ figure }: Change): number {
  return figure === undefined ? Number.POSITIVE_INFINITY : Math.abs(Math.log(figure.ratio.value))
}

function sideOf(records: readonly BenchRecord[]): Side {
  const days = records.map(({ startedAt }) => startedAt.slice(0, 10)).sort()
  return {
    versions: unique(records.map(versionName)),
    machines: unique(records.map(machineName)),
    days: [days[0] ?? '', days.at(-1) ?? ''],
  }
}

function differencesBetween(
  before: readonly BenchRecord[],
  after: readonly BenchRecord[],
): (readonly [string, string, string])[] {
  const [old, fresh] = [softwareOf(before), softwareOf(after)]
  const names = unique([...old.keys(), ...fresh.keys()])
  return names.flatMap((name) => {
    const [was, is] = [old.get(name) ?? 'none', fresh.get(name) ?? 'none']
    return was === is ? [] : [[name, was, is] as const]
  })
}

function softwareOf(records: readonly BenchRecord[]): Map<string, string> {
  const values = new Map<string, Set<string>>()
  const add = (name: string, value: string) => {
    const known = values.get(name)
    if (known === undefined) values.set(name, new Set([value]))
    else known.add(value)
  }
  for (const { environment, benchmarkVersion } of records) {
    add('benchmark', benchmarkVersion)
    if (environment.node !== undefined) add('Node', environment.node)
    if (environment.browser !== undefined) add('browser', environment.browser)
    add('system', environment.os)
    if (environment.gpu?.driver !== undefined) add('GPU driver', environment.gpu.driver)
    for (const [name, version] of Object.entries(environment.packages)) add(name, version)
  }
  return new Map([...values].map(([name, found]) => [name, [...found].sort().join(', ')]))
}

function unique(items: readonly string[]): string[] {
  return [...new Set(items)].sort()
}
