// Position embeddings for another image size than a model was trained at: the grid of patches, resized on the host when a
// checkpoint is loaded. Bicubic, as the published vision transformers do it; images are resized elsewhere (resize.ts).
import { hostTensor, type HostTensor } from '../tensor/tensor.js'

/**
 * Position embeddings [1 + from², width] of a square grid as [1 + to², width]; the class token's, in the first row, stays.
 * As torch.nn.functional.interpolate(mode='bicubic', align_corners=False) of the grid.
 * @throws where the rows are not one and a square.
 */
export function resizePositions(positions: HostTensor, to: number): HostTensor {
  const [rows, width] = positions.shape as [number, number]
  const from = Math.sqrt(rows - 1)
  if (!Number.isInteger(from))
    throw new Error(
      `position embeddings of ${rows} tokens are not those of a class token and a square of patches`,
    )
  if (from === to) return positions
  const grid = (positions.data as Float32Array).subarray(width)
  const taps = cubicTaps(from, to)
  const data = new Float32Array((1 + to * to) * width)
  data.set((positions.data as Float32Array).subarray(0, width))
  const sums = new Float64Array(width)
  taps.forEach((row, y) =>
    taps.forEach((column, x) => {
      sums.fill(0)
      for (const { index: fromY, weight: a } of row)
        for (const { index: fromX, weight: b } of column) {
          const at = (fromY * from + fromX) * width
          for (let k = 0; k < width; k++) sums[k]! += a * b * grid[at + k]!
        }
      data.set(sums, (1 + y * to + x) * width)
    }),
  )
  return hostTensor('float32', [1 + to * to, width], data)
}

interface Tap {
  readonly index: number
  readonly weight: number
}

/** The sharpness of Keys's cubic (1981) that PyTorch takes. */
const A = -0.75

const cubic = (distance: number): number => {
  const x = Math.abs(distance)
  if (x <= 1) return ((A + 2) * x - (A + 3)) * x * x + 1
  if (x < 2) return ((A * x - 5 * A) * x + 8 * A) * x - 4 * A
  return 0
}

/** The four neighbours of each output along an axis; beyond the border the outermost value goes on. */
const cubicTaps = (from: number, to: number): Tap[][] =>
  Array.from({ length: to }, (_, i) => {
    const centre = ((i + 0.5) * from) / to - 0.5
    const first = Math.floor(centre) - 1
    return Array.from({ length: 4 }, (_, k) => ({
      index: Math.min(Math.max(first + k, 0), from - 1),
      weight: cubic(centre - (first + k)),
    }))
  })
