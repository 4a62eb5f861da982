// Decodes one image (JPEG, PNG, …) to RGB planes. The pixels are those of torchvision's ImageFolder: embedded colour profiles are
// ignored, transparency is dropped. Unlike there, EXIF orientation is applied (as the `datasets` library does), and 16-bit and float
// pixels are scaled to 0..255. Memory for images in flight is bounded.

import { availableParallelism } from 'node:os'

import { messageOf } from '@embed-kd/core'
import sharp, { type Metadata } from 'sharp'

import { readBitmap, type Bitmap } from './bitmap.js'
import { DatasetError } from './dataset.js'
import { Gate } from './gate.js'
import { transparentColour } from './gif.js'
import { mistakenFor } from './mistaken.js'
import { planeResize, type Size } from './resize.js'

export interface DecodeOptions {
  /** Side in pixels to which images are resized; without it all must be of one size. */
  readonly imageSize?: number
  /** Largest image that is decoded, in megapixels; default 100. */
  readonly maxMegapixels?: number
}

/** An image that is not decoded yet. */
export interface EncodedImage {
  /** Its path, or its place in a table or archive, for errors. */
  readonly name: string
  readonly label: number
  read(): Promise<Uint8Array>
}

/** Messages about changes that decoding makes to images, each for a number of such images. */
export const oddities = {
  turned: (n: number) => `${countImages(n)} turned as the EXIF orientation says`,
  dark: (n: number) =>
    `${countImages(n)} dark: 16 bits a channel, of which at most the lowest 14 are used; scale the pixels to all 16 bits`,
  unitFloat: (n: number) => `${countImages(n)} scaled from float pixels between 0 and 1`,
  byteFloat: (n: number) => `${countImages(n)} rounded from float pixels between 0 and 255`,
} satisfies Record<string, (n: number) => string>

export type Oddity = keyof typeof oddities

const countImages = (n: number): string => (n === 1 ? '1 image is' : `${n} images are`)

export const decodedChannels = 3
const channels = decodedChannels

export interface Decoded extends Size {
  /** `[3, height, width]` */
  readonly pixels: Uint8Array
  readonly oddities: readonly Oddity[]
}

const DEFAULT_MEGAPIXELS = 100

/** Images that are read from disk or decoded at a time. */
const slots = new Gate(2 * availableParallelism())
/** Bytes that images being decoded may take; a larger image is decoded alone. */
const memory = new Gate(256 * 2 ** 20)
/** Bytes a pixel takes while it is decoded: three in the decoder, three in its result, and a float of one plane to resize. */
const PIXEL_BYTES = 10

/** An image that cannot be decoded, which may be skipped, unlike a table or archive that cannot be read. */
export class UndecodableError extends DatasetError {}

/** Reads and decodes an image. @throws UndecodableError naming the image if it cannot be decoded. */
export async function decodeImage(image: EncodedImage, options: DecodeOptions): Promise<Decoded> {
  return (await readAndDecode(image, options)).decoded
}

/** Like `decodeImage`, and returns the encoded bytes too. */
export async function readAndDecode(
  image: EncodedImage,
  options: DecodeOptions,
): Promise<{ readonly bytes: Uint8Array; readonly decoded: Decoded }> {
  return slots.run(1, async () => {
    try {
      const bytes = await image.read()
      return { bytes, decoded: await decode(bytes, options) }
    } catch (error) {
      if (error instanceof DatasetError) throw error
      const lines = [...new Set(messageOf(error).trim().split('\n'))].join(', ')
      throw new UndecodableError(
        image.name,
        `it cannot be decoded (${lines.replace(/^Input buffer contains unsupported.*/, 'it begins like no image that is read')})`,
        error instanceof TooLarge
          ? 'make it smaller, or raise the limit (--max-megapixels)'
          : 'repair or remove it, or have such images skipped (--skip-corrupt)',
      )
    }
  })
}

/** An image of more pixels than may be decoded. */
class TooLarge extends Error {}

async function decode(
  bytes: Uint8Array,
  { imageSize, maxMegapixels = DEFAULT_MEGAPIXELS }: DecodeOptions,
): Promise<Decoded> {
  if (bytes.length === 0) throw new Error('it is empty')
  const mistaken = mistakenFor(bytes)
  if (mistaken) throw new Error(mistaken)
  const check = ({ height, width }: Size) => {
    if (height * width > 1e6 * maxMegapixels)
      throw new TooLarge(`its ${width}x${height} pixels are more than ${maxMegapixels} megapixels`)
  }
  const bitmap = readBitmap(bytes, check)
  if (bitmap) return { ...toPlanes(bitmap, imageSize), oddities: darkness(bitmap) }
  const header = await open(bytes).metadata()
  if (header.format === 'svg') throw new Error('it is a drawing (SVG), not an image of pixels')
  const { width, height } = header
  check({ width, height })
  return memory.run(PIXEL_BYTES * width * height, async () => {
    const { bitmap, found } =
      (await readers[header.depth ?? '']?.(bytes, header)) ?? unreadable(header)
    const turned: Oddity[] = (header.orientation ?? 1) > 1 ? ['turned'] : []
    return { ...toPlanes(bitmap, imageSize), oddities: [...turned, ...found] }
  })
}

