// What a data set is once it is in memory, and the error every loader gives. The formats have a file each; registry.ts knows
// them by name.

import { createHash } from 'node:crypto'

export interface ImageShape {
  readonly channels: number
  readonly height: number
  readonly width: number
}

/** Images and their labels, in the order of the files. */
export interface Split {
  /** `[count, channels, height, width]`, 0 to 255. */
  readonly images: Uint8Array
  /** `[count]`, from 0 to classes - 1. */
  readonly labels: Int32Array
  /** At least 1. */
  readonly count: number
}

export interface Dataset extends ImageShape {
  readonly name: string
  readonly classes: number
  /** One per class, where the files say. */
  readonly classNames?: readonly string[]
  readonly train: Split
  readonly test: Split
  /** SHA-256 (hex) of shape, images and labels: the same data has the same digest whatever files it came from. */
  readonly digest: string
}

/** A data set that cannot be read: which file, why, and what to do about it. */
export class DatasetError extends Error {
  override readonly name = 'DatasetError'

  constructor(source: string, cause: string, remedy: string) {
    super(`${source}: ${cause}; ${remedy}`)
  }
}

/** Memory for pixels that other threads can read too, so that none needs a copy. */
export const pixelArray = (bytes: number): Uint8Array =>
  new Uint8Array(new SharedArrayBuffer(bytes))

/** Adds the digest. */
export function createDataset(parts: Omit<Dataset, 'digest'>): Dataset {
  const { classes, channels, height, width } = parts
  const hash = createHash('sha256').update(JSON.stringify([classes, channels, height, width]))
  for (const { count, images, labels } of [parts.train, parts.test])
    hash.update(`${count}`).update(images).update(labels)
  return { ...parts, digest: hash.digest('hex') }
}

/** @throws DatasetError naming `file` at the first label that is not a class. */
export function checkLabels(labels: ArrayLike<number>, classes: number, file: string): void {
  for (let i = 0; i < labels.length; i++)
    if (labels[i]! >= classes)
      throw new DatasetError(
        file,
        `the label of image ${i} is ${labels[i]}, but there are ${classes} classes, 0 to ${classes - 1}`,
        'check that it belongs to this data set and is not damaged',
      )
}
