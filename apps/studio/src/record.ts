// The record of a run, which `embed-kd report` reads beside records of other programs. Facts that a browser hides are absent.
import { parseSafetensors, presets, type Backend } from '@embed-kd/core'
import { findStudent, stepDefaults, teacherSize } from '@embed-kd/distill'
import { summarizeTimes, type BenchRecord } from '@embed-kd/records'

import type { Dataset, Embeddings, EpochResult, LossPoint, RunSettings } from './messages.js'

/** A finished run: its settings, data and results. */
export interface FinishedRun {
  readonly settings: RunSettings
  readonly dataset: Dataset
  readonly backend: Pick<Backend, 'name' | 'versions'>
  /** Embeddings and metadata of the file that the student learnt from; absent if its method needs none. */
  readonly teacher?: { readonly embeddings: Embeddings; readonly metadata: Metadata }
  /** Number of parameters in training. */
  readonly parameterCount: number
  readonly points: readonly LossPoint[]
  readonly epochs: readonly EpochResult[]
  readonly stepSeconds: readonly number[]
  readonly startedAt: Date
  readonly wallSeconds: number
}

export type Metadata = Readonly<Record<string, string>>

/** Reads the metadata of a file that was read before. */
export const metadataOf = (file: Uint8Array): Metadata => parseSafetensors(file).metadata

/** Steps whose times are not counted: the first ones also warm the device up. */
const WARMUP_STEPS = 2

export function makeRecord(run: FinishedRun): BenchRecord {
  const trial = trialOf(run)
  const { points, epochs, stepSeconds, startedAt, wallSeconds, settings } = run
  const warmupSteps = Math.min(WARMUP_STEPS, stepSeconds.length - 1)
  const times = { warmupSteps, stepSeconds: stepSeconds.slice(warmupSteps) }
  const { accuracy } = epochs.at(-1)!
  return {
    schemaVersion: 4,
    id: `studio ${identityOf(trial)}`,
    benchmarkVersion: 'studio 1',
    trial,
    status: 'ok',
    costOnly: false,
    startedAt: startedAt.toISOString(),
    wallSeconds,
    environment: environmentOf(run.backend),
    time: {
      ...summarizeTimes(times, settings.batch),
      epochSeconds: epochs.reduce((sum, { seconds }) => sum + seconds, 0) / epochs.length,
    },
    curves: {
      loss: points.map(([step, loss]) => [step, loss]),
      epochs: epochs.map(({ epoch, trainLoss, accuracy: testAccuracy, seconds }) => ({
        epoch,
        trainLoss,
        testAccuracy,
        seconds,
      })),
    },
    accuracy,
  }
}

function trialOf({ settings, dataset, backend, teacher, parameterCount }: FinishedRun) {
  const { method, student, batch, epochs, learningRate, dropout, seed } = settings
  const { name, digest, classNames, train, test } = dataset
  const [trainSize, testSize] = [train.labels.length, test.labels.length]
  const perClass = Number(teacher?.metadata['per_class'])
  return {
    method,
    ...(teacher && {
      teacher: teacherOf(teacher),
      kdWeight: presets[stepDefaults.preset].kdWeight,
      ...(teacher.embeddings.kind === 'centroids' && perClass > 0
        ? { centroidImages: perClass }
        : {}),
    }),
    student: { ...findStudent(student), parameterCount },
    dataset: {
      name,
      classes: classNames.length,
      trainSize,
      testSize,
      ...(digest === undefined ? {} : { digest }),
    },
    // A known data set is used in part.
    ...(digest === undefined
      ? { dataSize: dataset.size }
      : { trainImages: trainSize, testImages: testSize }),
    batch,
    backend: backend.name,
    preset: stepDefaults.preset,
    epochs,
    learningRate,
    weightDecay: stepDefaults.weightDecay,
    dropout,
    seed,
  } satisfies BenchRecord['trial']
}

/** Describes the teacher as far as the file of its embeddings tells. */
function teacherOf({ embeddings, metadata }: NonNullable<FinishedRun['teacher']>) {
  const { teacher, teacher_digest: digest } = metadata
  return {
    name: teacher || 'unknown',
    kind: teacher?.startsWith('trained-') ? 'trained' : 'pretrained',
    ...teacherSize(metadata),
    embeddingWidth: embeddings.width,
    ...(digest ? { digest } : {}),
  } as const
}

function environmentOf({ versions }: FinishedRun['backend']): BenchRecord['environment'] {
  const { adapter } = versions
  const { userAgent, hardwareConcurrency, platform, deviceMemory } = navigator as Navigator & {
    readonly deviceMemory?: number
  }
  const browser = browserName(userAgent)
  return {
    cpuModel: `processor unknown to ${browser}`,
    cpuCores: hardwareConcurrency,
    // Browsers round this, and say 8 GiB for more.
    ...(deviceMemory === undefined ? {} : { memoryBytes: Math.round(deviceMemory * 2 ** 30) }),
    ...(adapter ? { gpu: { name: adapter } } : {}),
    os: platform || 'unknown',
    browser,
    packages: { ...versions },
    commandLine: ['studio'],
  }
}

const browsers: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['Edge', /Edg\/(\d+)/],
  ['Firefox', /Firefox\/(\d+)/],
  ['Chrome', /Chrome\/(\d+)/],
  ['Safari', /Version\/(\d+).*Safari/],
]

/** Returns name and version of a browser: `Chrome 141`. */
export function browserName(userAgent: string): string {
  for (const [name, pattern] of browsers) {
    const [, version] = pattern.exec(userAgent) ?? []
    if (version !== undefined) return `${name} ${version}`
  }
  return 'unknown browser'
}

/** Returns a key of a trial: 32-bit FNV-1a over its JSON, in hexadecimal. */
function identityOf(trial: BenchRecord['trial']): string {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(JSON.stringify(trial)))
    hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
