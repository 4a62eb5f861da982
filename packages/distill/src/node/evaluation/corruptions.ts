// Corruptions of images that a test of robustness repeats: noise, blur, contrast and JPEG, on bytes before any preprocessing.
//
// Strengths are those of Hendrycks & Dietterich (2019): of CIFAR-10-C for images whose shorter side has at most 64 pixels, and of
// ImageNet-C for larger ones. Bytes are rounded to the nearest, and noise is drawn from the seed, severity and position of an image.
import { guess, Random, UserError } from '@embed-kd/core'
import sharp from 'sharp'

import { randomStream, type ImageShape } from '../../images/shape.js'

/** How strongly images are corrupted, from 1 to 5. */
export type Severity = 1 | 2 | 3 | 4 | 5
export const severities: readonly Severity[] = [1, 2, 3, 4, 5]

interface Corruption {
  /** Strength of each severity, for small and for large images. */
  readonly small: readonly number[]
  readonly large: readonly number[]
  /** Returns a corrupted image `[channels, height, width]`. */
  apply(
    image: Uint8Array,
    shape: ImageShape,
    strength: number,
    random: Random,
  ): Uint8Array | Promise<Uint8Array>
}

/** Corruptions by name. */
const corruptions = {
  /** Gaussian noise; the strength is its standard deviation, for pixels from 0 to 1. */
  noise: {
    small: [0.04, 0.06, 0.08, 0.09, 0.1],
    large: [0.08, 0.12, 0.18, 0.26, 0.38],
    apply: (image, _, deviation, random) =>
      bytesOf(image.length, (i) => image[i]! + 255 * deviation * random.normal()),
  },
  /** A Gaussian filter; the strength is its standard deviation in pixels. */
  blur: {
    small: [0.4, 0.6, 0.7, 0.8, 1],
    large: [1, 2, 3, 4, 6],
    apply: blur,
  },
  /** Less contrast; the strength is what is left of a pixel's distance to the mean of its channel. */
  contrast: {
    small: [0.75, 0.5, 0.4, 0.3, 0.15],
    large: [0.4, 0.3, 0.2, 0.1, 0.05],
    apply: fade,
  },
  /** Compression as JPEG; the strength is the quality. */
  jpeg: {
    small: [80, 65, 58, 50, 40],
    large: [25, 18, 15, 10, 7],
    apply: recompress,
  },
} satisfies Readonly<Record<string, Corruption>>

export type CorruptionName = keyof typeof corruptions
export const corruptionNames = Object.keys(corruptions) as CorruptionName[]

/** Shorter side of the largest images that take the strengths for small ones. */
const SMALL_SIDE = 64

/** A corruption at a severity. */
export interface CorruptionChoice {
  readonly corruption: CorruptionName
  readonly severity: Severity
}

/** Returns the name of a corruption. @throws UserError if there is none of that name. */
export function findCorruption(name: string): CorruptionName {
  const found = corruptionNames.find((own) => own === name)
  if (found) return found
  throw new UserError(
    `there is no corruption "${name}"`,
    `${guess(name, corruptionNames)}choose from ${corruptionNames.join(', ')}`,
  )
}

/**
 * Corrupts images.
 * @param pixels `[count, channels, height, width]`
 * @param indices position of each image in its split, which noise is drawn from.
 */
export async function corruptImages(
  pixels: Uint8Array,
  indices: ArrayLike<number>,
  shape: ImageShape,
  { corruption, severity }: CorruptionChoice,
  seed: number,
): Promise<Uint8Array> {
  const { apply, small, large }: Corruption = corruptions[corruption]
  const isSmall = Math.min(shape.height, shape.width) <= SMALL_SIDE
  const strength = (isSmall ? small : large)[severity - 1]!
  const imageBytes = shape.channels * shape.height * shape.width
  const out = new Uint8Array(pixels.length)
  for (let i = 0; i * imageBytes < pixels.length; i++) {
    const image = pixels.subarray(i * imageBytes, (i + 1) * imageBytes)
    const random = new Random(seed, randomStream.corruption, severity, indices[i]!)
    out.set(await apply(image, shape, strength, random), i * imageBytes)
  }
  return out
}

const bytesOf = (length: number, value: (i: number) => number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => Math.max(0, Math.min(255, Math.round(value(i)))))

/** Moves the pixels of each channel towards the channel's mean. */
function fade(image: Uint8Array, { channels }: ImageShape, factor: number): Uint8Array {
  const area = image.length / channels
  const means = Array.from(
    { length: channels },
    (_, channel) =>
      image.subarray(channel * area, (channel + 1) * area).reduce((a, b) => a + b, 0) / area,
  )
  return bytesOf(image.length, (i) => {
    const mean = means[Math.floor(i / area)]!
    return mean + factor * (image[i]! - mean)
  })
}

/** Standard deviations at which the Gaussian is cut off. */
const REACH = 4

/** Blurs each channel by a Gaussian, first its rows, then its columns. Beyond the border, the pixels of the border go on. */
function blur(image: Uint8Array, { height, width }: ImageShape, sigma: number): Uint8Array {
  const reach = Math.floor(REACH * sigma + 0.5)
  const bell = Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)),
  )
  const total = bell.reduce((a, b) => a + b)
  const pass = (from: ArrayLike<number>, length: number, stride: number) => {
    const out = new Float64Array(from.length)
    for (let at = 0; at < out.length; at++) {
      const position = Math.floor(at / stride) % length
      const start = at - position * stride
      for (let k = -reach; k <= reach; k++) {
        const other = Math.max(0, Math.min(length - 1, position + k))
        out[at]! += (bell[k + reach]! / total) * from[start + other * stride]!
      }
    }
    return out
  }
  const blurred = pass(pass(image, width, 1), height, width)
  return bytesOf(image.length, (i) => blurred[i]!)
}

/** Writes the image as a JPEG file with half the resolution of colour, and reads it again. */
async function recompress(
  image: Uint8Array,
  { channels, height, width }: ImageShape,
  quality: number,
): Promise<Uint8Array> {
  if (channels !== 1 && channels !== 3)
    throw new UserError(
      `images of ${channels} channels cannot be written as JPEG`,
      'leave jpeg out of --corruptions',
    )
  const area = height * width
  const interleaved = Uint8Array.from(
    image,
    (_, i) => image[(i % channels) * area + Math.floor(i / channels)]!,
  )
  const file = await sharp(interleaved, { raw: { channels, height, width } })
    .jpeg({ quality, chromaSubsampling: '4:2:0' })
    .toBuffer()
  const decoded = sharp(file)
  const raw = await (channels === 1 ? decoded.greyscale() : decoded).raw().toBuffer()
  return Uint8Array.from(image, (_, i) => raw[(i % area) * channels + Math.floor(i / area)]!)
}
