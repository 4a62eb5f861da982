// The filtered records as every part of the page sees them, and which of several scopes the figures show.
import type { BenchRecord } from '@embed-kd/records'
import { type Comparison, comparisonsOf, type Configuration, type Scope } from '@embed-kd/records'
import { type Filters, passing } from './filters.js'
import { finished } from '@embed-kd/records'

export interface View {
  readonly records: readonly BenchRecord[]
  readonly configurations: readonly Configuration[]
  readonly comparisons: readonly Comparison[]
  /** Where several scopes pass the filters, the one with most comparisons; the figures with axes of cost show it. */
  readonly scope?: Scope
  readonly scopeCount: number
  /** Configurations of that scope. */
  readonly inScope: readonly Configuration[]
}

/**
 * What passes the filters. A configuration that keeps all of its runs stays the same object, so that what is known of
 * it from one view (means, ratios) is not computed again for the next.
 */
export function viewOf(all: readonly Configuration[], filters: Filters): View {
  const passes = passing(filters)
  const configurations = all.flatMap((configuration) => {
    const runs = configuration.runs.filter(passes)
    if (runs.length === configuration.runs.length) return configuration
    return runs.length === 0 ? [] : { ...configuration, runs }
  })
  const comparisons = comparisonsOf(configurations)
  const weights = new Map<Scope, number>()
  for (const { scope } of configurations) weights.set(scope, (weights.get(scope) ?? 0) + 1e-6)
  for (const { embedKd } of comparisons) {
    weights.set(embedKd.scope, (weights.get(embedKd.scope) ?? 0) + 1)
  }
  const scope = [...weights].sort(([, a], [, b]) => b - a)[0]?.[0]
  return {
    records: configurations.flatMap(({ runs }) => runs),
    configurations,
    comparisons,
    scopeCount: weights.size,
    inScope: configurations.filter((configuration) => configuration.scope === scope),
    ...(scope === undefined ? {} : { scope }),
  }
}

/** The batch size at which most configurations finished, the largest among equals. */
export function bestCoveredBatch(items: readonly Configuration[]): number | undefined {
  const counts = new Map<number, number>()
  for (const item of items) {
    const { batch } = item.trial
    if (finished(item).length > 0) counts.set(batch, (counts.get(batch) ?? 0) + 1)
  }
  return [...counts].sort(([a, n], [b, m]) => m - n || b - a)[0]?.[0]
}
