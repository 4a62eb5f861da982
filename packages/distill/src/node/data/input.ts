// The input of a model from the bytes of a batch: resized, cut to the model's size and normalised, as image processors do.

import type { ChannelStatistics, ImageShape } from './dataset.js'
import { byteResize, planeResize, type Area, type Interpolation, type Size } from './resize.js'

export interface ModelInput extends ImageShape, ChannelStatistics {
  /**
   * `resize`: images are resized, and their middle becomes the input. `crop`: only their middle is taken. `none`: images must
   * have the size of the input. A middle larger than the image is surrounded by black.
   */
  readonly fit: 'resize' | 'crop' | 'none'
  /** Filter of the resizing (default: bilinear). */
  readonly interpolation?: Interpolation
  /** Length in pixels that the shorter side is resized to, the proportions kept. Default: images are stretched. */
  readonly shorterSide?: number
  /** Size that images are stretched to before their middle is taken (default: the size of the input). */
  readonly stretchedTo?: Size
  /** The middle must be the whole resized image: images of other proportions are refused. */
  readonly uncropped?: true
  /** Images are resized as floats. Default: as bytes, and each pass of the resizing rounds. */
  readonly resizesFloats?: true
  /** The first and the last channel change places before the normalisation. */
  readonly flippedChannels?: true
}

/** Writes images `[count, channels, height, width]` of the source as the model's input `[count, channels, height, width]`. */
export type InputWriter = (pixels: Uint8Array, count: number, into: Float32Array) => void

/** Cuts one plane of the source to the model's size; the result holds bytes or floats from 0 to 255. */
type PlaneFit = (pixels: Uint8Array, start: number) => Uint8Array | Float32Array

/**
 * Returns a function that makes a model's input of images of shape `source`: each pixel p of a channel becomes (p / 255 - mean) / std.
 * Grey images are repeated for a model of several channels. The function has buffers of its own, so build it once and keep it.
 * @throws if images of that shape cannot become the input.
 */
export function createInputWriter(source: ImageShape, target: ModelInput): InputWriter {
  const { channels, height, width, mean, std, flippedChannels = false } = target
  if (source.channels !== channels && source.channels !== 1)
    throw new Error(
      `images of ${source.channels} channels cannot be given to a model of ${channels}: take another data set or model`,
    )
  if (mean.length !== channels || std.length !== channels || !std.every((value) => value > 0))
    throw new Error(
      `a model of ${channels} channels needs as many means and positive standard deviations, got [${mean.join(', ')}] and [${std.join(', ')}]`,
    )
  const fit = planeFit(source, target)
  const sourceArea = source.height * source.width
  const area = height * width
  // Bytes have few values, so each is normalised once.
  const valuesOf = mean.map((center, channel) =>
    Float32Array.from({ length: 256 }, (_, pixel) => (pixel / 255 - center) / std[channel]!),
  )
  const normalise = (plane: Uint8Array | Float32Array, channel: number, into: Float32Array) => {
    if (plane instanceof Uint8Array) {
      const values = valuesOf[channel]!
      for (let i = 0; i < area; i++) into[i] = values[plane[i]!]!
    } else {
      const scale = 1 / (255 * std[channel]!)
      const shift = -mean[channel]! / std[channel]!
      for (let i = 0; i < area; i++) into[i] = plane[i]! * scale + shift
    }
  }
  const copies = channels / source.channels

  return (pixels, count, into) => {
    for (let sourcePlane = 0; sourcePlane < count * source.channels; sourcePlane++) {
      const plane = fit(pixels, sourcePlane * sourceArea)
      for (let copy = 0; copy < copies; copy++) {
        const target = sourcePlane * copies + copy
        const channel = target % channels
        const place = flippedChannels ? flip(channel, channels) : channel
        const at = (target - channel + place) * area
        normalise(plane, place, into.subarray(at, at + area))
      }
    }
  }
}

/** The first of three channels changes places with the third; further ones stay. */
const flip = (channel: number, channels: number): number =>
  channel < Math.min(channels, 3) ? Math.min(channels, 3) - 1 - channel : channel

function planeFit(source: Size, target: ModelInput): PlaneFit {
  const { height, width, uncropped, resizesFloats = false, interpolation } = target
  const resized = resizedSize(source, target)
  const fits = resized.height === height && resized.width === width
  if (!fits && (target.fit === 'none' || uncropped))
    throw new Error(
      `images of ${sizeName(source)} ${target.fit === 'none' ? 'stay' : 'become'} ${sizeName(resized)}, the model takes ${sizeName({ height, width })}: ` +
        'resize or crop them to the proportions of the model first',
    )
  const { from, to } = middle(resized, { height, width })
  const framed = from.height !== height || from.width !== width
  const resizes = resized.height !== source.height || resized.width !== source.width
  const area = height * width
  const sourceArea = source.height * source.width
  if (!resizes && fits) return (pixels, start) => pixels.subarray(start, start + area)

  const place = <T extends Uint8Array | Float32Array>(part: T, whole: T): T => {
    if (!framed) return part
    for (let y = 0; y < from.height; y++)
      whole.set(part.subarray(y * from.width, (y + 1) * from.width), (to.top + y) * width + to.left)
    return whole
  }
  if (resizes && resizesFloats) {
    const resize = planeResize(source, resized, interpolation, from)
    const plane = new Float32Array(sourceArea)
    const [part, whole] = [new Float32Array(from.height * from.width), new Float32Array(area)]
    return (pixels, start) => {
      plane.set(pixels.subarray(start, start + sourceArea))
      resize(plane, 0, part, 0)
      return place(part, whole)
    }
  }
  const resize = byteResize(source, resized, resizes ? interpolation : 'nearest', from)
  const [part, whole] = [new Uint8Array(from.height * from.width), new Uint8Array(area)]
  return (pixels, start) => {
    resize(pixels, start, part, 0)
    return place(part, whole)
  }
}

/** Returns the size of the whole image after resizing, before its middle is taken. */
export function resizedSize(source: Size, target: ModelInput): Size {
  const { fit, shorterSide, stretchedTo } = target
  if (fit !== 'resize') return source
  if (shorterSide === undefined) return stretchedTo ?? target
  // The longer side is rounded down, as torchvision does.
  const longer = (long: number, short: number) => Math.floor((shorterSide * long) / short)
  return source.height <= source.width
    ? { height: shorterSide, width: longer(source.width, source.height) }
    : { height: longer(source.height, source.width), width: shorterSide }
}

/** The middle of an image: where it is in the image, and in a frame of the model's size if the image is smaller. */
function middle(image: Size, frame: Size): { from: Area; to: Pick<Area, 'top' | 'left'> } {
  const axis = (image: number, frame: number) => ({
    kept: Math.min(image, frame),
    from: Math.max(Math.floor((image - frame) / 2), 0),
    to: Math.max(Math.floor((frame - image) / 2), 0),
  })
  const [y, x] = [axis(image.height, frame.height), axis(image.width, frame.width)]
  return {
    from: { top: y.from, left: x.from, height: y.kept, width: x.kept },
    to: { top: y.to, left: x.to },
  }
}

const sizeName = ({ height, width }: Size): string => `${height}x${width}`