// 'error': a truncated file is corrupt, an oddity that every viewer forgives is not.
const open = (bytes: Uint8Array) =>
  sharp(bytes, { failOn: 'error', ignoreIcc: true, limitInputPixels: false }).autoOrient()

interface Read {
  readonly bitmap: Bitmap
  readonly found: readonly Oddity[]
}

/** Readers by the type of a pixel. */
const readers: Record<string, (bytes: Uint8Array, header: Metadata) => Promise<Read>> = {
  uchar: async (bytes, { space, format }) => {
    const read = space === 'cmyk' ? readCmyk : format === 'gif' ? readGif : readRgb
    return { bitmap: await read(bytes), found: [] }
  },
  ushort: async (bytes) => {
    const bitmap = { ...(await readRgb(bytes)), isDeep: true }
    return { bitmap, found: darkness(bitmap) }
  },
  float: readFloat,
  double: readFloat,
}

const unreadable = ({ depth }: Metadata): never => {
  throw new Error(`its pixels are of type ${depth}; convert them to 8 or 16 bits`)
}

async function readRgb(bytes: Uint8Array): Promise<Bitmap> {
  const { data, info } = await open(bytes)
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  return { height: info.height, width: info.width, data }
}

/** Pixels of which a quarter of 16 bits is never passed, most likely of 10, 12 or 14 bits. */
const darkness = ({ isDeep, data }: Bitmap): Oddity[] =>
  isDeep && data.every((value) => value < 64) ? ['dark'] : []

async function readGif(bytes: Uint8Array): Promise<Bitmap> {
  const colour = transparentColour(bytes)
  if (!colour) return readRgb(bytes)
  const { data, info } = await open(bytes)
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  const rgb = new Uint8Array(channels * info.width * info.height)
  for (let i = 0; i < info.width * info.height; i++) {
    const pixel = data.subarray(4 * i, 4 * i + 4)
    rgb.set(pixel[3] === 0 ? colour : pixel.subarray(0, channels), channels * i)
  }
  return { height: info.height, width: info.width, data: rgb }
}

/** Converts CMYK as Pillow does, without a colour profile: each colour is 255 less its ink, scaled by 255 less black. */
async function readCmyk(bytes: Uint8Array): Promise<Bitmap> {
  const { data, info } = await open(bytes)
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw()
    .toBuffer({ resolveWithObject: true })
  const rgb = new Uint8Array(channels * info.width * info.height)
  for (let i = 0; i < info.width * info.height; i++) {
    const light = 255 - data[info.channels * i + 3]!
    for (let channel = 0; channel < channels; channel++) {
      const product = data[info.channels * i + channel]! * light + 128
      rgb[channels * i + channel] = light - (((product >> 8) + product) >> 8)
    }
  }
  return { height: info.height, width: info.width, data: rgb }
}

async function readFloat(bytes: Uint8Array): Promise<Read> {
  const { data, info } = await open(bytes)
    .removeAlpha()
    .raw({ depth: 'float' })
    .toBuffer({ resolveWithObject: true })
  const values = new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length))
  const { least, largest } = rangeOf(values)
  if (!(least >= 0 && largest <= 255))
    throw new Error(
      `its float pixels are between ${least} and ${largest}, not in 0 to 1 or 0 to 255`,
    )
  const isUnit = largest <= 1
  const scale = isUnit ? 255 : 1
  const rgb = new Uint8Array(channels * info.width * info.height)
  for (let i = 0; i < info.width * info.height; i++)
    for (let channel = 0; channel < channels; channel++) {
      const from = info.channels * i + Math.min(channel, info.channels - 1)
      rgb[channels * i + channel] = Math.round(scale * values[from]!)
    }
  const bitmap = { height: info.height, width: info.width, data: rgb }
  return { bitmap, found: [isUnit ? 'unitFloat' : 'byteFloat'] }
}

/** Returns the least and largest value; NaN if one is NaN. */
function rangeOf(values: Float32Array): { least: number; largest: number } {
  let least = Infinity
  let largest = -Infinity
  for (const value of values) {
    least = Math.min(least, value)
    largest = Math.max(largest, value)
  }
  return { least, largest }
}

/** Splits interleaved pixels into planes, and resizes each as PyTorch does. */
function toPlanes(
  { data, height, width }: Bitmap,
  imageSize: number | undefined,
): Size & { pixels: Uint8Array } {
  const area = width * height
  if (imageSize === undefined || (imageSize === width && imageSize === height)) {
    const pixels = new Uint8Array(channels * area)
    for (let i = 0, at = 0; i < area; i++)
      for (let channel = 0; channel < channels; channel++) pixels[channel * area + i] = data[at++]!
    return { height, width, pixels }
  }
  const size = { height: imageSize, width: imageSize }
  const resize = planeResize({ height, width }, size)
  const plane = new Float32Array(area)
  const resized = new Float32Array(imageSize * imageSize)
  const pixels = new Uint8Array(channels * resized.length)
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0, at = channel; i < area; i++, at += channels) plane[i] = data[at]!
    resize(plane, 0, resized, 0)
    for (let i = 0; i < resized.length; i++)
      pixels[channel * resized.length + i] = Math.round(resized[i]!)
  }
  return { ...size, pixels }
}
