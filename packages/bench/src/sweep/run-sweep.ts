// Runs the trials of a sweep one after the other, and leaves a record of each. Nothing that happens to a trial ends the
// sweep; only the user does.
import type { BenchRecord } from '@embed-kd/record'

import { captureEnvironment, refreshEnvironment } from '../measure/environment.js'
import type { ProbeResult, Progress } from '../trial/protocol.js'
import { runJob, type JobLimits } from '../trial/run-job.js'
import { makeRecord, type TrialOutcome } from './make-record.js'
import type { PlannedTrial } from './plan.js'
import { Preparations, type Prepared } from './prepare.js'
import { describeResult, describeTrial, type ProgressDisplay } from './progress.js'
import type { RecordStore } from './store.js'
import { estimateSeconds } from './work.js'

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
}

/** Assumed where a backend cannot be asked; only estimates depend on it. */
const ASSUMED_FLOPS_PER_SECOND = 50e9

export async function runSweep(options: SweepOptions): Promise<SweepResult> {
  const { trials, store, cacheDirectory, limits, display } = options
  const pending = trials.filter(({ id }) => !store.records.has(id))
  const environment = await captureEnvironment()
  const probes = await probeBackends(pending, limits, display)
  const clock = new Clock(pending, probes)
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
      limits,
      report,
    )
    return outcome.status === 'interrupted' ? undefined : outcome
  }

  const records: BenchRecord[] = []
  for (const [index, trial] of pending.entries()) {
    const position = `[${store.records.size + 1}/${trials.length}]`
    const name = describeTrial({ trial: trial.description })
    const probe = probes.get(trial.config.backend)!
    const preparation = probe.available
      ? await preparations.prepare(trial)
      : ({ status: 'ok', output: {} } as const)
    if (preparation.status === 'interrupted' || limits.signal?.aborted) break
    display.begin(`${position} ${name}`)
    clock.begin(index)
    const startedAt = new Date()
    const began = performance.now()
    const outcome: TrialOutcome | undefined = !probe.available
      ? { status: 'skipped', reason: `${probe.reason}; ${probe.remedy}` }
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
    store.append(record)
    records.push(record)
    clock.end()
    display.line(`${position} ${name}: ${describeResult(record)}`)
  }
  display.end()
  return { records, interrupted: records.length < pending.length }
}

async function probeBackends(
  trials: readonly PlannedTrial[],
  limits: JobLimits,
  display: ProgressDisplay,
): Promise<Map<string, ProbeResult>> {
  const probes = new Map<string, ProbeResult>()
  for (const backend of new Set(trials.map(({ config }) => config.backend))) {
    display.begin(`trying ${backend}`)
    const outcome = await runJob('probe', { backend }, limits)
    probes.set(
      backend,
      outcome.status === 'ok'
        ? outcome.output
        : {
            available: false,
            reason: 'reason' in outcome ? outcome.reason : 'interrupted',
            remedy: 'embed-kd doctor tells more',
          },
    )
  }
  return probes
}

/** Guesses how long the rest takes: by the trials' work, corrected by how long the work done so far took. */
class Clock {
  readonly #estimates: readonly number[]
  readonly #started = performance.now()
  #done = 0
  #current = 0

  constructor(trials: readonly PlannedTrial[], probes: ReadonlyMap<string, ProbeResult>) {
    this.#estimates = trials.map(({ config, work }) => {
      const probe = probes.get(config.backend)
      if (probe?.available === false) return 0
      return estimateSeconds(work.parts, probe?.gemmFlopsPerSecond ?? ASSUMED_FLOPS_PER_SECOND)
    })
  }

  begin(index: number): void {
    this.#current = index
  }

  end(): void {
    this.#done = this.#current + 1
  }

  get secondsLeft(): number {
    const sum = (from: number, to?: number) =>
      this.#estimates.slice(from, to).reduce((total, seconds) => total + seconds, 0)
    const elapsed = (performance.now() - this.#started) / 1000
    const pace = this.#done === 0 ? 1 : elapsed / Math.max(sum(0, this.#done), 1)
    return Math.max(pace * sum(0) - elapsed, 0)
  }
}
