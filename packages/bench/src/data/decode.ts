// Encoded images (JPEG, PNG, …) as the pixels of a split, many at a time. Every image becomes RGB. Where they come from, files or the
// rows of a table, is the formats' business.

import { availableParallelism } from 'node:os'

import sharp from 'sharp'

import { DatasetError, pixelArray } from './dataset.js'
import type { Split } from './dataset.js'
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

export const decodedChannels = 3
const channels = decodedChannels

interface Decoded extends Size {
  /** `[3, height, width]` */
  readonly pixels: Uint8Array
}

export interface DecodedSplit extends Size {
  readonly split: Split
  /** An image of that size, to name when another differs. */
  readonly example: string
}

/**
 * Decodes all images; those that cannot be are named.
 * @param source where they are, for errors. @param sized a split whose size they must have.
 * @throws DatasetError
 */
export async function decodeImages(
  source: string,
  files: readonly EncodedImage[],
  options: DecodeOptions,
  remedy: string,
  sized?: DecodedSplit,
): Promise<DecodedSplit> {
  const { imageSize, corrupt = 'fail', warn = () => {} } = options

  const decode = async ({ name, read }: EncodedImage): Promise<Decoded | undefined> => {
    try {
      return await decodeImage(await read(), imageSize)
    } catch (error) {
      const lines = new Set((error as Error).message.trim().split('\n'))
      const cause = `it cannot be decoded (${[...lines].join(', ')})`
      if (corrupt === 'fail')
        throw new DatasetError(name, cause, 'repair or remove it, or have corrupt files skipped')
      warn(`${name}: ${cause}; skipped`)
      return undefined
    }
  }

  // The first image that can be decoded says how large they are.
  let next = 0
  let first: Decoded | undefined
  while (first === undefined && next < files.length) first = await decode(files[next++]!)
  if (first === undefined)
    throw new DatasetError(source, 'there is no image that can be decoded', remedy)
  const start = next - 1
  const { height, width, example } = sized ?? {
    height: first.height,
    width: first.width,
    example: files[start]!.name,
  }

  const imageBytes = channels * height * width
  const images = pixelArray((files.length - start) * imageBytes)
  const decoded = new Uint8Array(files.length - start)
  const place = (index: number, image: Decoded): void => {
    if (image.height !== height || image.width !== width)
      throw new DatasetError(
        files[index]!.name,
        `it is ${image.height}x${image.width}, but ${example} is ${height}x${width}`,
        'give an image size to resize all images to',
      )
    images.set(image.pixels, (index - start) * imageBytes)
    decoded[index - start] = 1
  }
  place(start, first)
  const worker = async (): Promise<void> => {
    while (next < files.length) {
      const index = next++
      const image = await decode(files[index]!)
      if (image !== undefined) place(index, image)
    }
  }
  await Promise.all(Array.from({ length: 4 * availableParallelism() }, worker))

  // Close the gaps that skipped files left.
  const kept = Array.from(decoded.keys()).filter((i) => decoded[i] === 1)
  for (const [to, from] of kept.entries())
    if (to !== from) images.copyWithin(to * imageBytes, from * imageBytes, (from + 1) * imageBytes)
  const labels = Int32Array.from(kept, (i) => files[start + i]!.label)
  const split = {
    images: images.subarray(0, kept.length * imageBytes),
    labels,
    count: kept.length,
  }
  return { split, height, width, example }
}

async function decodeImage(bytes: Uint8Array, imageSize: number | undefined): Promise<Decoded> {
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
