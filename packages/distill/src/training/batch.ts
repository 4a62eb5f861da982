// Batches as users give them, plain arrays of images and labels, and the checks that they are whole.
import { describeValue, hostTensor, UserError, type HostTensor } from '@embed-kd/core'

/** Images of a batch, with labels and more if they are known. Every array has a row for each image, in the same order. */
export interface ImageBatch {
  /** `[count, channels, size, size]`: normalised floats, or bytes that the trainer normalises. */
  readonly images: Float32Array | Uint8Array
  /** Class of each image, from 0; needed to train and to evaluate. */
  readonly labels?: ArrayLike<number> | undefined
  /** Row of each image in the teacher's sample embeddings; needed if the trainer was given these as a whole. */
  readonly indices?: ArrayLike<number> | undefined
  /** The images as bytes, for a teacher that runs on each batch with a preprocessing of its own. */
  readonly pixels?: Uint8Array | undefined
  /** Teacher embeddings of these images, `[count, width]`, if the batch brings its own; by name if there are several teachers. */
  readonly embeddings?: TeacherRows | undefined
}

/** Embeddings `[count, width]` of a batch by one teacher, or by each of several by name. */
export type TeacherRows = Float32Array | Readonly<Record<string, Float32Array>>

/** Batches of one epoch. */
export type Batches = (AsyncIterable<ImageBatch> | Iterable<ImageBatch>) & {
  /** Number of batches, if known: a cosine schedule needs the number of steps in advance. */
  readonly length?: number
  /** Returns the batch at `step`, from 0; without it, resuming within an epoch reads and drops the batches before. */
  read?(step: number): Promise<ImageBatch>
}

/** Batches of each epoch, from 0; or batches that can be iterated once for each epoch. */
export type BatchSource = Batches | ((epoch: number) => Batches)

/** Images as the batches have them. */
export interface ImageFormat {
  readonly channels: number
  /** Side of the square images in pixels; the model resizes images of another size than its own. */
  readonly size: number
  /** Mean of each channel, of pixels from 0 to 1, by which bytes are normalised (default: 0.5). */
  readonly mean?: readonly number[] | undefined
  /** Standard deviation of each channel, of pixels from 0 to 1 (default: 0.5). */
  readonly std?: readonly number[] | undefined
}

/** Normalises bytes to `(pixel / 255 - mean) / std`; floats are returned as they are. */
export type Normalise = (images: Float32Array | Uint8Array) => Float32Array

/** @throws UserError if there is not one mean and one positive standard deviation for each channel. */
export function createNormalise({ channels, size, ...given }: ImageFormat): Normalise {
  const mean = given.mean ?? new Array<number>(channels).fill(0.5)
  const std = given.std ?? new Array<number>(channels).fill(0.5)
  if (mean.length !== channels || std.length !== channels || !std.every((value) => value > 0))
    throw new UserError(
      `images of ${channels} channels have means [${mean.join(', ')}] and standard deviations [${std.join(', ')}]`,
      'give one mean and one positive standard deviation for each channel',
    )
  const tables = mean.map((center, channel) =>
    Float32Array.from({ length: 256 }, (_, pixel) => (pixel / 255 - center) / std[channel]!),
  )
  const area = size * size
  return (images) => {
    if (images instanceof Float32Array) return images
    const out = new Float32Array(images.length)
    for (let at = 0; at < images.length; at += area) {
      const table = tables[(at / area) % channels]!
      for (let i = at; i < at + area; i++) out[i] = table[images[i]!]!
    }
    return out
  }
}

/** @throws UserError unless pixels are bytes or 32-bit floats: other numbers would be read as something else. */
export function requirePixels(images: unknown): asserts images is Float32Array | Uint8Array {
  const isRead =
    images instanceof Float32Array ||
    images instanceof Uint8Array ||
    images instanceof Uint8ClampedArray
  if (!isRead)
    throw new UserError(
      `images are ${describeValue(images)}`,
      'give a Uint8Array of pixels from 0 to 255, or a Float32Array of normalised ones',
    )
}

/** Returns the number of images in an array. @throws UserError if the array does not consist of whole images. */
export function countImages(images: unknown, { channels, size }: ImageFormat): number {
  requirePixels(images)
  const each = channels * size * size
  const count = images.length / each
  if (Number.isInteger(count) && count > 0) return count
  throw new UserError(
    `a batch has ${images.length} pixel values, but each image of ${channels}x${size}x${size} has ${each}`,
    'give images as [count, channels, size, size], or change the sizes in `images`',
  )
}

/** Returns labels as a tensor. @throws UserError if there is not one class from 0 to classes - 1 for each image. */
export function labelTensor(
  labels: ArrayLike<number> | undefined,
  count: number,
  classes: number,
): HostTensor {
  if (labels?.length !== count)
    throw new UserError(
      `a batch of ${count} images has ${labels?.length ?? 'no'} labels`,
      'give `labels` with the class of each image',
    )
  const data = Int32Array.from(labels)
  const wrong = data.findIndex((label, i) => label !== labels[i] || label < 0 || label >= classes)
  if (wrong >= 0)
    throw new UserError(
      `label ${describeValue(labels[wrong])} is not one of the ${classes} classes, 0 to ${classes - 1}`,
      'number the classes from 0, or change `classes`',
    )
  return hostTensor('int32', [count], data)
}

/** Returns the batches of an epoch, from 0. @throws UserError if the source is none. */
export function openBatches(source: BatchSource, epoch: number): Batches {
  const batches: unknown = typeof source === 'function' ? source(epoch) : source
  const isIterable =
    typeof batches === 'object' &&
    batches !== null &&
    (Symbol.asyncIterator in batches || Symbol.iterator in batches)
  if (isIterable) return batches as Batches
  throw new UserError(
    `the source of batches is ${describeValue(batches)}`,
    'give { images, labels }, an iterable of such batches, or a function from the epoch to one',
  )
}

/** Reads the batches of an epoch from `first` on. */
export async function* batchesFrom(batches: Batches, first: number): AsyncGenerator<ImageBatch> {
  if (batches.read && batches.length !== undefined) {
    for (let step = first; step < batches.length; step++) yield await batches.read(step)
    return
  }
  let step = 0
  for await (const batch of batches) if (step++ >= first) yield batch
}
