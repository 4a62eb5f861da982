// Runs the trials of a sweep one after the other, and leaves a record of each. Nothing that happens to a trial ends the
// sweep: only the user does, or a record that cannot be stored.
import { describeTrial, varyingAxes, type BenchRecord } from '@embed-kd/records'
import { formatDuration } from '@embed-kd/records/terminal'

import { captureEnvironment, refreshEnvironment } from '../measure/environment.js'
import type { Progress } from '@embed-kd/distill'
import { measureTrial } from '../trial/measure-trial.js'
import type { JobLimits } from '../trial/run-job.js'
import type { ProbeResult } from '../measure/probe.js'
import { unavailableReason, probeBackends } from './availability.js'
import { estimateTrials, SweepClock } from './clock.js'
import { makeRecord, type TrialOutcome } from './make-record.js'
import { widthOf, type PlannedTrial } from './plan.js'
import { Preparations, type Prepared } from './prepare.js'
import { chooseCandidate, planSweep, type Choice, type PlannedResult } from './search.js'
import { describeResult } from './describe-result.js'
import type { SweepListener } from './listener.js'
import type { RecordStore } from './store.js'

export interface SweepOptions {
  readonly trials: readonly PlannedTrial[]
  readonly store: RecordStore
  readonly cacheDirectory: string
  readonly limits: JobLimits
  readonly listener: SweepListener
  /** Called when a record is on the disk; the sweep ends if it fails. */
  readonly onRecord?: (() => Promise<void>) | undefined
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
  const sweep = planSweep(trials)
  // Trials of searches come first: they decide which trials the results are.
  const all = [...sweep.searches.map(asResult), ...sweep.results]
  const pending = all.filter((item) => !isDone(item, store.records))
  const environment = await captureEnvironment()
  const first = pending.map(({ candidates }) => candidates[0]!)
  const probes = await probeBackends(first, limits, listener)
  const clock = new SweepClock(estimateTrials(first, probes, cacheDirectory))
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
      { ...limits, watchDevice: true },
      report,
    )
    return outcome.status === 'interrupted' ? undefined : outcome
  }

  const varying = varyingAxes(trials.map(({ description }) => description))
  const records: BenchRecord[] = []
  for (const [i, item] of pending.entries()) {
    const choice = chooseCandidate(item, store.records)
    if (choice.status === 'open') throw new Error('the results of a search came before its trials')
    const { trial } = choice
    const position = `[${all.length - pending.length + i + 1}/${all.length}]`
    const name = describeTrial(trial.description, varying)
    const obstacle = obstacleOf(choice, probes)
    const preparation =
      obstacle === undefined
        ? await preparations.prepare(trial)
        : ({ status: 'ok', output: {} } as const)
    if (preparation.status === 'interrupted' || limits.signal?.aborted) break
    listener.begin(`${position} ${name}`)
    const startedAt = new Date()
    const began = performance.now()
    const outcome: TrialOutcome | undefined =
      obstacle !== undefined
        ? { status: 'skipped', reason: obstacle }
        : preparation.status === 'ok'
          ? await run(trial, preparation.output)
          : preparation
    if (!outcome) break
    const prepared = preparation.status === 'ok' ? preparation.output : {}
    const record = makeRecord(trial, outcome, {
      ...prepared,
      ...(choice.status === 'chosen' && choice.searched ? { searched: choice.searched } : {}),
      startedAt,
      wallSeconds: (performance.now() - began) / 1000,
      environment: refreshEnvironment(environment),
    })
    try {
      store.append(record)
      await options.onRecord?.()
    } catch (storeError) {
      listener.end()
      return { records, interrupted: true, storeError }
    }
    records.push(record)
    clock.trialEnded()
    const left = i === pending.length - 1 ? '' : `; about ${formatDuration(clock.secondsLeft)} left`
    listener.line(`${position} ${name}: ${describeResult(record)}${left}`)
  }
  listener.end()
  return { records, interrupted: records.length < pending.length }
}

const asResult = (trial: PlannedTrial): PlannedResult => ({ candidates: [trial], searches: [] })

/** Whether a result is there: it needs the trials of its search to tell which trial it is. */
function isDone(item: PlannedResult, records: ReadonlyMap<string, BenchRecord>): boolean {
  const choice = chooseCandidate(item, records)
  return choice.status !== 'open' && records.has(choice.trial.id)
}

/** Returns why a trial cannot run; undefined if it can. */
function obstacleOf(
  choice: Exclude<Choice, { status: 'open' }>,
  probes: ReadonlyMap<string, ProbeResult>,
): string | undefined {
  if (choice.status === 'failed') return choice.reason
  const unavailable = unavailableReason(choice.trial.config, probes)
  return unavailable && `${unavailable.reason}; ${unavailable.remedy}`
}
