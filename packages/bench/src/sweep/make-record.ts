// Makes the record of a trial from its plan, its outcome and its circumstances.
import { SCHEMA_VERSION, type BenchRecord, type Environment, type Trial } from '@embed-kd/records'

import { isCostOnly } from '../trial/config.js'
import type { EmbedResult, TrialResult } from '../trial/protocol.js'
import type { Failure } from '../trial/run-job.js'
import type { Observed } from '../trial/watch.js'
import { BENCHMARK_VERSION, type PlannedTrial } from './plan.js'
import type { KnownTeacher } from './prepare.js'
import { formatRerun } from './rerun.js'

export type TrialOutcome =
  | { readonly status: 'ok'; readonly output: TrialResult; readonly observed: Observed }
  | Failure
  | { readonly status: 'skipped'; readonly reason: string }

export interface Circumstances {
  readonly startedAt: Date
  readonly wallSeconds: number
  readonly environment: Environment
  /** Accuracy of the teacher and digest of a trained one. */
  readonly teacher?: KnownTeacher
  /** The same for each of several teachers. */
  readonly members?: readonly (KnownTeacher | undefined)[]
  readonly embeddings?: EmbedResult
  /** The search that chose the trial's hyperparameters. */
  readonly searched?: NonNullable<BenchRecord['searched']>
}

export function makeRecord(
  { id, config, description }: PlannedTrial,
  outcome: TrialOutcome,
  { startedAt, wallSeconds, environment, embeddings, searched, ...known }: Circumstances,
): BenchRecord {
  const trial = withKnown(description, known)
  const rerunCommand = formatRerun(config)
  const record = {
    schemaVersion: SCHEMA_VERSION,
    id,
    benchmarkVersion: BENCHMARK_VERSION,
    trial,
    status: outcome.status,
    costOnly: isCostOnly(config),
    startedAt: startedAt.toISOString(),
    wallSeconds,
    ...(rerunCommand === undefined ? {} : { rerunCommand }),
    ...(embeddings ? { embeddings } : {}),
    ...(searched ? { searched } : {}),
  } as const
  if (outcome.status !== 'ok') return { ...record, ...outcome, environment }
  const { versions, ...measured } = outcome.output
  const packages = { ...environment.packages, ...versions }
  return {
    ...record,
    ...measured,
    ...seenFromOutside(measured, outcome.observed),
    environment: { ...environment, packages },
  }
}

/** Adds to a trial's description what preparations told of its teacher, or of each of several. */
function withKnown(
  description: Trial,
  { teacher: known, members }: Pick<Circumstances, 'teacher' | 'members'>,
): Trial {
  const { teacher } = description
  if (!teacher) return description
  return {
    ...description,
    teacher: {
      ...teacher,
      ...known,
      ...(teacher.members
        ? { members: teacher.members.map((member, i) => ({ ...member, ...members?.[i] })) }
        : {}),
    },
  }
}

/** Returns the parts of a record to which the parent process adds its own observations. */
function seenFromOutside(
  { memory, time, energy }: Pick<TrialResult, 'memory' | 'time' | 'energy'>,
  { sampledPeakRssBytes, devicePeakBytes, deviceWatts, busyCores, othersOnDevice }: Observed,
): Pick<BenchRecord, 'memory' | 'energy' | 'warnings'> {
  const watts = energy ? undefined : deviceWatts
  const warnings = [
    ...(busyCores === undefined ? [] : [busyCores]),
    ...(othersOnDevice.length === 0
      ? []
      : [`other processes used the GPU: ${othersOnDevice.join(', ')}`]),
  ]
  return {
    memory: {
      ...memory!,
      ...(sampledPeakRssBytes === undefined ? {} : { sampledPeakRssBytes }),
      ...(devicePeakBytes === undefined ? {} : { devicePeakBytes }),
    },
    ...(watts === undefined
      ? {}
      : { energy: { source: 'nvidia', watts, joulesPerStep: watts * time!.medianSeconds } }),
    ...(warnings.length === 0 ? {} : { warnings }),
  }
}
