// Resizing with antialiasing, equal to PyTorch's interpolate(mode='bilinear' or 'bicubic', antialias=True, align_corners=False),
// which is also what torchvision does to tensors. Planes of float32; what the numbers mean is the caller's business.

export interface Size {
  readonly height: number
  readonly width: number
}

/** Resizes one plane, row-major, from and to these positions of two arrays. */
export type PlaneResize = (
  input: Float32Array,
  inputStart: number,
  output: Float32Array,
  outputStart: number,
) => void

export type Interpolation = 'bilinear' | 'bicubic'

/**
 * A function that resizes planes of size `from` to size `to`. It has buffers of its own, so build it once and keep it.
 * @param resized where given, the planes are resized to this size, and `to` is the middle of that.
 */
export function planeResize(
  from: Size,
  to: Size,
  interpolation: Interpolation = 'bilinear',
  resized: Size = to,
): PlaneResize {
  const columns = filterTaps(from.width, resized.width, to.width, interpolation)
  const rows = filterTaps(from.height, resized.height, to.height, interpolation)
  const narrow = new Float32Array(from.height * to.width)
  const sums = new Float64Array(to.width)

  return (input, inputStart, output, outputStart) => {
    for (let y = 0; y < from.height; y++) {
      const row = inputStart + y * from.width
      for (let x = 0; x < to.width; x++) {
        let sum = 0
        let position = row + columns.first[x]!
        for (let tap = columns.taps[x]!; tap < columns.taps[x + 1]!; tap++)
          sum += columns.weights[tap]! * input[position++]!
        narrow[y * to.width + x] = sum
      }
    }
    for (let y = 0; y < to.height; y++) {
      sums.fill(0)
      let position = rows.first[y]! * to.width
      for (let tap = rows.taps[y]!; tap < rows.taps[y + 1]!; tap++) {
        const weight = rows.weights[tap]!
        for (let x = 0; x < to.width; x++) sums[x]! += weight * narrow[position++]!
      }
      output.set(sums, outputStart + y * to.width)
    }
  }
}

interface FilterTaps {
  /** `[to]`: the first input that counts for an output. */
  readonly first: Int32Array
  /** `[to + 1]`: the weights of output i are those from taps[i] to taps[i + 1]; they sum to 1. */
  readonly taps: Int32Array
  readonly weights: Float64Array
}

/** Weight by distance, in outputs or inputs, whichever are larger, and how far it reaches. */
const filters: Record<Interpolation, { reach: number; weight: (distance: number) => number }> = {
  bilinear: { reach: 1, weight: (x) => Math.max(1 - x, 0) },
  // Keys's cubic (1981) with his own sharpness -0.5, which PyTorch takes where it antialiases.
  bicubic: {
    reach: 2,
    weight: (x) =>
      x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0,
  },
}

/** The `kept` outputs in the middle of `to`, each a filter around its place among the inputs. */
function filterTaps(
  from: number,
  to: number,
  kept: number,
  interpolation: Interpolation,
): FilterTaps {
  const { reach, weight } = filters[interpolation]
  const step = from / to
  const unit = Math.max(step, 1)
  const radius = reach * unit
  const offset = Math.floor((to - kept) / 2)
  const first = new Int32Array(kept)
  const taps = new Int32Array(kept + 1)
  const weights: number[] = []
  for (let i = 0; i < kept; i++) {
    const center = (offset + i + 0.5) * step
    const begin = Math.max(Math.floor(center - radius + 0.5), 0)
    const end = Math.min(Math.floor(center + radius + 0.5), from)
    let total = 0
    for (let j = begin; j < end; j++) {
      const value = weight(Math.abs(j + 0.5 - center) / unit)
      weights.push(value)
      total += value
    }
    for (let tap = taps[i]!; tap < weights.length; tap++) weights[tap]! /= total
    first[i] = begin
    taps[i + 1] = weights.length
  }
  return { first, taps, weights: Float64Array.from(weights) }
}
