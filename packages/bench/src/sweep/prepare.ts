// Trained teachers, embeddings and the accuracy of teachers, which many trials share. They are made when a trial first needs them, in
// a child process, and kept in the cache directory for later sweeps.
import { existsSync, readFileSync } from 'node:fs'

import { UserError } from '@embed-kd/core'
import type { Report } from '@embed-kd/distill'
import {
  cachedFile,
  digestOf,
  SafetensorsReader,
  writeJson,
  type EmbeddingKind,
} from '@embed-kd/distill/node'
import { z } from 'zod'

import {
  augmentedOf,
  dataOf,
  holdsOut,
  isCostOnly,
  storedSignalOf,
  teacherOf,
  type TrialConfig,
} from '../trial/config.js'
import { embeddingCost, TIMED_IMAGES } from '../trial/embed-teacher.js'
import type { EmbedResult, JobKind, Jobs, PerTeacher } from '../trial/protocol.js'
import { runJob, type Failure, type JobLimits, type Outcome } from '../trial/run-job.js'
import type { PlannedTrial } from './plan.js'
import { embedWork, teacherWork, type WorkPart } from './work.js'

const trainingOf = (config: TrialConfig) => {
  const teacher = teacherOf(config)
  return teacher?.place === 'graph' ? teacher.training : undefined
}

const teacherFileOf = (
  { config, description, data: { teacher } }: PlannedTrial,
  directory: string,
): string =>
  cachedFile(directory, `teacher-${teacher!.name}`, {
    model: teacher!.model,
    training: trainingOf(config),
    dataset: description.dataset.digest,
  })

/** Returns the file of a teacher's embeddings. Embeddings of random teachers are timed, not kept. */
const embeddingsFileOf = (
  { config, description, data: { teacher, trainImages } }: PlannedTrial,
  what: EmbeddingKind,
  directory: string,
): string =>
  cachedFile(directory, `${what}-${teacher!.name}`, {
    teacher: teacher!.identity,
    dataset: description.dataset.digest,
    backend: description.backend,
    trainImages: config.trainImages,
    labelled: labelledOf(config),
    perClass: config.centroidImages,
    prototypes: config.prototypes,
    augmented: augmentedOf(config, trainImages),
    store: config.store,
    // Raise this if the bytes of a file change: its size is part of records.
    layout: 2,
  })

/** Returns the file of a teacher's accuracy; undefined if nobody asks for it, or the teacher has no scores of these classes. */
function accuracyFileOf(
  { config, description, data: { teacher, classes } }: PlannedTrial,
  directory: string,
): string | undefined {
  if (teacher?.kind !== 'pretrained' || classes === undefined || teacher.classes !== classes)
    return undefined
  if (isCostOnly(config)) return undefined
  const key = {
    teacher: teacher.identity,
    dataset: description.dataset.digest,
    testImages: config.testImages,
  }
  return cachedFile(directory, `accuracy-${teacher.name}`, key).replace(/safetensors$/, 'json')
}

/** Returns a trial with each of several teachers alone: they share their embeddings with trials of a single teacher. */
const membersOf = (
  trial: PlannedTrial,
): { readonly name: string; readonly trial: PlannedTrial }[] =>
  (trial.data.teacher?.members ?? []).map(({ name, word, facts }) => ({
    name,
    trial: {
      ...trial,
      config: { ...trial.config, teacher: word },
      data: { ...trial.data, teacher: facts },
    },
  }))

/** Returns what decides which images have labels; undefined if all have. */
const labelledOf = (config: TrialConfig): object | undefined =>
  config.labels === undefined || config.labels === 0
    ? undefined
    : { labels: config.labels, seed: config.seed, holdsOut: holdsOut(config) }

/** Returns the work that must be done before `trial` runs and is not in the cache, by file. */
export function missingPreparations(
  trial: PlannedTrial,
  cacheDirectory: string,
): Map<string, readonly WorkPart[]> {
  const missing = new Map<string, readonly WorkPart[]>()
  const members = membersOf(trial)
  for (const member of members)
    for (const [file, parts] of missingPreparations(member.trial, cacheDirectory))
      missing.set(file, parts)
  if (members.length > 0) return missing
  const { config, data, description } = trial
  const need = (file: string | undefined, work: () => readonly WorkPart[]) => {
    if (file !== undefined && !existsSync(file)) missing.set(file, work())
  }
  if (!data.teacher) return missing
  const training = trainingOf(config)
  if (training) need(teacherFileOf(trial, cacheDirectory), () => teacherWork(training, data))
  const accuracyFile = accuracyFileOf(trial, cacheDirectory)
  need(accuracyFile, () => embedWork(data, description.dataset.testSize))
  const what = storedSignalOf(config)
  if (what) {
    const { trainImages, classes } = data
    const wanted =
      what === 'centroids'
        ? Math.min(config.centroidImages! * classes!, trainImages)
        : trainImages * (augmentedOf(config, trainImages)?.views ?? 1)
    const images = data.teacher.kind === 'random' ? Math.min(wanted, TIMED_IMAGES) : wanted
    need(embeddingsFileOf(trial, what, cacheDirectory), () => embedWork(data, images))
  }
  return missing
}

