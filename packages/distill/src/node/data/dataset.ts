// What a data set is once it is open, and the error every loader gives. The formats have a file each; registry.ts knows them by
// name, and pixels.ts reads images wherever they are.

import { UserError } from '@embed-kd/core'

import { createHash } from 'node:crypto'

import type { ImageShape } from '../../images/shape.js'

import { PixelStatistics, type ChannelStatistics } from './statistics.js'
import { storedPixels } from './stored.js'

export type { ImageShape }

/** Decoded images in a file, one after the other. */
export interface ImageFile {
  readonly path: string
  /** Byte of the first. */
  readonly begin: number
}

/** Images that are decoded whenever they are read, for want of room to keep them. */
export interface EncodedImages {
  readonly format: 'images' | 'parquet'
  readonly directory: string
  readonly which: 'train' | 'test'
  /** Pixels a side that they are resized to; absent where they have one size. */
  readonly imageSize?: number
}

/** Images and their labels, in the order of the files. Plain data: a thread can be told of it. */
export interface Split {
  /** `[count, channels, height, width]`, 0 to 255: in memory, or where they are read from (pixels.ts). */
  readonly images: Uint8Array | ImageFile | EncodedImages
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
  /**
   * SHA-256 (hex) of shape, images and labels: the same data has the same digest whatever files it came from. Of images that are
   * decoded as they are read, of the files' names and sizes.
   */
  readonly digest: string
  /** Of the training split. */
  readonly statistics: ChannelStatistics
}

/** A data set that cannot be read: which file, why, and what to do about it. */
export class DatasetError extends UserError {
  override readonly name = 'DatasetError'
  /** Without the remedy. */
  readonly complaint: string

  constructor(source: string, cause: string, remedy: string) {
    super(`${source}: ${cause}`, remedy)
    this.complaint = `${source}: ${cause}`
  }
}

/** Memory for pixels that other threads can read too, so that none needs a copy. */
export const pixelArray = (bytes: number): Uint8Array =>
  new Uint8Array(new SharedArrayBuffer(bytes))

type StoredSplit = Split & { readonly images: Uint8Array | ImageFile }

/** A data set whose images are decoded: adds what has to be read of all of them, digest and statistics. */
export function createDataset<T extends StoredSplit>(
  parts: Omit<Dataset, 'digest' | 'statistics' | 'train' | 'test'> & { train: T; test: T },
): Dataset & { readonly train: T; readonly test: T } {
  const { classes, channels, height, width, train, test } = parts
  const hash = createHash('sha256').update(JSON.stringify([classes, channels, height, width]))
  const statistics = new PixelStatistics(parts)
  for (const split of [train, test]) {
    hash.update(`${split.count}`)
    for (const images of storedPixels(split.images, split.count, channels * height * width)) {
      hash.update(images)
      if (split === train) statistics.add(images)
    }
    hash.update(split.labels)
  }
  return { ...parts, digest: hash.digest('hex'), statistics: statistics.finish() }
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
