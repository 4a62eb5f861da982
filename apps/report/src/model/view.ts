// The filtered records as every part of the page sees them, and which of several scopes the figures show.
import {
  axes,
  axisKey,
  axisWords,
  type BenchRecord,
  compareText,
  type Comparison,
  comparisonsOf,
  type Configuration,
  distinguishingAxes,
  finished,
  isControl,
  isSearch,
  type Scope,
  scopeName,
  settingKey,
} from '@embed-kd/records'
import { type Filters, passing } from './filters.js'

export interface View {
  /** Configurations of all records, filtered or not: they tell what was never run from what is filtered out. */
  readonly all: readonly Configuration[]
  readonly records: readonly BenchRecord[]
  /** Results; trials of a search are apart, since they were not tested. */
  readonly configurations: readonly Configuration[]
  readonly searches: readonly Configuration[]
  readonly comparisons: readonly Comparison[]
  /** If several scopes pass the filters, the one with most comparisons; figures whose axes are costs show it. */
  readonly scope?: Scope
  readonly scopeCount: number
  /** Configurations of that scope. Controls are no methods, and have a table of their own. */
  readonly inScope: readonly Configuration[]
}

/**
 * Returns what passes the filters. A configuration that keeps all of its runs stays the same object, so that its means
 * and ratios are not recomputed for the next view.
 */
export function viewOf(all: readonly Configuration[], filters: Filters): View {
  const passes = passing(filters)
  const filtered = all.flatMap((configuration) => {
    const runs = configuration.runs.filter(passes)
    if (runs.length === configuration.runs.length) return configuration
    return runs.length === 0 ? [] : { ...configuration, runs }
  })
  const searches = filtered.filter(({ trial }) => isSearch(trial))
  const configurations =
    searches.length === 0 ? filtered : filtered.filter(({ trial }) => !isSearch(trial))
  const comparisons = comparisonsOf(configurations)
  const weights = new Map<Scope, number>()
  for (const { scope } of configurations) weights.set(scope, (weights.get(scope) ?? 0) + 1e-6)
  for (const { embedKd } of comparisons) {
    weights.set(embedKd.scope, (weights.get(embedKd.scope) ?? 0) + 1)
  }
  const scope = [...weights].sort(
    ([one, a], [other, b]) => b - a || compareText(one.key, other.key),
  )[0]?.[0]
  return {
    all,
    records: filtered.flatMap(({ runs }) => runs),
    configurations,
    searches,
    comparisons,
    scopeCount: weights.size,
    inScope: configurations.filter((item) => item.scope === scope && !isControl(item.trial)),
    ...(scope === undefined ? {} : { scope }),
  }
}

/**
 * Returns the configurations of the setting in which most of them finished, of the largest batch among equals: they differ in the
 * method and its teacher alone.
 */
export function bestCoveredSetting(items: readonly Configuration[]): readonly Configuration[] {
  const groups = new Map<string, Configuration[]>()
  for (const item of items) {
    const key = settingKey(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  const done = (group: readonly Configuration[]) =>
    group.filter((item) => finished(item).length > 0).length
  const [best] = [...groups.values()].sort(
    (a, b) =>
      done(b) - done(a) ||
      b[0]!.trial.batch - a[0]!.trial.batch ||
      compareText(a[0]!.key, b[0]!.key),
  )
  return best && done(best) > 0 ? best : []
}

/** Returns one configuration of each method and teacher: the one with fewest prototypes. */
export function plainVariants(setting: readonly Configuration[]): Configuration[] {
  const prototypes = ({ trial }: Configuration) => trial.prototypes ?? 1
  const plain = new Map<string, Configuration>()
  for (const item of setting.toSorted((a, b) => prototypes(b) - prototypes(a)))
    plain.set(`${item.method}\n${axisKey(item.trial, 'teacher')}`, item)
  const chosen = new Set(plain.values())
  return setting.filter((item) => chosen.has(item))
}

/** Returns words for the setting of a configuration: its batch, what tells it from the others in scope, and the scope. */
export function settingWords({ trial, scope }: Configuration, inScope: readonly Configuration[]) {
  const telling = distinguishingAxes(inScope.map((item) => item.trial)).filter(
    (name) => axes[name].role === 'setting' && !['batch', 'teacher', 'kdWeight'].includes(name),
  )
  const words = telling.flatMap((name) => axisWords(trial, name) ?? [])
  return [`batch ${trial.batch}`, ...words, scopeName(scope)].join('; ')
}

/** Returns the batch size at which most configurations finished, the largest among equals. */
export function bestCoveredBatch(items: readonly Configuration[]): number | undefined {
  const counts = new Map<number, number>()
  for (const item of items) {
    const { batch } = item.trial
    if (finished(item).length > 0) counts.set(batch, (counts.get(batch) ?? 0) + 1)
  }
  return [...counts].sort(([a, n], [b, m]) => m - n || b - a)[0]?.[0]
}
