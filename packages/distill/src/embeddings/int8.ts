// Rows of numbers as int8 with one scale for each row: value = integer · scale.
import { UserError, type HostTensor } from '@embed-kd/core'

/** Rounds each row to 255 steps, so that the largest value of the row is 127 or -127. */
export function quantiseRows(
  rows: Float32Array,
  width: number,
): { values: Int8Array; scales: Float32Array } {
  const values = new Int8Array(rows.length)
  const scales = new Float32Array(rows.length / width)
  for (let row = 0; row < scales.length; row++) {
    const [begin, end] = [row * width, (row + 1) * width]
    let largest = 0
    for (let i = begin; i < end; i++) largest = Math.max(largest, Math.abs(rows[i]!))
    scales[row] = largest / 127
    const scale = scales[row]!
    // Rows of zeros, or of numbers too small for a scale, stay zero.
    if (scale === 0) continue
    for (let i = begin; i < end; i++)
      values[i] = Math.max(-127, Math.min(127, Math.round(rows[i]! / scale)))
  }
  return { values, scales }
}

/**
 * Returns the values of integers and scales.
 * @param integers int32 [rows, width], as core's reader returns int8.
 * @throws UserError if there is not one scale for each row.
 */
export function scaleRows(
  { shape, data }: HostTensor,
  scales: HostTensor | undefined,
  tensor: string,
  file: string,
): Float32Array {
  const [rows = 0, width = 0] = shape
  if (scales?.dtype !== 'float32' || scales.data.length !== rows)
    throw new UserError(
      `${file}: the tensor ${tensor} has ${rows} rows of integers, and ${scales ? scales.data.length : 'no'} scales`,
      'save one float32 scale for each row as the tensor scales',
    )
  const values = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++)
    for (let i = row * width; i < (row + 1) * width; i++) values[i] = data[i]! * scales.data[row]!
  return values
}
