// Makes batches of images in memory: shuffled again in each epoch, augmented, and of one size.
import { Random, UserError } from '@embed-kd/core'

import { requirePixels, type Batches, type BatchSource, type ImageBatch } from './batch.js'
import {
  augmentImage,
  checkCrop,
  drawAugmentation,
  noAugmentation,
  type Augmentation,
} from '../images/augment.js'
import { randomStream } from '../images/shape.js'

/** Images in memory, with labels or without. */
export interface ImageArrays {
  /** `[count, channels, size, size]`: normalised floats, or bytes. */
  readonly images: Float32Array | Uint8Array
  /** Class of each image, from 0; absent if there are no labels. */
  readonly labels?: ArrayLike<number>
}

export interface ArrayBatchOptions {
  /** Images of a batch (default: 64, or all images if there are fewer). */
  readonly batch?: number
  /** Order of the images: shuffled in each epoch (default), or as given, with a smaller last batch. */
  readonly order?: 'shuffled' | 'as given'
  /** Seed of order and augmentation (default: 0). */
  readonly seed?: number
  /** Random flips and crops; needs `channels` (default: none). */
  readonly augmentation?: Augmentation
  /** Channels of an image (default: 1). */
  readonly channels?: number
  /** Side of the square images in pixels; needed without labels, whose number otherwise tells the number of images. */
  readonly size?: number
}

/**
 * Returns the batches of images in memory, for `fit` and `evaluate`. Order and augmentation follow from seed and epoch.
 * @throws UserError if the images are not square, or fewer than a batch.
 */
export function arrayBatches(
  { images, labels }: ImageArrays,
  options: ArrayBatchOptions = {},
): BatchSource {
  requirePixels(images)
  const { order = 'shuffled', seed = 0, channels = 1, augmentation = noAugmentation } = options
  const count = labels?.length ?? images.length / (channels * (options.size ?? NaN) ** 2)
  const { batch = Math.min(64, count) } = options
  const each = images.length / count
  const size = Math.sqrt(each / channels)
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(size) || size === 0)
    throw new UserError(
      `${images.length} pixel values do not make up ${labels ? `${count} ` : ''}square images of ${channels} channels`,
      'give images as [count, channels, size, size], `channels`, and one label for each or `size`',
    )
  const shuffles = order === 'shuffled'
  if (shuffles && batch > count)
    throw new UserError(
      `a batch of ${batch} needs as many images, there are ${count}`,
      'choose a smaller `batch`',
    )
  const length = shuffles ? Math.floor(count / batch) : Math.ceil(count / batch)
  const shape = { channels, height: size, width: size }
  checkCrop(augmentation, shape)
  const bordered = augmentation.flip || augmentation.cropPadding > 0

  return (epoch): Batches => {
    const indices = Int32Array.from({ length: count }, (_, i) => i)
    if (shuffles) new Random(seed, randomStream.order, epoch).shuffle(indices)
    const read = async (step: number): Promise<ImageBatch> => {
      const rows = indices.slice(step * batch, (step + 1) * batch)
      const values = rows.length * each
      const pixels =
        images instanceof Float32Array ? new Float32Array(values) : new Uint8Array(values)
      rows.forEach((index, row) => {
        const image = images.subarray(index * each, (index + 1) * each)
        if (!bordered) return pixels.set(image, row * each)
        const draw = drawAugmentation(augmentation, seed, epoch, index)
        augmentImage(shape, draw, image as Uint8Array, 0, pixels as Uint8Array, row * each)
      })
      return {
        images: pixels,
        ...(labels ? { labels: Array.from(rows, (i) => labels[i]!) } : {}),
        indices: rows,
      }
    }
    return {
      length,
      read,
      async *[Symbol.asyncIterator]() {
        for (let step = 0; step < length; step++) yield await read(step)
      },
    }
  }
}
