// Measures one trial in two processes: its memory in one, everything else in another. Neither disturbs the other's figures.
import type { Report } from '@embed-kd/distill'
import { unexplainedBytes } from '@embed-kd/records'

import type { MemoryResult, TrialJob, TrialResult } from './protocol.js'
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
    ? { ...trial, output: { ...trial.output, memory: explain(memory.output, trial.output.cost) } }
    : trial
}

/** Marks a peak that the plan for the runtime does not explain. Only the peak of a step can be compared with the plan of one. */
export function explain(memory: MemoryResult, cost: TrialResult['cost']): MemoryResult {
  const planned = cost?.planned?.runtimePeakBytes
  if (memory.source !== 'step' || planned === undefined || cost?.withoutTeacher) return memory
  const bytes = unexplainedBytes(memory, planned)
  return bytes === 0 ? memory : { ...memory, unexplainedBytes: bytes }
}
