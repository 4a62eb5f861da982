// Runs the trials of a sweep one after the other, and leaves a record of each. Nothing that happens to a trial ends the
// sweep: only the user does, or a record that cannot be stored.
import { describeTrial, varyingAxes, type BenchRecord } from '@embed-kd/records'

import { captureEnvironment, refreshEnvironment } from '../measure/environment.js'
import type { Progress } from '@embed-kd/distill'
import { runJob, type JobLimits } from '../trial/run-job.js'
import { obstacleTo, probeBackends } from './availability.js'
import { estimateTrials, SweepClock } from './clock.js'
import { makeRecord, type TrialOutcome } from './make-record.js'
import type { PlannedTrial } from './plan.js'
import { Preparations, type Prepared } from './prepare.js'
import { describeResult, type ProgressDisplay } from './progress.js'
import type { RecordStore } from './store.js'

export interface SweepOptions {
  readonly trials: readonly PlannedTrial[]
  readonly store: RecordStore
  readonly cacheDirectory: string
  readonly limits: JobLimits
  readonly display: ProgressDisplay
}

export interface SweepResult {
  /** Of the trials that this run made. */
  readonly records: readonly BenchRecord[]
  readonly interrupted: boolean
  /** Why the sweep ended early if a record could not be stored. */
  readonly storeError?: unknown
}

export async function runSweep(options: SweepOptions): Promise<SweepResult> {
  const { trials, store, cacheDirectory, display } = options
  const limits = { ...options.limits, onChildren: store.noteChildren }
  const pending = trials.filter(({ id }) => !store.records.has(id))
  const environment = await captureEnvironment()
  const probes = await probeBackends(pending, limits, display)
  const clock = new SweepClock(estimateTrials(pending, probes, cacheDirectory))
  const report = (progress: Progress) => display.update(progress, clock.secondsLeft)
  const preparations = new Preparations({
    cacheDirectory,
    limits,
    report,
    onStart: (what) => {
      display.line(what)
      display.begin(what)
    },
  })

  const run = async (
    trial: PlannedTrial,
    prepared: Prepared,
  ): Promise<TrialOutcome | undefined> => {
    const { teacherFile, embeddingsFile } = prepared
    const outcome = await runJob(
      'trial',
      {
        config: trial.config,
        ...(teacherFile === undefined ? {} : { teacherFile }),
        ...(embeddingsFile === undefined ? {} : { embeddingsFile }),
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
    const obstacle = obstacleTo(trial.config, probes)
    const preparation = obstacle
      ? ({ status: 'ok', output: {} } as const)
      : await preparations.prepare(trial)
    if (preparation.status === 'interrupted' || limits.signal?.aborted) break
    display.begin(`${position} ${name}`)
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
      display.end()
      return { records, interrupted: true, storeError }
    }
    records.push(record)
    clock.trialEnded()
    display.line(`${position} ${name}: ${describeResult(record)}`)
  }
  display.end()
  return { records, interrupted: records.length < pending.length }
}
