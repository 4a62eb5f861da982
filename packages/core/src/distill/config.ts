// What a training run is configured by, and the parameters that follow from it. Data only; the graphs of its steps are in
// graphs.ts and micro-batches.ts.
import type { Rematerialise } from '../graph/graph.js'
import { embeddingWidth, type ClassifierConfig, type ViTConfig } from '../nn/vit.js'
import type { AdamWOptions } from '../optim/adamw.js'
import type { Schedule } from '../optim/schedules.js'
import { studentParameters } from './loss.js'
import type { Method, PresetSettings } from './settings.js'

/** Images as the data set has them; models resize them in the graph. */
export interface ImageShape {
  readonly channels: number
  /** Pixels along one side. */
  readonly size: number
}

/** Where a teacher's signal comes from: the model itself, run on each batch, or what was computed with it before. */
export type TeacherSource =
  | { readonly kind: 'live'; readonly model: ViTConfig | ClassifierConfig }
  | {
      readonly kind: 'stored'
      readonly width: number
      /** embed-kd: centroids of each class; default 1. */
      readonly prototypes?: number
    }

/** `mixed-float16`: products in float16, with float32 parameters and loss scaling (`mixedPrecision`). */
export type Precision = 'float32' | 'mixed-float16'

export interface TrainConfig {
  readonly method: Method
  readonly student: ClassifierConfig
  readonly batch: number
  readonly images: ImageShape
  /** None for supervised; `live` for teacher-kd, `stored` for embed-kd and cached-kd, either for logit-kd. */
  readonly teacher?: TeacherSource
  readonly settings: PresetSettings
  readonly optimizer: AdamWOptions
  readonly schedule: Schedule
  /** Images whose gradients are computed at a time, a divisor of `batch`: less memory. Default: all. */
  readonly microBatch?: number
  /** Default: float32. */
  readonly precision?: Precision
  /** Default: nothing. */
  readonly rematerialise?: Rematerialise
}

/** The specifications of a configuration's student parameters. */
export const studentSpecs = ({ student, method, teacher, settings }: TrainConfig) =>
  studentParameters(
    student,
    method,
    teacher?.kind === 'live' ? embeddingWidth(teacher.model) : teacher?.width,
    settings,
  )
