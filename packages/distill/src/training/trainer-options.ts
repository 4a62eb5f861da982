// The options of a trainer and of its epochs, and the model and the initial parameters that follow from them.
import {
  initialParameters,
  isClassifier,
  methodDefinition,
  methodName,
  Random,
  studentSpecs,
  unlabelledMethods,
  UserError,
  type Backend,
  type HostTensor,
  type methods,
  type TrainConfig,
} from '@embed-kd/core'

import { findStudent, studentModel, type Student, type StudentConfig } from '../models/students.js'
import type { ImageFormat } from './batch.js'
import type { StepOptions } from './config.js'
import type { EpochPosition, EpochSummary, StepReport } from './epochs.js'
import type { ImageSource } from './step-inputs.js'
import type { MethodChoice, Teacher, TeacherOption } from './teacher.js'

/** Options of a trainer that do not depend on the method. */
export interface CommonOptions extends StepOptions {
  /** Runs the graphs. The trainer does not dispose of it. */
  readonly backend: Backend
  /** Name of a student (`small`, `small-32`, `paper`, `paper-64`), its description (`vit:width=…`), or its model. */
  readonly student: string | Student | StudentConfig
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

/** Number of classes; undefined if there are no labels. */
export type Classes = number | undefined

/** Options of `Trainer.create`: `teacher` is required if the method needs one, `classes` if it needs class labels. */
export type TrainerOptions<
  M extends MethodChoice = MethodChoice,
  C extends Classes = Classes,
> = CommonOptions & {
  /** Name of a method, or a definition made with `defineMethod`. */
  readonly method: M
  /** Number of classes. Without it there are no labels: the student has no classifier, and learns from the teacher alone. */
  readonly classes?: C
} & TeacherOption<M> &
  (NeedsLabels<M> extends true ? { readonly classes: number } : unknown)

type NeedsLabels<M extends MethodChoice> = M extends keyof typeof methods
  ? (typeof methods)[M] extends { readonly needsLabels: true }
    ? true
    : false
  : false

/** Options of any trainer, when the types of method and teacher are known no more. */
export type AnyOptions = CommonOptions & {
  readonly method: MethodChoice
  readonly classes?: Classes
  readonly teacher?: Teacher
}

/** @throws UserError if the method needs class labels, and there are none. */
export function requireClasses({ method, classes }: AnyOptions): void {
  if (classes === undefined && methodDefinition(method).needsLabels)
    throw new UserError(
      `${methodName(method)} needs class labels, but there are no \`classes\``,
      `give \`classes\`, or choose a method that needs none: ${unlabelledMethods.join(', ')}`,
    )
}

/** Returns the student's model. @throws UserError if a given model does not fit the data. */
export function modelOf({ student, images, classes, dropout = 0.1 }: AnyOptions): StudentConfig {
  if (typeof student !== 'string' && 'patchSize' in student) {
    // The model repeats grey images for all its channels.
    const fits = student.channels === images.channels || images.channels === 1
    const scored = isClassifier(student) ? student.classes : undefined
    if (scored === classes && fits) return student
    throw new UserError(
      `the student takes ${student.channels} channels and scores ${scored ?? 'no'} classes, but the data has ${images.channels} and ${classes ?? 'no labels'}`,
      "change the student's `channels` and `classes`",
    )
  }
  const found = typeof student === 'string' ? findStudent(student) : student
  return studentModel(found, { channels: images.channels, classes }, dropout)
}

/** Draws the initial parameters, and puts given values in their places. @throws UserError if a value has no place. */
export function initialValues(
  config: TrainConfig,
  { seed = 0, initial }: Pick<CommonOptions, 'seed' | 'initial'>,
): Map<string, HostTensor> {
  const parameters = initialParameters(studentSpecs(config), new Random(seed))
  for (const [name, tensor] of initial ?? []) {
    const drawn = parameters.get(name)
    if (drawn?.shape.join() !== tensor.shape.join())
      throw new UserError(
        `the initial value of ${name} has shape [${tensor.shape.join(', ')}], ` +
          (drawn ? `but [${drawn.shape.join(', ')}] is needed` : 'but there is no such parameter'),
        'leave it out, or choose a student of the same sizes',
      )
    parameters.set(name, tensor)
  }
  return parameters
}

export interface FitOptions {
  /** Number of passes over the batches (default: 1). */
  readonly epochs?: number | undefined
  /** Images to evaluate after each epoch, in memory or in batches. */
  readonly validation?: ImageSource | undefined
  /** Number of batches of an epoch, if the batches have no `length`. */
  readonly stepsPerEpoch?: number | undefined
  /** Ends training between two steps: `fit` then throws the signal's reason, and the trainer stays usable. */
  readonly signal?: AbortSignal | undefined
  /** Called after each step; its time does not count as training. */
  readonly onStep?: ((step: StepReport) => void | Promise<void>) | undefined
  /** Position to resume from, such as `{ epochs: 2 }` after two epochs; `epochs` then counts from the very start. */
  readonly from?: Partial<EpochPosition> | undefined
}

export interface Epoch extends EpochSummary {
  /** Share of the validation images that are classified correctly; absent without `validation`. */
  readonly accuracy?: number
}
