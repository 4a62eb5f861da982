// Estimates how long a sweep takes: from the work of its trials, corrected by the time that finished trials took.
import type { ProbeResult } from '../measure/probe.js'
import { unavailableReason } from './availability.js'
import type { PlannedTrial } from './plan.js'
import { missingPreparations } from './prepare.js'
import { estimateSeconds } from './work.js'

/** Returns the seconds of each trial, with the teachers and embeddings made for it unless an earlier trial needs them too. */
export function estimateTrials(
  trials: readonly PlannedTrial[],
  speeds: ReadonlyMap<string, ProbeResult>,
  cacheDirectory: string,
): (number | undefined)[] {
  const prepared = new Set<string>()
  return trials.map((trial) => {
    const speed = speeds.get(trial.config.backend)
    if (!speed?.available || unavailableReason(trial.config, speeds)) return undefined
    const estimate = (parts: Parameters<typeof estimateSeconds>[0]) =>
      estimateSeconds(parts, speed.gemmFlopsPerSecond)
    let seconds = estimate(trial.work.parts)
    for (const [file, parts] of missingPreparations(trial, cacheDirectory)) {
      if (!prepared.has(file)) seconds += estimate(parts)
      prepared.add(file)
    }
    return seconds
  })
}

export class SweepClock {
  readonly #estimates: readonly number[]
  readonly #now: () => number
  readonly #started: number
  #done = 0
  #secondsOfDone = 0

  /** @param now clock in milliseconds. */
  constructor(
    estimates: readonly (number | undefined)[],
    now: () => number = () => performance.now(),
  ) {
    this.#estimates = estimates.map((seconds) => seconds ?? 0)
    this.#now = now
    this.#started = now()
  }

  trialEnded(): void {
    this.#done++
    this.#secondsOfDone = this.#elapsed
  }

  /** A trial that takes longer than estimated slows down the pace before it ends. */
  get secondsLeft(): number {
    const sum = (to?: number) =>
      this.#estimates.slice(0, to).reduce((total, seconds) => total + seconds, 0)
    const pace = this.#done === 0 ? 1 : this.#secondsOfDone / Math.max(sum(this.#done), 1)
    const least = this.#elapsed / Math.max(sum(this.#done + 1), 1)
    return Math.max(Math.max(pace, least) * sum() - this.#elapsed, 0)
  }

  get #elapsed(): number {
    return (this.#now() - this.#started) / 1000
  }
}
