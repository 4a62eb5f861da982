// Finds the largest batch of a configuration that fits a memory limit by running it, since a runtime may need memory that a
// plan does not know of. The plan only says where to begin.
import { UserError } from '@embed-kd/core'
import { describeTrial } from '@embed-kd/records'
import type { TrialConfig } from '../trial/config.js'
import type { Report } from '@embed-kd/distill'
import type { TrialResult } from '../trial/protocol.js'
import { measureTrial } from '../trial/measure-trial.js'
import type { JobLimits } from '../trial/run-job.js'
import { planTrials, widthOf, type PlannedTrial } from './plan.js'
import type { Preparations } from './prepare.js'

export interface Attempt {
  readonly batch: number
  readonly fits: boolean
}

export interface SearchResult {
  /** Largest batch that fits; undefined if even one image does not fit. */
  readonly batch: number | undefined
  readonly attempts: readonly Attempt[]
}

/** The answer is at most one part in so many too small. */
const PRECISION = 16

/**
 * Searches the largest batch that fits: doubles or halves `guess` until the limit is passed, then halves the interval.
 * @param largest largest batch that is tried.
 */
export async function searchLargestBatch(
  guess: number,
  largest: number,
  tryBatch: (batch: number) => Promise<boolean>,
): Promise<SearchResult> {
  const attempts: Attempt[] = []
  const fits = async (batch: number) => {
    const result = await tryBatch(batch)
    attempts.push({ batch, fits: result })
    return result
  }
  let low = 0
  let high = largest + 1
  let next = Math.min(Math.max(Math.round(guess), 1), largest)
  while (high - low > Math.max(1, low / PRECISION)) {
    if (await fits(next)) low = next
    else high = next
    next =
      high > largest
        ? Math.min(2 * low, largest)
        : low === 0
          ? Math.floor(high / 2)
          : Math.floor((low + high) / 2)
    if (next === 0 || next === low) break
  }
  return { batch: low === 0 ? undefined : low, attempts }
}

export interface MaxBatch {
  readonly trial: PlannedTrial
  readonly result: SearchResult
  /** Measurements of the largest batch that fits. */
  readonly measured: TrialResult | undefined
}

/** Resident memory of a process that has loaded a runtime and a small data set. Only the start of the search depends on it. */
const TYPICAL_BASELINE_BYTES = 200 * 2 ** 20
const SAMPLED_STEPS = 2

/**
 * Searches the largest batch of each configuration, whatever its own batch and length.
 * @throws UserError if a trial fails for another reason than memory.
 */
export async function findMaxBatches(
  configs: readonly TrialConfig[],
  preparations: Preparations,
  limits: JobLimits,
  onStart: (what: string) => void,
  report: Report,
): Promise<MaxBatch[]> {
  const found: MaxBatch[] = []
  for (const config of distinct(configs)) {
    // A batch of micro-batches grows by whole ones.
    const { microBatch: unit = 1 } = config
    const withUnits = async (units: number) =>
      (await planTrials([{ ...config, batch: units * unit }]))[0]!
    const [one, two] = [await withUnits(1), await withUnits(2)]
    const perUnit = two.work.peakBytes - one.work.peakBytes
    const room = (limits.memoryLimitBytes ?? 0) - TYPICAL_BASELINE_BYTES - one.work.peakBytes
    const prepared = await preparations.prepare(one)
    if (prepared.status === 'interrupted') break
    if (prepared.status !== 'ok') throw failed(one, prepared.reason)
    const { teacherFile, embeddingsFile } = prepared.output
    let measured: TrialResult | undefined
    const result = await searchLargestBatch(
      room / perUnit,
      Math.floor(one.data.trainImages / unit),
      async (units) => {
        const batch = units * unit
        onStart(`batch ${batch}: ${describeTrial({ ...one.description, batch })}`)
        const job = {
          config: { ...config, batch },
          ...(teacherFile === undefined ? {} : { teacherFile }),
          ...(embeddingsFile === undefined ? {} : { embeddingsFile }),
          ...widthOf(one),
        }
        const outcome = await measureTrial(job, limits, report)
        if (outcome.status === 'ok') measured = outcome.output
        else if (outcome.status !== 'oom')
          throw failed(one, 'reason' in outcome ? outcome.reason : outcome.status)
        return outcome.status === 'ok'
      },
    )
    found.push({
      trial: await withUnits(result.batch ?? 1),
      result: {
        batch: result.batch && result.batch * unit,
        attempts: result.attempts.map(({ batch, fits }) => ({ batch: batch * unit, fits })),
      },
      measured,
    })
  }
  return found
}

/** Returns each configuration once, with one seed and a few steps. */
const distinct = (configs: readonly TrialConfig[]): TrialConfig[] => {
  const searched = configs.map(({ epochs: _epochs, imagesSeen: _seen, ...config }) => ({
    ...config,
    batch: 1,
    seed: 0,
    steps: SAMPLED_STEPS,
  }))
  return [...new Map(searched.map((config) => [JSON.stringify(config), config])).values()]
}

const failed = ({ description }: PlannedTrial, reason: string): UserError =>
  new UserError(
    `the search stops, since a trial failed for another reason than memory: ${describeTrial(description)}: ${reason}`,
    'fix the cause, which embed-kd bench --steps 1 shows too, and search again',
  )
