// The options of a trainer and of its epochs.
import type { Backend, ClassifierConfig, HostTensor } from '@embed-kd/core'

import type { Student } from '../models/students.js'
import type { BatchSource, ImageFormat } from './batch.js'
import type { StepOptions } from './config.js'
import type { EpochPosition, EpochSummary, StepReport } from './epochs.js'
import type { MethodChoice, TeacherOption } from './teacher.js'

/** Options of a trainer that do not depend on the method. */
export interface CommonOptions extends StepOptions {
  /** Runs the graphs. The trainer does not dispose of it. */
  readonly backend: Backend
  /** Name of a student (`small`, `small-32`, `paper`, `paper-64`), its description (`vit:width=…`), or its model. */
  readonly student: string | Student | ClassifierConfig
  /** Number of classes. */
  readonly classes: number
  /** Sizes of the images in the batches, and how bytes are normalised. */
  readonly images: ImageFormat
  /** Probability that an attention weight is dropped in training, if `student` is no model (default: 0.1). */
  readonly dropout?: number | undefined
  /** Decay of an average of the parameters that is evaluated and exported in their place, such as 0.999 (default: none). */
  readonly ema?: number | undefined
  /** Seed of the initial parameters and of dropout (default: 0). */
  readonly seed?: number | undefined
  /** Initial values of parameters by name, such as pretrained weights; all others are drawn (default: none). */
  readonly initial?: ReadonlyMap<string, HostTensor> | undefined
  /** Number of steps over which the schedule runs (default: those of the first `fit`). */
  readonly totalSteps?: number | undefined
}

/** Options of `Trainer.create`: `teacher` is required if the method needs one. */
export type TrainerOptions<M extends MethodChoice = MethodChoice> = CommonOptions & {
  /** Name of a method, or a definition made with `defineMethod`. */
  readonly method: M
} & TeacherOption<M>

export interface FitOptions {
  /** Number of passes over the batches (default: 1). */
  readonly epochs?: number | undefined
  /** Batches to evaluate after each epoch. */
  readonly validation?: BatchSource | undefined
  /** Number of batches of an epoch, if the batches have no `length`. */
  readonly stepsPerEpoch?: number | undefined
  /** Ends training between two steps: `fit` then throws the signal's reason, and the trainer stays usable. */
  readonly signal?: AbortSignal | undefined
  /** Called after each step; its time does not count as training. */
  readonly onStep?: ((step: StepReport) => void | Promise<void>) | undefined
  /** Position to resume from; `epochs` then counts from the very start. */
  readonly from?: EpochPosition | undefined
}

export interface Epoch extends EpochSummary {
  /** Share of the validation images that are classified correctly; absent without `validation`. */
  readonly accuracy?: number
}
