// Measures one trial in two processes: its memory in one, everything else in another. Neither disturbs the other's figures.
import type { Report } from '@embed-kd/distill'

import type { TrialJob, TrialResult } from './protocol.js'
import { runJob, type JobLimits, type Outcome } from './run-job.js'

/** Runs a trial. Memory comes first: a trial that does not fit ends early. */
export async function measureTrial(
  job: TrialJob,
  limits: JobLimits,
  report?: Report,
): Promise<Outcome<TrialResult>> {
  const memory = await runJob('memory', job, limits, report)
  if (memory.status !== 'ok') return memory
  const trial = await runJob('trial', job, limits, report)
  return trial.status === 'ok'
    ? { ...trial, output: { ...trial.output, memory: memory.output } }
    : trial
}
