// Resizing of images, one plane at a time. Bytes are resized as torchvision and Pillow do it: each of the two passes rounds and
// clips to bytes. Floats are resized as torchvision resizes float tensors. What the numbers mean is the caller's business.

export interface Size {
  readonly height: number
  readonly width: number
}

/** A rectangle in a resized image. */
export interface Area extends Size {
  readonly top: number
  readonly left: number
}

/** Resizes one plane, row-major, from and to these positions of two arrays. */
export type PlaneResize<T extends Uint8Array | Float32Array = Float32Array> = (
  input: T,
  inputStart: number,
  output: T,
  outputStart: number,
) => void

export const interpolations = [
  'nearest',
  'lanczos',
  'bilinear',
  'bicubic',
  'box',
  'hamming',
] as const
export type Interpolation = (typeof interpolations)[number]

/**
 * Returns a function that resizes planes of floats, with antialiasing: torch.nn.functional.interpolate(antialias=True).
 * The function has buffers of its own, so build it once and keep it.
 * @param part the part of the resized plane that is computed (default: all of it).
 */
export function planeResize(
  from: Size,
  to: Size,
  interpolation: Interpolation = 'bilinear',
  part: Area = whole(to),
): PlaneResize {
  const columns = filterTaps(from.width, to.width, part.left, part.width, interpolation)
  const rows = filterTaps(from.height, to.height, part.top, part.height, interpolation)
  const { width } = part
  const narrow = new Float32Array(from.height * width)
  const sums = new Float64Array(width)

  return (input, inputStart, output, outputStart) => {
    for (let y = 0; y < from.height; y++) {
      const row = inputStart + y * from.width
      for (let x = 0; x < width; x++) {
        let sum = 0
        let position = row + columns.first[x]!
        for (let tap = columns.taps[x]!; tap < columns.taps[x + 1]!; tap++)
          sum += columns.weights[tap]! * input[position++]!
        narrow[y * width + x] = sum
      }
    }
    for (let y = 0; y < part.height; y++) {
      sums.fill(0)
      let position = rows.first[y]! * width
      for (let tap = rows.taps[y]!; tap < rows.taps[y + 1]!; tap++) {
        const weight = rows.weights[tap]!
        for (let x = 0; x < width; x++) sums[x]! += weight * narrow[position++]!
      }
      output.set(sums, outputStart + y * width)
    }
  }
}

/** Most binary digits after the point of a weight, in Pillow and in PyTorch. */
const PRECISION = 22
/** Filters that PyTorch lacks. */
const onlyPillow: readonly Interpolation[] = ['box', 'hamming']

/**
 * Returns a function that resizes planes of bytes exactly as torchvision, the default of transformers. Pillow's bytes differ by
 * at most 1, because its weights have more digits; the filters that only Pillow has are exactly Pillow's.
 * The function has buffers of its own, so build it once and keep it.
 * @param part the part of the resized plane that is computed (default: all of it).
 */
export function byteResize(
  from: Size,
  to: Size,
  interpolation: Interpolation = 'bilinear',
  part: Area = whole(to),
): PlaneResize<Uint8Array> {
  const columns = byteTaps(from.width, to.width, part.left, part.width, interpolation)
  const rows = byteTaps(from.height, to.height, part.top, part.height, interpolation)
  const { width } = part
  // A clamped array would round by itself, but to even.
  const narrow = new Uint8Array(from.height * width)
  const sums = new Int32Array(width)

  return (input, inputStart, output, outputStart) => {
    for (let y = 0; y < from.height; y++) {
      const row = inputStart + y * from.width
      for (let x = 0; x < width; x++) {
        let sum = columns.half
        let position = row + columns.first[x]!
        for (let tap = columns.taps[x]!; tap < columns.taps[x + 1]!; tap++)
          sum += columns.weights[tap]! * input[position++]!
        narrow[y * width + x] = toByte(sum >> columns.precision)
      }
    }
    for (let y = 0; y < part.height; y++) {
      sums.fill(rows.half)
      let position = rows.first[y]! * width
      for (let tap = rows.taps[y]!; tap < rows.taps[y + 1]!; tap++) {
        const weight = rows.weights[tap]!
        for (let x = 0; x < width; x++) sums[x]! += weight * narrow[position++]!
      }
      for (let x = 0; x < width; x++)
        output[outputStart + y * width + x] = toByte(sums[x]! >> rows.precision)
    }
  }
}

