// Batches of pixels: which images, in which order, augmented how. They stay bytes, so that student and teacher can each make
// their own input (input.ts) of the same pixels.

import { UserError } from '@embed-kd/core'

import { augmentImage, checkCrop, drawAugmentation, noAugmentation } from '../../images/augment.js'
import type { Augmentation } from '../../images/augment.js'
import type { TeacherRows } from '../../training/batch.js'
import type { ImageShape } from './dataset.js'
import { readImages } from './pixels.js'
import { shuffled } from './subsets.js'
import type { Subset } from './subsets.js'

/** The arrays of one batch of `size` images, the last `size - count` of which are padding. */
export interface Batch {
  /** Number of real images, which come before the padding. */
  count: number
  /** `[size, channels, height, width]`; padding is black. */
  readonly pixels: Uint8Array
  /** `[size]`; padding has label 0. */
  readonly labels: Int32Array
  /** `[size]`: 1 for an image, 0 for padding. */
  readonly mask: Float32Array
  /** `[size]`: positions in the split; -1 for padding. */
  readonly indices: Int32Array
  /** The model's input, if it was made ahead from the pixels (background.ts). */
  readonly input?: Float32Array
  /** Teacher embeddings `[size, width]` of these very pixels, if they were read ahead; by name if there are several teachers. */
  readonly embeddings?: TeacherRows
}

export function createBatch({ channels, height, width }: ImageShape, size: number): Batch {
  return {
    count: 0,
    pixels: new Uint8Array(size * channels * height * width),
    labels: new Int32Array(size),
    mask: new Float32Array(size),
    indices: new Int32Array(size),
  }
}

/** The batches of one pass over a subset. */
export interface Batches extends AsyncIterable<Batch> {
  /** Number of batches. */
  readonly length: number
  /**
   * Fills `into`, or a new batch, with the batch at `step`, from 0 to length - 1. Any step can be read at any time.
   * @throws DatasetError at an image that cannot be decoded, if images are decoded as they are read.
   */
  read(step: number, into?: Batch): Promise<Batch>
  /** Yields all batches in turn, **in the same arrays**: a batch is valid until the next is asked for. */
  [Symbol.asyncIterator](): AsyncIterator<Batch>
}

export interface TrainingOptions {
  readonly size: number
  readonly seed: number
  /** From 0. */
  readonly epoch: number
  readonly augmentation?: Augmentation
  /** Seed and epoch of another run, if the pixels of that run are wanted again (default: this run's). */
  readonly view?: View
}

/** Seed and epoch from which an image's augmentation is drawn, together with its index. */
export interface View {
  readonly seed: number
  readonly epoch: number
}

/**
 * The full batches of a shuffled epoch; the images left over have their turn in other epochs. Order and augmentation follow from
 * seed and epoch.
 * @throws UserError if the subset does not fill one batch, or a crop can miss an image.
 */
export function trainingBatches(
  subset: Subset,
  { size, seed, epoch, augmentation = noAugmentation, view = { seed, epoch } }: TrainingOptions,
): Batches {
  checkCrop(augmentation, subset.shape)
  const length = Math.floor(subset.indices.length / size)
  if (length === 0)
    throw new UserError(
      `a batch of ${size} needs as many images, there are ${subset.indices.length}`,
      'choose a smaller batch',
    )
  return sequence(subset, shuffled(subset, seed, epoch), size, length, (index) =>
    drawAugmentation(augmentation, view.seed, view.epoch, index),
  )
}

/** All images of a subset in order, as they are or as a view has them; the last batch is padded. */
export function evaluationBatches(
  subset: Subset,
  size: number,
  augmentation: Augmentation = noAugmentation,
  view: View = { seed: 0, epoch: 0 },
): Batches {
  checkCrop(augmentation, subset.shape)
  const { indices } = subset
  return sequence(subset, indices, size, Math.ceil(indices.length / size), (index) =>
    drawAugmentation(augmentation, view.seed, view.epoch, index),
  )
}

function sequence(
  { shape, split }: Subset,
  order: Int32Array,
  size: number,
  length: number,
  drawFor: (index: number) => ReturnType<typeof drawAugmentation>,
): Batches {
  const imageBytes = shape.channels * shape.height * shape.width

  const read = async (step: number, into = createBatch(shape, size)): Promise<Batch> => {
    if (!(step >= 0 && step < length))
      throw new Error(`there are batches 0 to ${length - 1}, not ${step}`)
    const { pixels, labels, mask, indices } = into
    into.count = Math.min(size, order.length - step * size)
    indices.set(order.subarray(step * size, step * size + into.count))
    const images = new Uint8Array(into.count * imageBytes)
    await readImages(split, shape, indices.subarray(0, into.count), images)
    for (let i = 0; i < into.count; i++) {
      const index = indices[i]!
      labels[i] = split.labels[index]!
      augmentImage(shape, drawFor(index), images, i * imageBytes, pixels, i * imageBytes)
    }
    mask.fill(1, 0, into.count).fill(0, into.count)
    labels.fill(0, into.count)
    indices.fill(-1, into.count)
    pixels.fill(0, into.count * imageBytes)
    return into
  }

  return {
    length,
    read,
    async *[Symbol.asyncIterator]() {
      const batch = createBatch(shape, size)
      for (let step = 0; step < length; step++) yield await read(step, batch)
    },
  }
}
