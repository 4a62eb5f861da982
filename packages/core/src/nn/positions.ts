// Position embeddings for an image size that a model was not trained at: the grid of patches, resized on the host when a
// checkpoint is loaded. Bicubic, as the published vision transformers do it. Images are resized in resize.ts.
import { checkInteger, fail } from '../check.js'
import { formatType, hostTensor, type HostTensor } from '../tensor/tensor.js'

/** Patches along the height and the width. */
export interface PatchGrid {
  readonly rows: number
  readonly columns: number
}

/**
 * Resizes float32 position embeddings [leading + from, width] of a grid of patches for another grid. The rows of the leading
 * tokens stay. As torch.nn.functional.interpolate(mode='bicubic', align_corners=False) of the grid.
 * @param leading tokens before the patches, such as the class token.
 * @throws UserError if a grid has no whole sizes, or if the rows are not those of the leading tokens and the grid `from`.
 */
export function resizePositions(
  positions: HostTensor,
  from: PatchGrid,
  to: PatchGrid,
  leading = 1,
): HostTensor {
  checkInteger('positions: leading tokens', leading, 0)
  for (const { rows, columns } of [from, to]) {
    checkInteger('positions: rows of a grid', rows)
    checkInteger('positions: columns of a grid', columns)
  }
  if (positions.dtype !== 'float32' || positions.shape.length !== 2)
    fail(`position embeddings must be float32 [tokens, width], got ${formatType(positions)}`)
  const [tokens, width] = positions.shape as [number, number]
  if (tokens !== leading + from.rows * from.columns)
    fail(
      `position embeddings of ${tokens} tokens are not those of ${leading} leading tokens and ${from.rows}x${from.columns} patches`,
    )
  if (from.rows === to.rows && from.columns === to.columns) return positions
  const values = positions.data as Float32Array
  const grid = values.subarray(leading * width)
  const rows = cubicTaps(from.rows, to.rows)
  const columns = cubicTaps(from.columns, to.columns)
  const shape = [leading + to.rows * to.columns, width]
  const data = new Float32Array(shape[0]! * width)
  data.set(values.subarray(0, leading * width))
  const sums = new Float64Array(width)
  rows.forEach((row, y) =>
    columns.forEach((column, x) => {
      sums.fill(0)
      for (const { index: fromY, weight: a } of row)
        for (const { index: fromX, weight: b } of column) {
          const at = (fromY * from.columns + fromX) * width
          for (let k = 0; k < width; k++) sums[k]! += a * b * grid[at + k]!
        }
      data.set(sums, (leading + y * to.columns + x) * width)
    }),
  )
  return hostTensor('float32', shape, data)
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
