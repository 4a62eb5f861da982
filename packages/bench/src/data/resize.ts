// Bilinear resizing with antialiasing, equal to PyTorch's interpolate(mode='bilinear', antialias=True, align_corners=False),
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

/** A function that resizes planes of size `from` to size `to`. It has buffers of its own, so build it once and keep it. */
export function bilinearResize(from: Size, to: Size): PlaneResize {
  const columns = interpolation(from.width, to.width)
  const rows = interpolation(from.height, to.height)
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

interface Interpolation {
  /** `[to]`: the first input that counts for an output. */
  readonly first: Int32Array
  /** `[to + 1]`: the weights of output i are those from taps[i] to taps[i + 1]; they sum to 1. */
  readonly taps: Int32Array
  readonly weights: Float64Array
}

/** A triangle as wide as two outputs or two inputs, whichever is more, around the place of each output among the inputs. */
function interpolation(from: number, to: number): Interpolation {
  const step = from / to
  const radius = Math.max(step, 1)
  const first = new Int32Array(to)
  const taps = new Int32Array(to + 1)
  const weights: number[] = []
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * step
    const begin = Math.max(Math.floor(center - radius + 0.5), 0)
    const end = Math.min(Math.floor(center + radius + 0.5), from)
    let total = 0
    for (let j = begin; j < end; j++) {
      const weight = Math.max(1 - Math.abs(j + 0.5 - center) / radius, 0)
      weights.push(weight)
      total += weight
    }
    for (let tap = taps[i]!; tap < weights.length; tap++) weights[tap]! /= total
    first[i] = begin
    taps[i + 1] = weights.length
  }
  return { first, taps, weights: Float64Array.from(weights) }
}
