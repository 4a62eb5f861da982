// Which trials can run on this machine: its backends are tried before anything is made for a trial.
import { complaintOf, type Complaint } from '@embed-kd/distill/node'
import { UserError } from '@embed-kd/core'
import type { TrialConfig } from '../trial/config.js'
import type { ProbeResult } from '../measure/probe.js'
import { runJob, type JobLimits } from '../trial/run-job.js'
import type { PlannedTrial } from './plan.js'
import type { ProgressDisplay } from './progress.js'

type Probes = ReadonlyMap<string, ProbeResult>

/**
 * Whether each backend of the trials works here, how fast, and in what precisions. One whose probe itself came to grief (killed,
 * crashed) is left out: its trials find out, each for itself.
 */
export async function probeBackends(
  trials: readonly Pick<PlannedTrial, 'config'>[],
  limits: JobLimits,
  display: ProgressDisplay,
): Promise<Probes> {
  const probes = new Map<string, ProbeResult>()
  for (const backend of new Set(trials.map(({ config }) => config.backend))) {
    display.begin(`trying ${backend}`)
    const outcome = await runJob('probe', { backend }, limits)
    if (outcome.status === 'ok') probes.set(backend, outcome.output)
  }
  return probes
}

/** Why a trial cannot run here; undefined where nothing is known against it. */
export function obstacleTo(
  { backend, precision }: TrialConfig,
  probes: Probes,
): Complaint | undefined {
  const probe = probes.get(backend)
  if (probe?.available === false) return probe
  return probe && complaintOf(backend, probe.dtypes, precision)
}

/** @throws UserError where one of the trials cannot run here. */
export async function requireAvailable(
  trials: readonly Pick<PlannedTrial, 'config'>[],
  limits: JobLimits,
  display: ProgressDisplay,
): Promise<void> {
  const probes = await probeBackends(trials, limits, display)
  for (const { config } of trials) {
    const obstacle = obstacleTo(config, probes)
    if (obstacle) throw new UserError(obstacle.reason, obstacle.remedy)
  }
}