/** Files that are ready for a trial. */
export interface Prepared {
  readonly teacherFile?: string
  /** The file of embeddings, by name if there are several teachers. */
  readonly embeddingsFile?: PerTeacher<string>
  /** Accuracy of the teacher and digest of a trained one, for the record. */
  readonly teacher?: KnownTeacher
  /** The same for each of several teachers, in their order. */
  readonly members?: readonly (KnownTeacher | undefined)[]
  readonly embeddings?: EmbedResult
}

export interface KnownTeacher {
  readonly accuracy: number
  readonly digest?: string
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
    const files: Record<string, string> = {}
    const members: (KnownTeacher | undefined)[] = []
    const costs: EmbedResult[] = []
    for (const { name, trial: member } of membersOf(trial)) {
      const prepared = await this.#prepareOne(member)
      if (prepared.status !== 'ok') return prepared
      const { teacher, embeddings, embeddingsFile } = prepared.output
      members.push(teacher)
      if (typeof embeddingsFile === 'string') files[name] = embeddingsFile
      if (embeddings) costs.push(embeddings)
    }
    if (members.length === 0) return this.#prepareOne(trial)
    const embeddings = costs.length === 0 ? {} : { embeddings: sumCosts(costs) }
    return { status: 'ok', output: { embeddingsFile: files, members, ...embeddings } }
  }

  async #prepareOne(trial: PlannedTrial): Promise<Preparation> {
    if (!trial.data.teacher) return { status: 'ok', output: {} }
    const made = trainingOf(trial.config) ? await this.#train(trial) : await this.#score(trial)
    if (made.status !== 'ok') return made
    const stored = storedSignalOf(trial.config)
    if (stored === undefined) return made
    const embedded = await this.#embed(trial, stored, made.output.teacherFile)
    if (embedded.status !== 'ok') return embedded
    return { status: 'ok', output: { ...made.output, ...embedded.output } }
  }

  #train(trial: PlannedTrial): Promise<Preparation> {
    const { config, description } = trial
    const { name } = trial.data.teacher!
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

  /** Finds the accuracy of a teacher that was brought along. Trials do not depend on it, so a failure leaves it out. */
  async #score(trial: PlannedTrial): Promise<Preparation> {
    const file = accuracyFileOf(trial, this.#options.cacheDirectory)
    if (file === undefined) return { status: 'ok', output: {} }
    return this.#once(file, async () => {
      const { name } = trial.data.teacher!
      if (!existsSync(file)) {
        this.#options.onStart(`testing teacher ${name} on ${trial.description.dataset.name}`)
        const made = await this.#run('score-teacher', { config: trial.config })
        if (made.status === 'interrupted') return made
        if (made.status !== 'ok') {
          this.#options.onStart(`the accuracy of teacher ${name} stays unknown: ${made.reason}`)
          return { status: 'ok', output: {} }
        }
        writeJson(file, made.output)
      }
      return { status: 'ok', output: { teacher: readAccuracy(file) } }
    })
  }

  #embed(
    trial: PlannedTrial,
    what: EmbeddingKind,
    teacherFile: string | undefined,
  ): Promise<Preparation> {
    const { config, description } = trial
    const { name, kind, digest } = trial.data.teacher!
    const file = embeddingsFileOf(trial, what, this.#options.cacheDirectory)
    return this.#once(file, async () => {
      const teacherDigest = teacherFile === undefined ? digest : digestOf(teacherFile)
      const embeddings = existsSync(file) ? embeddingCost(file) : undefined
      // A teacher that was trained again has other embeddings.
      if (embeddings && metadataOf(file)['teacher_digest'] === teacherDigest)
        return { status: 'ok', output: { embeddingsFile: file, embeddings } }
      // Embeddings of random weights are not worth keeping.
      const kept = kind === 'random' ? {} : { file }
      const verb = kind === 'random' ? 'timing the embedding of' : 'embedding'
      this.#options.onStart(`${verb} ${description.dataset.name} with ${name} (${what})`)
      const made = await this.#run('embed', {
        config,
        what,
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

/** Returns what the embeddings of several teachers cost together. */
const sumCosts = (costs: readonly EmbedResult[]): EmbedResult => ({
  seconds: costs.reduce((sum, { seconds }) => sum + seconds, 0),
  images: costs.reduce((sum, { images }) => sum + images, 0),
  bytes: costs.reduce((sum, { bytes }) => sum + bytes, 0),
  ...(costs.some(({ extrapolated }) => extrapolated) ? { extrapolated: true } : {}),
})

const blame = <T extends Failure | { status: 'interrupted' }>(failure: T, what: string): T =>
  'reason' in failure ? { ...failure, reason: `${what}: ${failure.reason}` } : failure

function metadataOf(file: string): Readonly<Record<string, string>> {
  const reader = new SafetensorsReader(file)
  reader.close()
  return reader.metadata
}

/** Reads the accuracy of a teacher. @throws UserError if the file is damaged. */
function readAccuracy(file: string): { readonly accuracy: number } {
  try {
    return z.object({ accuracy: z.number() }).parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    throw new UserError(`${file} is not the accuracy of a teacher`, 'remove it and run again')
  }
}
