// Trained teachers and their embeddings, which many trials share. They are made when a trial first needs them, in a child
// process, and kept in the cache directory for later sweeps.
import { existsSync } from 'node:fs'
import { basename } from 'node:path'

import { SafetensorsReader } from '@embed-kd/distill/node'
import { cachedFile, digestOf } from '@embed-kd/distill/node'
import { embeddingCost, TIMED_IMAGES } from '../trial/embed-teacher.js'
import {
  epochsOf,
  holdsOut,
  storedSignalOf,
  teacherModelOf,
  teacherOf,
  type DataChoice,
  type DataFacts,
  type TrialConfig,
} from '../trial/config.js'
import type { Report } from '@embed-kd/distill'
import type { EmbedJob, EmbedResult, JobKind, Jobs } from '../trial/protocol.js'
import { runJob, type Failure, type JobLimits, type Outcome } from '../trial/run-job.js'
import type { PlannedTrial } from './plan.js'
import { embedWork, teacherWork, type WorkPart } from './work.js'

const teacherFileOf = ({ config, description, data }: PlannedTrial, directory: string): string => {
  const teacher = teacherOf(config)!
  return cachedFile(directory, `teacher-${teacher.name}`, {
    model: teacherModelOf(teacher, data),
    training: teacher.training,
    dataset: description.dataset.digest,
  })
}

/** Returns the file of a teacher's embeddings. Embeddings of random teachers are timed, not kept. */
const embeddingsFileOf = (
  { config, description, data }: PlannedTrial,
  what: 'centroids' | 'samples',
  directory: string,
): string => {
  const teacher = teacherOf(config)!
  return cachedFile(directory, `${what}-${basename(teacher.name)}`, {
    model: teacherModelOf(teacher, data),
    training: teacher.training,
    weights: description.teacher!.digest,
    dataset: description.dataset.digest,
    backend: description.backend,
    perClass: config.centroidImages,
    trainImages: config.trainImages,
    labelled: labelledOf(config),
    augmented: what === 'samples' ? augmentedOf(config, data) : undefined,
  })
}

/** Returns what decides which images have labels; undefined if all have. */
const labelledOf = (config: TrialConfig): object | undefined =>
  config.labels === undefined
    ? undefined
    : { labels: config.labels, seed: config.seed, holdsOut: holdsOut(config) }

/** Returns the work that must be done before `trial` runs and is not in the cache, by file. */
export function missingPreparations(
  trial: PlannedTrial,
  cacheDirectory: string,
): Map<string, readonly WorkPart[]> {
  const missing = new Map<string, readonly WorkPart[]>()
  const teacher = teacherOf(trial.config)
  if (teacher?.training) {
    const file = teacherFileOf(trial, cacheDirectory)
    if (!existsSync(file)) missing.set(file, teacherWork(teacher, trial.data))
  }
  const what = storedSignalOf(trial.config)
  if (teacher && what) {
    const { trainImages, classes } = trial.data
    const file = embeddingsFileOf(trial, what, cacheDirectory)
    const wanted =
      what === 'samples'
        ? trainImages * (augmentedOf(trial.config, trial.data)?.views ?? 1)
        : Math.min(trial.config.centroidImages! * classes, trainImages)
    const images = teacher.kind === 'random' ? Math.min(wanted, TIMED_IMAGES) : wanted
    if (!existsSync(file)) missing.set(file, embedWork(teacher, trial.data, images))
  }
  return missing
}

/** Files that are ready for a trial. */
export interface Prepared {
  readonly teacherFile?: string
  readonly embeddingsFile?: string
  /** Accuracy and digest of a trained teacher, for the record. */
  readonly teacher?: { readonly accuracy: number; readonly digest: string }
  readonly embeddings?: EmbedResult
}

type Preparation =
  | { readonly status: 'ok'; readonly output: Prepared }
  | Exclude<Outcome<unknown>, { status: 'ok' }>

export interface PreparationsOptions {
  readonly cacheDirectory: string
  /** Limits of a trial. The memory limit does not apply to teachers and embeddings, which may be made on a larger machine. */
  readonly limits: JobLimits
  /** Receives a description of each piece of work before it begins. */
  readonly onStart: (what: string) => void
  readonly report: Report
}

export class Preparations {
  readonly #options: PreparationsOptions
  readonly #done = new Map<string, Promise<Preparation>>()

  constructor(options: PreparationsOptions) {
    this.#options = options
  }

