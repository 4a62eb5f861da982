// One trial: the configuration a child process runs, and what follows from it without running: models, graphs' settings,
// splits. Grids of trials are the sweep's business (sweep/grid.ts).
import {
  embeddingWidth,
  methods,
  presets,
  scheduleOf,
  type ImageShape,
  type TeacherSource,
  type TrainConfig,
  type ViTConfig,
} from '@embed-kd/core'
import { METHODS, PRECISIONS, PRESETS, REMATERIALISATIONS } from '@embed-kd/records'
import { z } from 'zod'

import type { Dataset } from '@embed-kd/distill/node'
import { firstImages, holdOut, wholeSplit } from '@embed-kd/distill/node'
import type { Subset } from '@embed-kd/distill/node'
import { UserError } from '@embed-kd/core'
import { studentModel } from '@embed-kd/distill'
import { studentSchema } from '@embed-kd/distill/node'
import { findTeacher, type Teacher } from '@embed-kd/distill/node'

const count = z.int().positive()

export const trialConfigSchema = z.strictObject({
  backend: z.string().min(1),
  method: z.enum(METHODS),
  preset: z.enum(PRESETS),
  teacher: z.string().optional().describe('absent for supervised'),
  student: studentSchema,
  dataset: z.string().min(1),
  batch: count,
  epochs: count.optional(),
  steps: count.optional().describe('given instead of epochs where only the cost is measured'),
  seed: z.int().nonnegative(),
  learningRate: z.number().positive(),
  weightDecay: z.number().nonnegative(),
  kdWeight: z.number().nonnegative().optional().describe("the preset's where absent"),
  dropout: z.number().min(0).max(0.99).describe('of attention weights'),
  microBatch: count
    .optional()
    .describe(
      'images whose gradients are computed at a time, a divisor of batch; all where absent',
    ),
  rematerialise: z
    .enum(REMATERIALISATIONS)
    .optional()
    .describe('what gradients compute again instead of keeping; nothing where absent'),
  precision: z
    .enum(PRECISIONS)
    .exclude(['float32'])
    .optional()
    .describe('of training steps; float32 where absent, and always of evaluation and embedding'),
  trainImages: count.optional().describe('the first of the training split; all where absent'),
  testImages: count.optional().describe('the first of the test split; all where absent'),
  centroidImages: count.describe('images of each class that a centroid is the mean of'),
})
export type TrialConfig = z.infer<typeof trialConfigSchema>

/** What of a data set the models and the plan of a trial depend on. */
export interface DataFacts {
  readonly images: ImageShape
  readonly classes: number
  readonly trainImages: number
}

/** The preset `corrected` chooses its checkpoint on this share of the training split; the paper's code, on the test split. */
const HELD_OUT = 1 / 12
/** Which images are held out does not depend on the trial's seed: all trials must train on the same ones. */
const HELD_OUT_SEED = 0

export interface TrialSplits {
  readonly train: Subset
  /** Where the preset chooses the checkpoint; absent where the test split serves. */
  readonly validation?: Subset
  readonly test: Subset
}

export function splitsOf(dataset: Dataset, config: TrialConfig): TrialSplits {
  const all = firstImages(wholeSplit(dataset, 'train'), config.trainImages)
  const test = firstImages(wholeSplit(dataset, 'test'), config.testImages)
  if (config.preset === 'paper' || config.epochs === undefined) return { train: all, test }
  const { training, heldOut } = holdOut(all, HELD_OUT, HELD_OUT_SEED)
  return { train: training, validation: heldOut, test }
}

/** @throws UserError where the training split does not fill one batch. */
export function stepsPerEpoch({ batch }: TrialConfig, trainImages: number): number {
  if (batch > trainImages)
    throw new UserError(
      `a batch of ${batch} needs as many images, the training split has ${trainImages}`,
      'choose a smaller --batch',
    )
  return Math.floor(trainImages / batch)
}

export const teacherOf = ({ teacher }: TrialConfig): Teacher | undefined =>
  teacher === undefined ? undefined : findTeacher(teacher)

/** Random weights teach nothing, and a few steps learn nothing: then time and memory are meant. */
export const isCostOnly = (config: TrialConfig): boolean =>
  config.steps !== undefined || teacherOf(config)?.kind === 'random'

export const teacherModelOf = (teacher: Teacher, { images, classes }: DataFacts) =>
  teacher.model({ ...images, classes })

/** The training graph's configuration. */
export function trainConfigOf(config: TrialConfig, data: DataFacts): TrainConfig {
  const { method, preset, batch, epochs, steps, learningRate, weightDecay, kdWeight } = config
  const { microBatch, rematerialise, precision } = config
  const settings = { ...presets[preset], ...(kdWeight === undefined ? {} : { kdWeight }) }
  const teacher = teacherOf(config)
  const model = teacher && teacherModelOf(teacher, data)
  const { takes } = methods[method]
  if (takes === 'probabilities' && !(model && 'classes' in model && model.classes === data.classes))
    throw new UserError(
      `${method} needs a teacher that scores the ${data.classes} classes of the data, ` +
        `${config.teacher} scores ${model && 'classes' in model ? model.classes : 'none'}`,
      'choose another teacher, or another method',
    )
  const source = model && teacherSource(config, model)
  return {
    method,
    batch,
    settings,
    student: studentModel(
      config.student,
      { channels: data.images.channels, classes: data.classes },
      config.dropout,
    ),
    images: data.images,
    ...(source ? { teacher: source } : {}),
    optimizer: { learningRate, weightDecay, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    schedule: scheduleOf(settings, steps ?? epochs! * stepsPerEpoch(config, data.trainImages)),
    ...(microBatch === undefined ? {} : { microBatch }),
    ...(rematerialise === undefined ? {} : { rematerialise }),
    ...(precision === undefined ? {} : { precision }),
  }
}

function teacherSource({ method }: TrialConfig, model: ViTConfig): TeacherSource {
  return methods[method].teacher === 'live'
    ? { kind: 'live', model }
    : { kind: 'stored', width: embeddingWidth(model) }
}

/** What a trial must have computed before it, if anything: one embedding for each class, or for each image. */
export const storedSignalOf = ({ method }: TrialConfig): 'centroids' | 'samples' | undefined => {
  const { teacher } = methods[method]
  return teacher === 'centroids' || teacher === 'samples' ? teacher : undefined
}