const whole = ({ height, width }: Size): Area => ({ top: 0, left: 0, height, width })

const toByte = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value)

interface FilterTaps<T = Float64Array> {
  /** `[to]`: the first input that counts for an output. */
  readonly first: Int32Array
  /** `[to + 1]`: the weights of output i are those from taps[i] to taps[i + 1]; they sum to 1. */
  readonly taps: Int32Array
  readonly weights: T
}

interface ByteTaps extends FilterTaps<Int32Array> {
  /** Binary digits after the point of a weight. */
  readonly precision: number
  /** One half in this precision, to round with. */
  readonly half: number
}

/** As `filterTaps`, with weights that are whole numbers. */
function byteTaps(
  from: number,
  to: number,
  begin: number,
  count: number,
  interpolation: Interpolation,
): ByteTaps {
  const { first, taps, weights } = filterTaps(from, to, begin, count, interpolation)
  const precision = onlyPillow.includes(interpolation)
    ? PRECISION
    : digitsIn16Bits(filterTaps(from, to, 0, to, interpolation).weights)
  // Rounded half away from zero.
  const round = (weight: number) => Math.trunc(weight * 2 ** precision + (weight < 0 ? -0.5 : 0.5))
  return {
    first,
    taps,
    weights: Int32Array.from(weights, round),
    precision,
    half: 2 ** (precision - 1),
  }
}

/** Returns the number of binary digits after the point that PyTorch gives to weights: as many as 16 bits hold of the largest. */
function digitsIn16Bits(weights: Float64Array): number {
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0)
  let digits = 0
  while (digits < PRECISION && Math.floor(0.5 + largest * 2 ** (digits + 1)) < 2 ** 15) digits++
  return digits
}

interface Filter {
  /** Distance beyond which the weight is zero, in outputs or inputs, whichever are larger. */
  readonly reach: number
  /** Weight at a signed distance in the same unit. */
  weight(distance: number): number
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x))

const filters: Record<Exclude<Interpolation, 'nearest'>, Filter> = {
  box: { reach: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { reach: 1, weight: (x) => Math.max(1 - Math.abs(x), 0) },
  hamming: {
    reach: 1,
    weight: (x) => (Math.abs(x) < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x)) : 0),
  },
  // Keys's cubic (1981) with his own sharpness -0.5, which Pillow takes, and PyTorch if it antialiases.
  bicubic: {
    reach: 2,
    weight(distance) {
      const x = Math.abs(distance)
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
    },
  },
  lanczos: { reach: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

/** Outputs `begin` to `begin + count` of `to`, each a filter around its place among the inputs. */
function filterTaps(
  from: number,
  to: number,
  begin: number,
  count: number,
  interpolation: Interpolation,
): FilterTaps {
  const step = from / to
  const first = new Int32Array(count)
  const taps = new Int32Array(count + 1)
  if (interpolation === 'nearest') {
    // PyTorch computes in float32, so that its rounding decides between two inputs at the same distance.
    const step32 = Math.fround(step)
    for (let i = 0; i < count; i++) {
      first[i] = Math.min(Math.floor(Math.fround((begin + i + 0.5) * step32)), from - 1)
      taps[i + 1] = i + 1
    }
    return { first, taps, weights: new Float64Array(count).fill(1) }
  }
  const { reach, weight } = filters[interpolation]
  const unit = Math.max(step, 1)
  const radius = reach * unit
  const weights: number[] = []
  for (let i = 0; i < count; i++) {
    const center = (begin + i + 0.5) * step
    const start = Math.max(Math.trunc(center - radius + 0.5), 0)
    const end = Math.min(Math.trunc(center + radius + 0.5), from)
    let total = 0
    for (let j = start; j < end; j++) {
      const value = weight((j - center + 0.5) / unit)
      weights.push(value)
      total += value
    }
    if (total !== 0) for (let tap = taps[i]!; tap < weights.length; tap++) weights[tap]! /= total
    first[i] = start
    taps[i + 1] = weights.length
  }
  return { first, taps, weights: Float64Array.from(weights) }
}