  /** Makes the files that the trial needs and that are not there. A failure is remembered and not tried again. */
  async prepare(trial: PlannedTrial): Promise<Preparation> {
    const teacher = teacherOf(trial.config)
    if (!teacher) return { status: 'ok', output: {} }
    const trained = teacher.kind === 'trained' ? await this.#teacher(trial) : undefined
    if (trained && trained.status !== 'ok') return trained
    const stored = storedSignalOf(trial.config)
    if (stored === undefined) return { status: 'ok', output: trained?.output ?? {} }
    const embedded = await this.#embeddings(trial, stored, trained?.output.teacherFile)
    if (embedded.status !== 'ok') return embedded
    const { teacher: known } = trained?.output ?? {}
    return { status: 'ok', output: { ...embedded.output, ...(known ? { teacher: known } : {}) } }
  }

  #teacher(trial: PlannedTrial): Promise<Preparation> {
    const { config, description } = trial
    const { name } = teacherOf(config)!
    const file = teacherFileOf(trial, this.#options.cacheDirectory)
    return this.#once(file, async () => {
      if (!existsSync(file)) {
        this.#options.onStart(`training teacher ${name} on ${description.dataset.name}`)
        const job = { ...dataOf(config), backend: config.backend, teacher: name, file }
        const made = await this.#run('train-teacher', job)
        if (made.status !== 'ok') return blame(made, `teacher ${name} could not be trained`)
      }
      const accuracy = Number(metadataOf(file)['accuracy'])
      const output = { teacherFile: file, teacher: { accuracy, digest: digestOf(file) } }
      return { status: 'ok', output }
    })
  }

  #embeddings(
    trial: PlannedTrial,
    what: 'centroids' | 'samples',
    teacherFile: string | undefined,
  ): Promise<Preparation> {
    const { config, description, data } = trial
    const { backend, centroidImages, trainImages } = config
    const augmented = augmentedOf(config, data)
    const { name, kind } = teacherOf(config)!
    const file = embeddingsFileOf(trial, what, this.#options.cacheDirectory)
    return this.#once(file, async () => {
      const teacherDigest =
        teacherFile === undefined ? description.teacher!.digest : digestOf(teacherFile)
      const embeddings = existsSync(file) ? embeddingCost(file) : undefined
      // A teacher that was trained again has other embeddings.
      if (embeddings && metadataOf(file)['teacher_digest'] === teacherDigest)
        return { status: 'ok', output: { embeddingsFile: file, embeddings } }
      // Embeddings of random weights are not worth keeping.
      const kept = kind === 'random' ? {} : { file }
      const verb = kind === 'random' ? 'timing the embedding of' : 'embedding'
      this.#options.onStart(`${verb} ${description.dataset.name} with ${name} (${what})`)
      const made = await this.#run('embed', {
        ...dataOf(config),
        backend,
        teacher: name,
        what,
        ...(centroidImages === undefined ? {} : { perClass: centroidImages }),
        ...(trainImages === undefined ? {} : { trainImages }),
        ...(config.labels === undefined ? {} : { labelledFor: config }),
        ...(augmented && what === 'samples' ? { augmented } : {}),
        ...(teacherFile === undefined ? {} : { teacherFile }),
        ...(teacherDigest === undefined ? {} : { teacherDigest }),
        ...kept,
      })
      if (made.status !== 'ok') return blame(made, `no embeddings of teacher ${name}`)
      const embeddingsFile = kept.file === undefined ? {} : { embeddingsFile: kept.file }
      return { status: 'ok', output: { ...embeddingsFile, embeddings: made.output } }
    })
  }

  #run<K extends JobKind>(kind: K, input: Jobs[K]['input']): Promise<Outcome<Jobs[K]['output']>> {
    const { memoryLimitBytes: _ofTrials, ...limits } = this.#options.limits
    return runJob(kind, input, limits, this.#options.report)
  }

  #once(key: string, make: () => Promise<Preparation>): Promise<Preparation> {
    const made = this.#done.get(key) ?? make()
    this.#done.set(key, made)
    return made
  }
}

/** Returns the augmentation of stored embeddings, with a view of each image for every epoch; undefined if there is none. */
const augmentedOf = (config: TrialConfig, { trainImages }: DataFacts): EmbedJob['augmented'] =>
  config.augment === undefined
    ? undefined
    : { augment: config.augment, views: epochsOf(config, trainImages) }

const dataOf = ({ dataset, dataSize }: TrialConfig): DataChoice => ({
  dataset,
  ...(dataSize === undefined ? {} : { dataSize }),
})

const blame = <T extends Failure | { status: 'interrupted' }>(failure: T, what: string): T =>
  'reason' in failure ? { ...failure, reason: `${what}: ${failure.reason}` } : failure

function metadataOf(file: string): Readonly<Record<string, string>> {
  const reader = new SafetensorsReader(file)
  reader.close()
  return reader.metadata
}
