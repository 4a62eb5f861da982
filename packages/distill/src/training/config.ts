// Builds the configuration of a training step from a user's options. Presets, the optimizer's constants and the schedule come
// together here alone, for trials, distillation and teachers.
import {
  checkName,
  presets,
  scheduleOf,
  UserError,
  type ImageShape,
  type Method,
  type MethodDefinition,
  type Precision,
  type Preset,
  type PresetSettings,
  type Rematerialise,
  type TeacherSource,
  type TrainConfig,
} from '@embed-kd/core'

import type { StudentConfig } from '../models/students.js'

/** Options of a training step. Absent fields take the values of `stepDefaults` and of the preset. */
export interface StepOptions {
  /** Loss settings: `corrected` (common practice, the default) or `paper` (as published, oddities included). */
  readonly preset?: Preset | undefined
  /** Images a step. */
  readonly batch?: number | undefined
  /** Images whose gradients are computed at a time, a divisor of `batch`: less memory, the same step. Default: all. */
  readonly microBatch?: number | undefined
  /** Activations that the backward pass recomputes instead of keeping: less memory, more time. Default: none. */
  readonly rematerialise?: Rematerialise | undefined
  /** Precision of training steps; evaluation is always float32. */
  readonly precision?: Precision | undefined
  /** Highest learning rate of AdamW. */
  readonly learningRate?: number | undefined
  readonly weightDecay?: number | undefined
  /** Weight of the distillation loss beside the class loss. Default: the preset's. */
  readonly kdWeight?: number | undefined
  /** Course of the learning rate: constant, or warm-up and cosine. Default: the preset's. */
  readonly schedule?: PresetSettings['schedule'] | undefined
}

export const stepDefaults = {
  preset: 'corrected',
  batch: 64,
  precision: 'float32',
  learningRate: 1e-3,
  weightDecay: 0.05,
} as const satisfies StepOptions

export interface StepSubject {
  readonly method: Method | MethodDefinition
  readonly student: StudentConfig
  readonly images: ImageShape
  readonly teacher?: TeacherSource | undefined
}

/** Returns the loss settings of a preset with the user's changes. @throws UserError if there is no such preset. */
export function lossSettings(options: StepOptions): PresetSettings {
  const { preset = stepDefaults.preset, kdWeight, schedule } = options
  checkName('preset', preset, Object.keys(presets))
  const settings: PresetSettings = presets[preset]
  return {
    ...settings,
    ...(kdWeight === undefined ? {} : { kdWeight }),
    ...(schedule === undefined ? {} : { schedule }),
  }
}

/**
 * Builds the configuration of a training step.
 * @param totalSteps number of steps over which a cosine schedule runs.
 * @throws UserError if a number is out of range, or micro-batches do not make up the batch.
 */
export function trainingConfig(
  { method, student, images, teacher }: StepSubject,
  options: StepOptions,
  totalSteps: number,
): TrainConfig {
  const { batch = stepDefaults.batch, rematerialise, precision = stepDefaults.precision } = options
  const { learningRate = stepDefaults.learningRate } = options
  const { weightDecay = stepDefaults.weightDecay } = options
  if (!(learningRate > 0 && Number.isFinite(learningRate)))
    throw new UserError(
      `a learning rate of ${learningRate} trains nothing`,
      `choose one above 0, such as ${stepDefaults.learningRate}`,
    )
  if (!(weightDecay >= 0))
    throw new UserError(`the weight decay is ${weightDecay}`, 'choose 0 or more')
  const settings = lossSettings(options)
  const microBatch = microBatchOf(batch, options.microBatch)
  return {
    method,
    student,
    batch,
    images,
    ...(teacher ? { teacher } : {}),
    settings,
    optimizer: { learningRate, weightDecay, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    schedule: scheduleOf(settings, totalSteps),
    ...(microBatch === undefined ? {} : { microBatch }),
    ...(rematerialise === undefined ? {} : { rematerialise }),
    ...(precision === 'float32' ? {} : { precision }),
  }
}

/**
 * Returns the micro-batch of a batch; undefined if one micro-batch is the whole batch.
 * @throws UserError if micro-batches do not make up the batch.
 */
export function microBatchOf(batch: number, microBatch: number | undefined): number | undefined {
  if (microBatch === undefined || microBatch >= batch) return undefined
  if (batch % microBatch === 0) return microBatch
  throw new UserError(
    `micro-batches of ${microBatch} images do not make up a batch of ${batch}`,
    'choose a micro-batch (--micro-batch) that divides the batch (--batch)',
  )
}
