// How a configuration changed from version to version of the code, on one machine, and at which version it stepped.
import { isSupportedChange } from './changes.js'
import { ratioOf, summaryOf } from './compare.js'
import { compareText, type Configuration } from './corpus.js'
import { type Measure, stepSeconds } from './measures.js'
import type { Ratio } from './statistics.js'

export interface HistoryPoint {
  readonly configuration: Configuration
  /** Ratio to the version before; absent for the first. */
  readonly ratio?: Ratio
  /** True if the data support a change against the version before. */
  readonly step: boolean
}

export interface History {
  /** In the order in which the versions were first run. */
  readonly points: readonly HistoryPoint[]
}

/** Returns the configurations that at least two versions ran on one machine, those with most versions first. */
export function historiesOf(
  configurations: readonly Configuration[],
  measure: Measure = stepSeconds,
): History[] {
  const groups = new Map<string, Configuration[]>()
  for (const item of configurations) {
    if (summaryOf(item, measure) === undefined) continue
    const key = `${item.scope.machine}\n${item.trialKey}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return [...groups.values()]
    .filter((group) => new Set(group.map(({ scope }) => scope.version)).size > 1)
    .map((group) => ({ points: pointsOf(group.toSorted(byTime), measure) }))
    .sort(
      (a, b) =>
        b.points.length - a.points.length ||
        compareText(a.points[0]!.configuration.key, b.points[0]!.configuration.key),
    )
}

function byTime(a: Configuration, b: Configuration): number {
  return compareText(firstStart(a), firstStart(b)) || compareText(a.key, b.key)
}

export function firstStart({ runs }: Configuration): string {
  return runs.reduce(
    (first, { startedAt }) => (startedAt < first ? startedAt : first),
    runs[0]!.startedAt,
  )
}

function pointsOf(versions: readonly Configuration[], measure: Measure): HistoryPoint[] {
  return versions.map((configuration, at): HistoryPoint => {
    const ratio = at === 0 ? undefined : ratioOf(configuration, versions[at - 1]!, measure)
    if (ratio === undefined) return { configuration, step: false }
    return { configuration, ratio, step: isSupportedChange(ratio, measure) }
  })
}
