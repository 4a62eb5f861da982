// Encoded images (JPEG, PNG, …) as pixels, some at a time and in order. Every image becomes RGB. Where they come from, files or the
// rows of a table, is the formats' business.

import { availableParallelism } from 'node:os'

import sharp from 'sharp'

import { DatasetError } from './dataset.js'
import { planeResize } from './resize.js'
import type { Size } from './resize.js'

export interface DecodeOptions {
  /** Images are resized to this many pixels a side. Where absent, all must be of one size. */
  readonly imageSize?: number
  /** What an image does that cannot be decoded: end the loading (the default), or be left out, with a warning. */
  readonly corrupt?: 'fail' | 'skip'
  /** Told what was left out, one line each. */
  readonly warn?: (message: string) => void
}

/** An image that is not decoded yet. */
export interface EncodedImage {
  /** For errors: its path, or its place in a table. */
  readonly name: string
  readonly label: number
  read(): Promise<Uint8Array>
}

export interface EncodedSplit {
  /** For errors. */
  readonly source: string
  readonly files: readonly EncodedImage[]
}

/** A data set of encoded images. */
export interface EncodedSplits {
  readonly classes: number
  readonly classNames?: readonly string[]
  readonly train: EncodedSplit
  readonly test: EncodedSplit
  /** What to do where there are no images. */
  readonly remedy: string
}

export const decodedChannels = 3
const channels = decodedChannels

export interface Decoded extends Size {
  /** `[3, height, width]` */
  readonly pixels: Uint8Array
}

/** @throws DatasetError naming the image, where it cannot be decoded. */
export async function decodeImage(
  { name, read }: EncodedImage,
  imageSize: number | undefined,
): Promise<Decoded> {
  try {
    return await decode(await read(), imageSize)
  } catch (error) {
    const lines = new Set((error as Error).message.trim().split('\n'))
    throw new DatasetError(
      name,
      `it cannot be decoded (${[...lines].join(', ')})`,
      'repair or remove it, or have corrupt files skipped',
    )
  }
}

/**
 * Decodes images many at a time, and gives them in their order.
 * @throws DatasetError at the first that cannot be decoded, unless such are skipped.
 */
export async function* decodeInOrder(
  files: readonly EncodedImage[],
  { imageSize, corrupt = 'fail', warn = () => {} }: DecodeOptions,
): AsyncGenerator<{ readonly file: EncodedImage; readonly image: Decoded }> {
  const begun: { file: EncodedImage; image: Promise<Decoded> }[] = []
  const ahead = 4 * availableParallelism()
  for (let next = 0; next < files.length || begun.length > 0;) {
    while (begun.length < ahead && next < files.length) {
      const file = files[next++]!
      const image = decodeImage(file, imageSize)
      // Whoever awaits it hears of an error; until then it is not unhandled.
      image.catch(() => {})
      begun.push({ file, image })
    }
    const { file, image } = begun.shift()!
    const decoded = await image.catch((error: unknown) => {
      if (corrupt === 'fail' || !(error instanceof DatasetError)) throw error
      warn(`${error.complaint}; skipped`)
    })
    if (decoded) yield { file, image: decoded }
  }
}

async function decode(bytes: Uint8Array, imageSize: number | undefined): Promise<Decoded> {
  // 'error': a truncated file is corrupt, an oddity that every viewer forgives is not.
  const { data, info } = await sharp(bytes, { failOn: 'error' })
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  const { width, height } = info
  const area = width * height
  if (imageSize === undefined || (imageSize === width && imageSize === height)) {
    const pixels = new Uint8Array(channels * area)
    for (let i = 0, at = 0; i < area; i++)
      for (let channel = 0; channel < channels; channel++) pixels[channel * area + i] = data[at++]!
    return { height, width, pixels }
  }
  const planes = new Float32Array(channels * area)
  for (let i = 0, at = 0; i < area; i++)
    for (let channel = 0; channel < channels; channel++) planes[channel * area + i] = data[at++]!
  const size = { height: imageSize, width: imageSize }
  const resize = planeResize(info, size)
  const resized = new Float32Array(channels * imageSize * imageSize)
  for (let channel = 0; channel < channels; channel++)
    resize(planes, channel * area, resized, channel * imageSize * imageSize)
  return { ...size, pixels: Uint8Array.from(resized, Math.round) }
}
