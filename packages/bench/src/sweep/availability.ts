// Tells which trials can run on this machine. Backends are tried before anything is made for a trial.
import { complaintOf, type Complaint } from '@embed-kd/distill/node'
import { UserError } from '@embed-kd/core'
import type { TrialConfig } from '../trial/config.js'
import type { ProbeResult } from '../measure/probe.js'
import { runJob, type JobLimits } from '../trial/run-job.js'
import type { PlannedTrial } from './plan.js'
import type { SweepListener } from './listener.js'

type Probes = ReadonlyMap<string, ProbeResult>

/**
 * Tries each backend of the trials: whether it works here, how fast, and in which precisions. A backend whose probe crashes or is
 * killed is left out of the result; each of its trials then reports the failure itself.
 */
export async function probeBackends(
  trials: readonly Pick<PlannedTrial, 'config'>[],
  limits: JobLimits,
  listener: SweepListener,
): Promise<Probes> {
  const probes = new Map<string, ProbeResult>()
  for (const backend of new Set(trials.map(({ config }) => config.backend))) {
    listener.begin(`trying ${backend}`)
    const outcome = await runJob('probe', { backend }, limits)
    if (outcome.status === 'ok') probes.set(backend, outcome.output)
  }
  return probes
}

/** Returns why a trial cannot run here; undefined if there is no known reason. */
export function unavailableReason(
  { backend, precision }: TrialConfig,
  probes: Probes,
): Complaint | undefined {
  const probe = probes.get(backend)
  if (probe?.available === false) return probe
  return probe && complaintOf(backend, probe.dtypes, precision)
}

/** Checks that all trials can run here. @throws UserError if one cannot. */
export async function requireAvailable(
  trials: readonly Pick<PlannedTrial, 'config'>[],
  limits: JobLimits,
  listener: SweepListener,
): Promise<void> {
  const probes = await probeBackends(trials, limits, listener)
  for (const { config } of trials) {
    const obstacle = unavailableReason(config, probes)
    if (obstacle) throw new UserError(obstacle.reason, obstacle.remedy)
  }
}
