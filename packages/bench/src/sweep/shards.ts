// The part of a plan that one shard runs.
import type { PlannedTrial } from './plan.js'
import { planSweep } from './search.js'

/** The trials of a search and the results that depend on it run in one place. */
interface Unit {
  readonly trials: readonly PlannedTrial[]
  readonly flops: number
}

function unitsOf(trials: readonly PlannedTrial[]): Unit[] {
  const units = new Map<PlannedTrial, PlannedTrial[]>()
  const flops = new Map<PlannedTrial, number>()
  for (const { candidates, searches } of planSweep(trials).results) {
    const key = searches[0] ?? candidates[0]!
    const members = units.get(key) ?? [...searches]
    units.set(key, [...members, ...candidates])
    const before = flops.get(key) ?? searches.reduce((sum, { work }) => sum + work.flops, 0)
    flops.set(key, before + candidates[0]!.work.flops)
  }
  return [...units].map(([key, members]) => ({ trials: members, flops: flops.get(key)! }))
}

/**
 * Returns the trials of shard `index` (from 1) of `count`, in the order of the plan. Shards are the same on every machine and
 * have about the same FLOPs: the largest trial goes first, each to the shard that has least (Graham 1969). The trials of a
 * search stay together with the results that depend on it.
 */
export function shardOf(
  trials: readonly PlannedTrial[],
  { index, count }: { readonly index: number; readonly count: number },
): PlannedTrial[] {
  const units = unitsOf(trials)
  // Shards beyond the number of units are empty.
  const loads = new Array<number>(Math.min(count, units.length)).fill(0)
  const mine = new Set<PlannedTrial>()
  const largestFirst = units.toSorted(
    (a, b) => b.flops - a.flops || (a.trials[0]!.id < b.trials[0]!.id ? -1 : 1),
  )
  for (const unit of largestFirst) {
    const lightest = loads.indexOf(Math.min(...loads))
    loads[lightest]! += unit.flops
    if (lightest === index - 1) for (const trial of unit.trials) mine.add(trial)
  }
  return trials.filter((trial) => mine.has(trial))
}
