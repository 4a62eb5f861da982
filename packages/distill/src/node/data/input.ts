// What a model sees: bytes of a batch to float32 of the model's size, normalised by its mean and standard deviation.

import type { ChannelStatistics, ImageShape } from './dataset.js'
import { planeResize } from './resize.js'
import type { Interpolation, Size } from './resize.js'

export interface ModelInput extends ImageShape, ChannelStatistics {
  /** How images of another size come to the model's: resized (antialiased), or set in the middle of black. */
  readonly fit: 'resize' | 'pad'
  /** Default: bilinear. */
  readonly interpolation?: Interpolation
  /**
   * With `fit: 'resize'`, images keep their proportions: their shorter side becomes this many pixels, and the middle is taken.
   * Default: images are stretched to the model's size.
   */
  readonly shorterSide?: number
}

/** Writes images `[count, channels, height, width]` of the source as the model's input `[count, channels, height, width]`. */
export type InputWriter = (pixels: Uint8Array, count: number, into: Float32Array) => void

/**
 * A function that makes a model's input of images of shape `source`: each pixel p of a channel becomes (p / 255 - mean) / std.
 * Grey images are repeated for a model of several channels. It has buffers of its own, so build it once and keep it.
 * @throws where images of that shape cannot become the input.
 */
export function createInputWriter(source: ImageShape, target: ModelInput): InputWriter {
  const { channels, height, width, mean, std, fit } = target
  if (source.channels !== channels && source.channels !== 1)
    throw new Error(
      `images of ${source.channels} channels cannot be given to a model of ${channels}: take another data set or model`,
    )
  if (mean.length !== channels || std.length !== channels || !std.every((value) => value > 0))
    throw new Error(
      `a model of ${channels} channels needs as many means and positive standard deviations, got [${mean.join(', ')}] and [${std.join(', ')}]`,
    )
  const sameSize =
    source.height === height && source.width === width && (target.shorterSide ?? height) === height
  return fit === 'pad' || sameSize ? padded(source, target) : resized(source, target)
}

function padded(
  source: ImageShape,
  { channels, height, width, mean, std }: ModelInput,
): InputWriter {
  const top = Math.floor((height - source.height) / 2)
  const left = Math.floor((width - source.width) / 2)
  if (top < 0 || left < 0)
    throw new Error(
      `images of ${source.height}x${source.width} cannot be padded to ${height}x${width}: resize them`,
    )
  const valuesOf = mean.map((center, channel) =>
    Float32Array.from({ length: 256 }, (_, pixel) => (pixel / 255 - center) / std[channel]!),
  )
  const sourceArea = source.height * source.width
  const area = height * width
  const bordered = sourceArea !== area

  return (pixels, count, into) => {
    for (let image = 0; image < count; image++)
      for (let channel = 0; channel < channels; channel++) {
        const values = valuesOf[channel]!
        const plane = image * channels + channel
        const sourcePlane = source.channels === channels ? plane : image
        if (bordered) into.fill(values[0]!, plane * area, (plane + 1) * area)
        let from = sourcePlane * sourceArea
        for (let y = 0; y < source.height; y++) {
          const row = plane * area + (y + top) * width + left
          for (let x = 0; x < source.width; x++) into[row + x] = values[pixels[from++]!]!
        }
      }
  }
}

/** What the whole image becomes, of which the model sees the middle. */
function resizedSize(source: Size, { height, width, shorterSide }: ModelInput): Size {
  if (shorterSide === undefined) return { height, width }
  if (shorterSide < Math.max(height, width))
    throw new Error(
      `images whose shorter side becomes ${shorterSide} pixels have no middle of ${height}x${width}: make it at least as large`,
    )
  // The longer side is rounded down, as torchvision does.
  return source.height <= source.width
    ? { height: shorterSide, width: Math.floor((shorterSide * source.width) / source.height) }
    : { height: Math.floor((shorterSide * source.height) / source.width), width: shorterSide }
}

function resized(source: ImageShape, target: ModelInput): InputWriter {
  const { channels, height, width, mean, std } = target
  const sourceArea = source.height * source.width
  const area = height * width
  const resize = planeResize(source, target, target.interpolation, resizedSize(source, target))
  const plane = new Float32Array(sourceArea)
  const copies = channels / source.channels

  return (pixels, count, into) => {
    for (let sourcePlane = 0; sourcePlane < count * source.channels; sourcePlane++) {
      const first = sourcePlane * copies
      const begin = sourcePlane * sourceArea
      for (let i = 0; i < sourceArea; i++) plane[i] = pixels[begin + i]!
      resize(plane, 0, into, first * area)
      // Normalising is affine and the weights sum to 1, so it may as well come after; the first plane last, as the others read it.
      for (let copy = copies - 1; copy >= 0; copy--) {
        const channel = (first + copy) % channels
        const scale = 1 / (255 * std[channel]!)
        const shift = -mean[channel]! / std[channel]!
        const at = (first + copy) * area
        for (let i = 0; i < area; i++) into[at + i] = into[first * area + i]! * scale + shift
      }
    }
  }
}
