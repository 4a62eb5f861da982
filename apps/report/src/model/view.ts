// The filtered records as every part of the page sees them, and which of several scopes the figures show.
import type { BenchRecord } from '@embed-kd/record'
import {
  type Comparison,
  comparisonsOf,
  type Configuration,
  configurationsOf,
  type Scope,
} from './corpus.js'
import { applyFilters, type Filters } from './filters.js'

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

export function viewOf(all: readonly BenchRecord[], filters: Filters): View {
  const records = applyFilters(all, filters)
  const configurations = configurationsOf(records)
  const comparisons = comparisonsOf(configurations)
  const weights = new Map<Scope, number>()
  for (const { scope } of configurations) weights.set(scope, (weights.get(scope) ?? 0) + 1e-6)
  for (const { embedKd } of comparisons) {
    weights.set(embedKd.scope, (weights.get(embedKd.scope) ?? 0) + 1)
  }
  const scope = [...weights].sort(([, a], [, b]) => b - a)[0]?.[0]
  return {
    records,
    configurations,
    comparisons,
    scopeCount: weights.size,
    inScope: configurations.filter((configuration) => configuration.scope === scope),
    ...(scope === undefined ? {} : { scope }),
  }
}

/** The value that most items have, the largest among equals. */
export function commonest<T>(items: readonly T[], of: (item: T) => number): number | undefined {
  const counts = new Map<number, number>()
  for (const item of items) counts.set(of(item), (counts.get(of(item)) ?? 0) + 1)
  return [...counts].sort(([a, n], [b, m]) => m - n || b - a)[0]?.[0]
}
