// What parent and child process say to each other. The child says `ready`, gets one job, reports progress, and ends with
// `done` or `failed`; a child that ends without either was killed or crashed.
import type { Progress, Report } from '@embed-kd/distill'
import type { Availability, DType, OperatorTime } from '@embed-kd/core'
import type { BenchRecord } from '@embed-kd/records'

import type { TrialConfig } from './config.js'

export interface TrialJob {
  readonly config: TrialConfig
  /** Weights of a trained teacher, where the method runs it. */
  readonly teacherFile?: string
  /** Centroids or per-sample embeddings, where the method uses them. */
  readonly embeddingsFile?: string
}

/** What a trial's child measured: the record's parts that need running. */
export type TrialResult = Pick<
  BenchRecord,
  'time' | 'roofline' | 'cost' | 'memory' | 'energy' | 'curves' | 'lossScale' | 'accuracy' | 'graph'
> & { readonly versions: Readonly<Record<string, string>> }

/** The operators of some steps. */
export interface StepProfile {
  readonly steps: number
  readonly operators: readonly OperatorTime[]
}

export interface TeacherJob {
  readonly backend: string
  readonly teacher: string
  readonly dataset: string
  readonly file: string
}

/** Also the metadata of the teacher's file. */
export interface TeacherResult {
  /** On the test split. */
  readonly accuracy: number
  readonly seconds: number
}

export interface EmbedJob {
  readonly backend: string
  readonly teacher: string
  readonly teacherFile?: string
  /** SHA-256 of the teacher's weights, for the file. */
  readonly teacherDigest?: string
  readonly dataset: string
  readonly what: 'centroids' | 'samples'
  /** Images of each class that count; all for samples. */
  readonly perClass: number
  readonly trainImages?: number
  /** Where the embeddings go; without, a few batches are timed and the rest is extrapolated. */
  readonly file?: string
}

export type EmbedResult = NonNullable<BenchRecord['embeddings']>

export interface ProbeJob {
  readonly backend: string
}

/** Whether a backend works here, and how fast it multiplies matrices. */
export type ProbeResult =
  | {
      readonly available: true
      readonly detail?: string
      readonly versions: Readonly<Record<string, string>>
      readonly dtypes: readonly DType[]
      /** Of float32. */
      readonly gemmFlopsPerSecond: number
    }
  | Extract<Availability, { available: false }>

export interface Jobs {
  trial: { input: TrialJob; output: TrialResult }
  profile: { input: TrialJob; output: StepProfile }
  'train-teacher': { input: TeacherJob; output: TeacherResult }
  embed: { input: EmbedJob; output: EmbedResult }
  probe: { input: ProbeJob; output: ProbeResult }
}
export type JobKind = keyof Jobs

export type Handlers = {
  readonly [K in JobKind]: (input: Jobs[K]['input'], report: Report) => Promise<Jobs[K]['output']>
}

export interface Order<K extends JobKind = JobKind> {
  readonly kind: K
  readonly input: Jobs[K]['input']
}

export type FromChild =
  | { readonly type: 'ready' }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'done'; readonly output: Jobs[JobKind]['output'] }
  | {
      readonly type: 'failed'
      readonly message: string
      readonly stack: string
      /** The user can mend it: the message is enough. */
      readonly forUser: boolean
    }
