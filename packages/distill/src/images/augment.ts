// Random crops and horizontal flips. They depend on seed, epoch and the image's index alone, so that the pixels of a stored teacher
// embedding can be made again anywhere.

import { Random, UserError } from '@embed-kd/core'

import { randomStream, type ImageShape } from './shape.js'

export interface Augmentation {
  /** Whether half of the images are mirrored left to right. */
  readonly flip: boolean
  /** Black pixels added on each side before a crop of the image's own size; 0 for none. */
  readonly cropPadding: number
}

/** The augmentation of one image in one epoch. */
export interface AugmentationDraw {
  readonly flip: boolean
  /** Corner of the crop in pixels from the image's corner: from -cropPadding to cropPadding. */
  readonly top: number
  readonly left: number
}

export const noAugmentation: Augmentation = { flip: false, cropPadding: 0 }

/** Reads `none`, `flip`, `crop:4`, or both joined by `+` or a comma. @throws UserError if a word is another. */
export function parseAugmentation(words: string): Augmentation {
  let flip = false
  let cropPadding = 0
  for (const word of words.split(/[+,]/).map((part) => part.trim())) {
    const padding = /^crop:(\d+)$/.exec(word)?.[1]
    if (word === 'flip') flip = true
    else if (padding !== undefined) cropPadding = Number(padding)
    else if (word !== 'none')
      throw new UserError(
        `unknown augmentation "${words}"`,
        'give none, flip, crop:PIXELS, or flip+crop:PIXELS',
      )
  }
  return { flip, cropPadding }
}

/** Writes an augmentation as `parseAugmentation` reads it. */
export const formatAugmentation = ({ flip, cropPadding }: Augmentation): string =>
  [...(flip ? ['flip'] : []), ...(cropPadding > 0 ? [`crop:${cropPadding}`] : [])].join('+') ||
  'none'

/** @throws UserError if a crop can miss an image altogether. */
export function checkCrop({ cropPadding }: Augmentation, { height, width }: ImageShape): void {
  const side = Math.min(height, width)
  if (cropPadding < side) return
  throw new UserError(
    `crop:${cropPadding} can miss an image of ${height}x${width} pixels altogether`,
    `give fewer than ${side} pixels`,
  )
}

const asIs: AugmentationDraw = { flip: false, top: 0, left: 0 }

export function drawAugmentation(
  { flip, cropPadding }: Augmentation,
  seed: number,
  epoch: number,
  index: number,
): AugmentationDraw {
  if (!flip && cropPadding === 0) return asIs
  const random = new Random(seed, randomStream.augmentation, epoch, index)
  const mirrored = random.int(2) === 1
  const top = random.int(2 * cropPadding + 1) - cropPadding
  const left = random.int(2 * cropPadding + 1) - cropPadding
  return { flip: flip && mirrored, top, left }
}

/** Writes the augmented image that starts at `sourceStart` to `targetStart`: crop first, then flip. */
export function augmentImage(
  { channels, height, width }: ImageShape,
  { flip, top, left }: AugmentationDraw,
  source: Uint8Array,
  sourceStart: number,
  target: Uint8Array,
  targetStart: number,
): void {
  const area = height * width
  const firstRow = Math.max(-top, 0)
  const lastRow = Math.min(height - top, height)
  const firstColumn = Math.max(-left, 0)
  const lastColumn = Math.min(width - left, width)
  if (top !== 0 || left !== 0) target.fill(0, targetStart, targetStart + channels * area)
  for (let channel = 0; channel < channels; channel++)
    for (let y = firstRow; y < lastRow; y++) {
      const from = sourceStart + channel * area + (y + top) * width + left
      const row = targetStart + channel * area + y * width
      if (flip) {
        const end = row + width - 1
        for (let x = firstColumn; x < lastColumn; x++) target[end - x] = source[from + x]!
      } else if (firstColumn < lastColumn) {
        target.set(source.subarray(from + firstColumn, from + lastColumn), row + firstColumn)
      }
    }
}
