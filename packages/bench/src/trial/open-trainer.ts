// The trainer of a trial, and the batches it is given: what the measurement of a step and its profile have in common.
import type { Backend } from '@embed-kd/core'
import { Trainer, type ImageBatch } from '@embed-kd/distill'
import {
  initialWeights,
  trainingBatches,
  type Batch,
  type Dataset,
  type Feed,
  type Signal,
  type Subset,
} from '@embed-kd/distill/node'

import { studentOf, totalStepsOf, usesLabels, type TrialConfig } from './config.js'

/** Compiles the step of a trial on a backend. @param trainImages number of images in the training split. */
export function openTrainer(
  backend: Backend,
  config: TrialConfig,
  dataset: Dataset,
  { shape, input }: Feed,
  { method, teacher }: Signal,
  trainImages: number,
): Promise<Trainer> {
  const classes = usesLabels(config) ? dataset.classes : undefined
  const { init, initSize } = config
  const student = studentOf(config, {
    images: shape,
    ...(classes === undefined ? {} : { classes }),
  })
  return Trainer.create({
    ...config,
    backend,
    student,
    ...(init === undefined
      ? {}
      : { initial: initialWeights(init, student, dataset.statistics, initSize) }),
    classes,
    images: { ...shape, mean: input.mean, std: input.std },
    method,
    teacher,
    totalSteps: totalStepsOf(config, trainImages),
  }) as Promise<Trainer>
}

/** Seed of augmentation in every trial: all methods see the same images, those of which embeddings are stored. */
export const AUGMENTATION_SEED = 0

/** Returns the batches of a trial's first epoch. */
export const firstBatches = (
  subset: Subset,
  { batch: size, seed }: TrialConfig,
  { augmentation }: Pick<Signal, 'augmentation'>,
): ReturnType<typeof trainingBatches> =>
  trainingBatches(subset, {
    size,
    seed,
    epoch: 0,
    augmentation,
    view: { seed: AUGMENTATION_SEED, epoch: 0 },
  })

/** Returns a function that makes a batch as the trainer takes it, with the teacher's embeddings of its images. */
export const imageBatches =
  (feed: Feed, { embeddingsOf }: Signal) =>
  (batch: Batch): ImageBatch => {
    const images = feed.imageBatch(batch)
    return embeddingsOf && !images.embeddings
      ? { ...images, embeddings: embeddingsOf(batch) }
      : images
  }
