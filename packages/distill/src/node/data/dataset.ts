// The types of an open data set and the error that every reader of one throws. Types only: formats have a file each, registry.ts
// knows them by name, and pixels.ts reads images wherever they are.

import { UserError } from '@embed-kd/core'

export interface ImageShape {
  readonly channels: number
  readonly height: number
  readonly width: number
}

export interface ChannelStatistics {
  /** One per channel, of pixels from 0 to 1. */
  readonly mean: readonly number[]
  /** One per channel; 1 for a channel that never varies. */
  readonly std: readonly number[]
}

/** Decoded images in a file, one after the other. */
export interface ImageFile {
  readonly path: string
  /** Byte at which the first image begins. */
  readonly begin: number
}

/** Formats whose images have to be decoded. */
export type EncodedFormat = 'images' | 'parquet' | 'webdataset'

/** Columns of a parquet table; without them, common names are tried. */
export interface Columns {
  readonly imageColumn?: string
  readonly labelColumn?: string
}

/** Images that are decoded whenever they are read, because there is no room to keep them decoded. */
export interface EncodedImages extends Columns {
  readonly format: EncodedFormat
  readonly directory: string
  readonly which: 'train' | 'test'
  /** Ascending positions, among the files of the split, of images that cannot be decoded and are left out. */
  readonly skipped: readonly number[]
  /** Side in pixels to which images are resized; absent if all have one size. */
  readonly imageSize?: number
  /** Largest image that is decoded, in megapixels. */
  readonly maxMegapixels?: number
}

/** Images and their labels, in the order of the files. Plain data, so that it can be posted to a worker. */
export interface Split {
  /** `[count, channels, height, width]`, 0 to 255: the pixels themselves, or where pixels.ts reads them. */
  readonly images: Uint8Array | ImageFile | EncodedImages
  /** `[count]`, from 0 to classes - 1; all -1 if there are no labels. */
  readonly labels: Int32Array
  /** At least 1; 0 in the test split of a data set without labels. */
  readonly count: number
  /** `[count]`: a checksum of every image, if reading the data set computed them; contents.ts computes them otherwise. */
  readonly checksums?: Uint32Array
}

export interface Dataset extends ImageShape {
  readonly name: string
  /** At least 2, each of which has training images; 0 if there are no labels. */
  readonly classes: number
  /** One per class, if the files name them. */
  readonly classNames?: readonly string[]
  readonly train: Split
  readonly test: Split
  /**
   * SHA-256 (hex) of shape, labels and images: of the pixels if the files hold pixels, of the encoded bytes if images are decoded.
   * The digest depends neither on paths nor on whether decoded images are kept.
   */
  readonly digest: string
  /** Statistics of the training split; of 4096 evenly spaced images if it is encoded and larger. */
  readonly statistics: ChannelStatistics
}

/** A data set that cannot be read: which file, why, and what to do about it. */
export class DatasetError extends UserError {
  override readonly name = 'DatasetError'
  /** The message without the remedy. */
  readonly complaint: string

  constructor(source: string, cause: string, remedy: string) {
    super(`${source}: ${cause}`, remedy)
    this.complaint = `${source}: ${cause}`
  }
}

/** Receives what a user should know about a data set, one line a call. */
export type Tell = (message: string) => void
