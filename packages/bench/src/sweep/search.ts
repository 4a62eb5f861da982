// The search for hyperparameters that precedes a sweep's results: the same values are tried for each method and setting with one
// seed that no result has, judged on held-out training images. The results then run with the best values.
import { UserError } from '@embed-kd/core'
import {
  SEARCHED_AXES,
  type BenchRecord,
  type SearchedAxis,
  type SearchSpace,
} from '@embed-kd/records'

import type { TrialConfig } from '../axes/config.js'
import type { PlannedTrial } from './plan.js'

/** Seed of all trials of a search. */
export const SEARCH_SEED = 1_000_000

/** A result of a sweep. If a search chooses its values, the trial is one of several candidates. */
export interface PlannedResult {
  /** One trial for each choice of values, in the order of `searches`; a single one if nothing is searched. */
  readonly candidates: readonly PlannedTrial[]
  /** Trials of the search. */
  readonly searches: readonly PlannedTrial[]
}

export interface PlannedSweep {
  readonly searches: readonly PlannedTrial[]
  readonly results: readonly PlannedResult[]
}

/** Splits planned trials into those of searches, which come first, and the results, each with its candidates. */
export function planSweep(trials: readonly PlannedTrial[]): PlannedSweep {
  const searches = new Map<string, PlannedTrial[]>()
  const results = new Map<string, PlannedTrial[]>()
  for (const trial of trials) {
    const { config } = trial
    const [groups, seed] =
      config.purpose === 'search' ? [searches, undefined] : [results, config.seed]
    const key = groupKey(config, seed)
    groups.set(key, [...(groups.get(key) ?? []), trial])
  }
  return {
    searches: [...searches.values()].flat(),
    results: [...results.values()].map((candidates) => ({
      candidates,
      searches: searches.get(groupKey(candidates[0]!.config, undefined)) ?? [],
    })),
  }
}

/** Returns a key that all trials share among which a search chooses. */
function groupKey(config: TrialConfig, seed: number | undefined): string {
  const searched = Object.keys(config.search ?? {}).map((name) => [name, undefined])
  return JSON.stringify({
    ...config,
    ...Object.fromEntries(searched),
    purpose: undefined,
    seed,
  })
}

/** The choice among the candidates of a result. */
export type Choice =
  | { readonly status: 'open' }
  | { readonly status: 'failed'; readonly trial: PlannedTrial; readonly reason: string }
  | {
      readonly status: 'chosen'
      readonly trial: PlannedTrial
      readonly searched?: NonNullable<BenchRecord['searched']>
    }

/** Chooses the candidate whose values were best in the search; the first one of several that are equally good. */
export function chooseCandidate(
  { candidates, searches }: PlannedResult,
  records: ReadonlyMap<string, BenchRecord>,
): Choice {
  if (searches.length === 0) return { status: 'chosen', trial: candidates[0]! }
  const found = searches.map(({ id }) => records.get(id))
  if (found.includes(undefined)) return { status: 'open' }
  const accuracies = found.map((record) => record!.checkpoint?.accuracy)
  const best = Math.max(...accuracies.map((accuracy) => accuracy ?? -1))
  if (best < 0) {
    const { reason = 'it has no held-out accuracy' } = found[0]!
    return {
      status: 'failed',
      trial: candidates[0]!,
      reason: `no trial of the search for hyperparameters finished (the first one: ${reason})`,
    }
  }
  return {
    status: 'chosen',
    trial: candidates[accuracies.indexOf(best)]!,
    searched: {
      seed: SEARCH_SEED,
      trials: searches.map(({ id, config }, i) => ({
        id,
        values: searchedValues(config),
        ...(accuracies[i] === undefined ? {} : { accuracy: accuracies[i] }),
      })),
    },
  }
}

/** Returns the values of the axes that were searched, those aside that the method has no use for. */
const searchedValues = (config: TrialConfig): { [Name in SearchedAxis]?: number } =>
  Object.fromEntries(
    SEARCHED_AXES.flatMap((name) =>
      config.search?.[name] && config[name] !== undefined ? [[name, config[name]]] : [],
    ),
  )

/** Checks a search. @throws UserError if it cannot be run, or would judge by what it must not know. */
export function checkSearch(
  search: SearchSpace,
  {
    steps,
    firstSeed,
    seeds,
  }: { steps?: readonly unknown[] | undefined; firstSeed: number; seeds: number },
): void {
  if (Object.keys(search).length === 0)
    throw new UserError(
      'the search has no hyperparameter',
      'give values, such as --search learning-rate=1e-4,1e-3',
    )
  if (steps !== undefined)
    throw new UserError(
      'a search needs accuracies, but trials of a number of steps measure their cost alone',
      'give --epochs or --images-seen instead of --steps',
    )
  if (firstSeed <= SEARCH_SEED && SEARCH_SEED < firstSeed + seeds)
    throw new UserError(
      `seed ${SEARCH_SEED} is that of the search, and no result may have it`,
      'choose another --first-seed',
    )
}
