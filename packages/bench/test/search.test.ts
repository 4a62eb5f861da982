// Searches for hyperparameters: which trials they are, what they choose, and that they stay together; and the time that is left.
import type { BenchRecord } from '@embed-kd/records'
import { beforeAll, describe, expect, it } from 'vitest'

import { temporaryDirectory } from '../../distill/test/temporary.js'
import { tinyGrid, writeTinyDataset } from '../../distill/test/tiny.js'
import { SweepClock } from '../src/sweep/clock.js'
import { expandGrids, parseGrids } from '../src/sweep/grid.js'
import { planTrials, type PlannedTrial } from '../src/sweep/plan.js'
import { chooseCandidate, planSweep, SEARCH_SEED, type PlannedSweep } from '../src/sweep/search.js'
import { shardOf } from '../src/sweep/shards.js'

const dataset = writeTinyDataset(temporaryDirectory())
const { learningRate: _given, ...grid } = tinyGrid(dataset, {
  method: ['supervised', 'embed-kd'],
  labels: ['50%', '100%'],
  epochs: 2,
  seeds: 3,
  search: { learningRate: [1e-3, 1e-2], kdWeight: [1, 5, 20] },
}) as Record<string, unknown>
const expand = (fields: object = {}) =>
  expandGrids(parseGrids({ grids: [{ ...grid, ...fields }] }, 'test'))

let trials: PlannedTrial[]
let sweep: PlannedSweep
beforeAll(async () => {
  trials = await planTrials(expand())
  sweep = planSweep(trials)
})

/** Records in which the accuracy of a search trial is that of a function; undefined if it failed. */
const recordsOf = (
  searches: readonly PlannedTrial[],
  accuracyOf: (trial: PlannedTrial['config'], i: number) => number | undefined,
) =>
  new Map(
    searches.map((trial, i) => {
      const accuracy = accuracyOf(trial.config, i)
      const checkpoint = accuracy === undefined ? {} : { checkpoint: { accuracy } }
      const record = { reason: 'the loss is not finite', ...checkpoint } as unknown as BenchRecord
      return [trial.id, record]
    }),
  )

describe('a search', () => {
  it('tries all values that a method has for each setting, with one seed that no result has', () => {
    const { searches, results } = sweep
    expect(searches).toHaveLength(2 * (2 + 6))
    expect(searches.every(({ config }) => config.seed === SEARCH_SEED)).toBe(true)
    expect(searches.every(({ config }) => config.purpose === 'search')).toBe(true)
    expect(results).toHaveLength(3 * 2 * 2)
    for (const { candidates, searches: tried } of results) {
      const [{ config }] = candidates as [PlannedTrial]
      expect(config).toMatchObject({ search: grid['search'] })
      expect(config.purpose).toBeUndefined()
      expect(candidates).toHaveLength(config.method === 'supervised' ? 2 : 6)
      const values = (each: readonly PlannedTrial[]) =>
        each.map(({ config: { learningRate, kdWeight, method, labels } }) => [
          learningRate,
          kdWeight,
          method,
          labels,
        ])
      expect(values(candidates)).toEqual(values(tried))
    }
    expect(new Set(trials.map(({ id }) => id)).size).toBe(trials.length)
  })

  it('chooses the values of the best held-out accuracy, the first ones if several are as good', () => {
    const records = recordsOf(sweep.searches, ({ learningRate, kdWeight }) =>
      learningRate === 1e-2 && kdWeight !== 20 ? 0.75 : 0.5,
    )
    for (const result of sweep.results) {
      const choice = chooseCandidate(result, records)
      expect(choice).toMatchObject({
        status: 'chosen',
        trial: { config: { learningRate: 1e-2 } },
        searched: { seed: SEARCH_SEED },
      })
      if (choice.status !== 'chosen') continue
      const { method, kdWeight } = choice.trial.config
      expect(kdWeight).toBe(method === 'supervised' ? undefined : 1)
      expect(choice.searched!.trials).toHaveLength(method === 'supervised' ? 2 : 6)
      expect(choice.searched!.trials[0]).toMatchObject({
        values: { learningRate: 1e-3 },
        accuracy: 0.5,
      })
    }
  })

  it('is open until all its trials have a record, and fails if none has an accuracy', () => {
    const [result] = sweep.results
    const some = recordsOf(result!.searches.slice(1), () => 0.5)
    expect(chooseCandidate(result!, some)).toEqual({ status: 'open' })
    const failed = recordsOf(result!.searches, () => undefined)
    expect(chooseCandidate(result!, failed)).toMatchObject({
      status: 'failed',
      reason:
        'no trial of the search for hyperparameters finished (the first one: the loss is not finite)',
    })
    const one = recordsOf(result!.searches, (_, i) => (i === 1 ? 0.1 : undefined))
    expect(chooseCandidate(result!, one)).toMatchObject({
      status: 'chosen',
      trial: { id: result!.candidates[1]!.id },
    })
  })

  it('stays in one shard with the results that depend on it', () => {
    const parts = [1, 2, 3].map((index) => shardOf(trials, { index, count: 3 }))
    expect(
      parts
        .flat()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(trials.map(({ id }) => id).toSorted())
    for (const part of parts)
      for (const { searches, candidates } of planSweep(part).results)
        expect([searches.length, candidates.length]).toEqual(
          candidates[0]!.config.method === 'supervised' ? [2, 2] : [6, 6],
        )
  })

  it.each([
    [{ steps: 2, epochs: undefined }, 'a search needs accuracies'],
    [{ search: {} }, 'the search has no hyperparameter'],
    [{ search: { batch: [8] } }, 'batch'],
    [{ search: { weightDecay: [-1] } }, 'weightDecay cannot be -1; give a number from 0 on'],
    [
      { learningRate: 1e-3 },
      'test: learning rate is both given and searched; leave out --learning-rate',
    ],
    [{ firstSeed: SEARCH_SEED - 1 }, 'seed 1000000 is that of the search'],
  ])('complains of %j', (fields, message) => {
    expect(() => expand(fields)).toThrow(message)
  })

  it('is refused where no accuracy is measured', async () => {
    const configs = expand({ method: ['teacher-kd'], teacher: 'vit-base-32' })
    await expect(planTrials(configs)).rejects.toThrow(
      'a search cannot judge teacher-kd by accuracy: the teacher vit-base-32 has random weights',
    )
  })
})

describe('the time that is left', () => {
  it('follows the pace of finished trials, and of one that takes too long', () => {
    let seconds = 0
    const clock = new SweepClock([10, 10, 20], () => 1000 * seconds)
    expect(clock.secondsLeft).toBe(40)
    seconds = 5
    expect(clock.secondsLeft).toBe(35)
    // The first trial takes twice its estimate: so will the others.
    seconds = 20
    expect(clock.secondsLeft).toBe(60)
    clock.trialEnded()
    expect(clock.secondsLeft).toBe(60)
    seconds = 30
    expect(clock.secondsLeft).toBe(50)
    seconds = 80
    expect(clock.secondsLeft).toBe(80)
  })
})
