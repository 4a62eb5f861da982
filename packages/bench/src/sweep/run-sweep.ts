// Runs the trials of a sweep one after the other, and leaves a record of each. Nothing that happens to a trial ends the
// sweep: only the user does, or a record that cannot be stored.
import { describeTrial, varyingAxes, type BenchRecord } from '@embed-kd/records'

import { captureEnvironment, refreshEnvironment } from '../measure/environment.js'
import type { Progress } from '@embed-kd/distill'
import { measureTrial } from '../trial/measure-trial.js'
import type { JobLimits } from '../trial/run-job.js'
import { unavailableReason, probeBackends } from './availability.js'
import { estimateTrials, SweepClock } from './clock.js'
import { makeRecord, type TrialOutcome } from './make-record.js'
import { widthOf, type PlannedTrial } from './plan.js'
import { Preparations, type Prepared } from './prepare.js'
import { describeResult } from './describe-result.js'
import type { SweepListener } from './listener.js'
import type { RecordStore } from './store.js'

export interface SweepOptions {
  readonly trials: readonly PlannedTrial[]
  readonly store: RecordStore
  readonly cacheDirectory: string
  readonly limits: JobLimits
  readonly listener: SweepListener
}

export interface SweepResult {
  /** Records of the trials that this run made. */
  readonly records: readonly BenchRecord[]
  readonly interrupted: boolean
  /** Why the sweep ended early if a record could not be stored. */
  readonly storeError?: unknown
}

export async function runSweep(options: SweepOptions): Promise<SweepResult> {
  const { trials, store, cacheDirectory, listener } = options
  const limits = { ...options.limits, onChildren: store.noteChildren }
  const pending = trials.filter(({ id }) => !store.records.has(id))
  const environment = await captureEnvironment()
  const probes = await probeBackends(pending, limits, listener)
  const clock = new SweepClock(estimateTrials(pending, probes, cacheDirectory))
  const report = (progress: Progress) => listener.update(progress, clock.secondsLeft)
  const preparations = new Preparations({
    cacheDirectory,
    limits,
    report,
    onStart: (what) => {
      listener.line(what)
      listener.begin(what)
    },
  })

  const run = async (
    trial: PlannedTrial,
    prepared: Prepared,
  ): Promise<TrialOutcome | undefined> => {
    const { teacherFile, embeddingsFile } = prepared
    const outcome = await measureTrial(
      {
        config: trial.config,
        ...(teacherFile === undefined ? {} : { teacherFile }),
        ...(embeddingsFile === undefined ? {} : { embeddingsFile }),
        ...widthOf(trial),
      },
      {
        ...limits,
        plannedBytes: trial.work.peakBytes,
        watchDevice: true,
      },
      report,
    )
    return outcome.status === 'interrupted' ? undefined : outcome
  }

  const varying = varyingAxes(trials.map(({ description }) => description))
  const records: BenchRecord[] = []
  for (const trial of pending) {
    const position = `[${store.records.size + 1}/${trials.length}]`
    const name = describeTrial(trial.description, varying)
    const obstacle = unavailableReason(trial.config, probes)
    const preparation = obstacle
      ? ({ status: 'ok', output: {} } as const)
      : await preparations.prepare(trial)
    if (preparation.status === 'interrupted' || limits.signal?.aborted) break
    listener.begin(`${position} ${name}`)
    const startedAt = new Date()
    const began = performance.now()
    const outcome: TrialOutcome | undefined = obstacle
      ? { status: 'skipped', reason: `${obstacle.reason}; ${obstacle.remedy}` }
      : preparation.status === 'ok'
        ? await run(trial, preparation.output)
        : preparation
    if (!outcome) break
    const prepared = preparation.status === 'ok' ? preparation.output : {}
    const record = makeRecord(trial, outcome, {
      ...prepared,
      startedAt,
      wallSeconds: (performance.now() - began) / 1000,
      environment: refreshEnvironment(environment),
    })
    try {
      store.append(record)
    } catch (storeError) {
      listener.end()
      return { records, interrupted: true, storeError }
    }
    records.push(record)
    clock.trialEnded()
    listener.line(`${position} ${name}: ${describeResult(record)}`)
  }
  listener.end()
  return { records, interrupted: records.length < pending.length }
}
