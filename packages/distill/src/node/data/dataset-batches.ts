// A data set as programs give it to a trainer: the format of its images, and batches that are read from disk as they are needed.
import type { Augmentation } from '../../images/augment.js'
import type { Batches, ImageFormat } from '../../training/batch.js'
import { stepDefaults } from '../../training/config.js'
import { EVALUATION_BATCH } from '../../training/evaluation.js'
import { trainingBatches } from './batches.js'
import type { Dataset } from './dataset.js'
import { Feed, mapBatches } from './feed.js'
import { wholeSplit } from './subsets.js'

export interface DatasetBatchOptions {
  /** Images of a training batch (default: 64). */
  readonly batch?: number
  /** Seed of order and augmentation (default: 0). */
  readonly seed?: number
  /** Random flips and crops of training images (default: none). */
  readonly augmentation?: Augmentation
}

export interface DatasetBatches {
  /** Format of the images, for `Trainer.create`. */
  readonly images: ImageFormat
  /** Returns the shuffled batches of an epoch, from 0; the images left over have their turn in other epochs. */
  readonly train: (epoch: number) => Batches
  /** Returns batches of the test images in order. */
  readonly test: () => Batches
}

/**
 * Returns the batches of a data set, for `fit` and `evaluate`. Beside the student's input they have the images as bytes (`pixels`)
 * and their positions in the split (`indices`).
 * @throws UserError if the images are not square.
 */
export function datasetBatches(
  dataset: Dataset,
  { batch: size = stepDefaults.batch, seed = 0, augmentation }: DatasetBatchOptions = {},
): DatasetBatches {
  const feed = new Feed(dataset)
  const [training, testing] = [wholeSplit(dataset, 'train'), wholeSplit(dataset, 'test')]
  const options = { size, seed, ...(augmentation ? { augmentation } : {}) }
  return {
    images: { ...feed.shape, ...dataset.statistics },
    train: (epoch) =>
      mapBatches(trainingBatches(training, { ...options, epoch }), (made) => feed.imageBatch(made)),
    test: () => feed.evaluationBatches(testing, EVALUATION_BATCH),
  }
}
