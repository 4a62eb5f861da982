// The messages between parent and child process. The child says `ready`, gets one job, reports progress, and ends with `done`
// or `failed`. A child that ends without either was killed or crashed.
import type { Progress, Report } from '@embed-kd/distill'
import type { Capabilities } from '@embed-kd/core'
import type { EmbeddingKind } from '@embed-kd/distill/node'
import type { BenchRecord } from '@embed-kd/records'

import type { StepProfile } from '../measure/operators.js'
import type { ProbeResult } from '../measure/probe.js'
import type { DataChoice, TrialConfig } from './config.js'

/** A value of one teacher, or of each of several by name. */
export type PerTeacher<T> = T | Readonly<Record<string, T>>

export interface TrialJob {
  readonly config: TrialConfig
  /** Weights of a trained teacher, if the method runs one. */
  readonly teacherFile?: string
  /** Centroids or embeddings of each image, if the method uses them; by name if there are several teachers. */
  readonly embeddingsFile?: PerTeacher<string>
  /** Width of the teacher's embeddings, of which random ones are drawn if the method uses embeddings and there is no file. */
  readonly embeddingWidth?: PerTeacher<number>
}

/** The parts of a record that a trial's children measured. */
export type TrialResult = Pick<
  BenchRecord,
  | 'time'
  | 'roofline'
  | 'cost'
  | 'memory'
  | 'energy'
  | 'curves'
  | 'lossScale'
  | 'accuracy'
  | 'embeddingAccuracy'
  | 'checkpoint'
  | 'testResults'
  | 'graph'
> & { readonly versions: Readonly<Record<string, string>> }

/** The memory of a trial's step. */
export type MemoryResult = NonNullable<BenchRecord['memory']>

/** Training of one of a sweep's own teachers. */
export interface TeacherJob extends DataChoice {
  readonly backend: string
  readonly teacher: string
  /** File that the teacher is written to. */
  readonly file: string
}

/** Result of training a teacher, and metadata of its file. */
export interface TeacherResult {
  /** Accuracy on the test split. */
  readonly accuracy: number
  readonly seconds: number
}

/** Embedding of the training images with the teacher of a trial. */
export interface EmbedJob {
  readonly config: TrialConfig
  /** Weights of a trained teacher. */
  readonly teacherFile?: string
  /** SHA-256 of the teacher's weights, for the metadata of the file. */
  readonly teacherDigest?: string
  readonly what: EmbeddingKind
  /** File that the embeddings are written to. Without a file, a few batches are timed and the rest is extrapolated. */
  readonly file?: string
}

/** Classification of the test images with the teacher of a trial. */
export interface ScoreJob {
  readonly config: TrialConfig
}

export interface ScoreResult {
  /** Accuracy on the test images of the trial. */
  readonly accuracy: number
}

export type EmbedResult = NonNullable<BenchRecord['embeddings']>

export interface ProbeJob {
  readonly backend: string
}

export interface Jobs {
  /** Everything but the memory. */
  trial: { input: TrialJob; output: Omit<TrialResult, 'memory'> }
  memory: { input: TrialJob; output: MemoryResult }
  profile: { input: TrialJob; output: StepProfile }
  'train-teacher': { input: TeacherJob; output: TeacherResult }
  embed: { input: EmbedJob; output: EmbedResult }
  'score-teacher': { input: ScoreJob; output: ScoreResult }
  probe: { input: ProbeJob; output: ProbeResult }
}
export type JobKind = keyof Jobs

/** Tells the parent process what the opened backend declares. */
export type Opened = (capabilities: Pick<Capabilities, 'hostMemory'>) => void

export type Handlers = {
  readonly [K in JobKind]: (
    input: Jobs[K]['input'],
    report: Report,
    opened: Opened,
  ) => Promise<Jobs[K]['output']>
}

export interface Order<K extends JobKind = JobKind> {
  readonly kind: K
  readonly input: Jobs[K]['input']
}

export type FromChild =
  | { readonly type: 'ready' }
  | { readonly type: 'opened'; readonly hostMemory: boolean }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'done'; readonly output: Jobs[JobKind]['output'] }
  | {
      readonly type: 'failed'
      readonly message: string
      readonly stack: string
      /** Whether the user can fix the cause, so that the message is enough. */
      readonly forUser: boolean
    }
