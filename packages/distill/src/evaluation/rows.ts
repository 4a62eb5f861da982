// Embeddings as rows of numbers, as every measure of them takes them, and the checks and scalings that the measures share.
import { UserError } from '@embed-kd/core'

/** Embeddings of images, one row each. */
export interface Rows {
  /** `[count, width]` */
  readonly vectors: Float32Array
  readonly width: number
}

/** Embeddings of images whose classes are known. */
export interface LabelledRows extends Rows {
  /** Class of each row, from 0. */
  readonly labels: ArrayLike<number>
}

export const rowCount = ({ vectors, width }: Rows): number => vectors.length / width

/** @throws UserError if the rows are none, not whole, or not as many as their labels. */
export function checkRows(
  rows: Rows & { readonly labels?: ArrayLike<number> },
  name: string,
): void {
  const count = rowCount(rows)
  if (!Number.isInteger(count) || count === 0)
    throw new UserError(
      `${rows.vectors.length} values are not ${name} of width ${rows.width}`,
      'give at least one row, and rows of one width',
    )
  if (rows.labels && rows.labels.length !== count)
    throw new UserError(
      `there are ${count} ${name}, but ${rows.labels.length} labels`,
      'give one label for each row',
    )
}

/** @throws UserError if rows differ in width. */
export function checkWidths(queries: Rows, rows: Rows, name: string): void {
  if (queries.width !== rows.width)
    throw new UserError(
      `the embeddings have width ${queries.width}, but the ${name} width ${rows.width}`,
      'embed both with the same model',
    )
}

/** Returns rows scaled to length 1; rows of zeros stay as they are. */
export function unitRows({ vectors, width }: Rows): Float32Array {
  const out = new Float32Array(vectors.length)
  for (let at = 0; at < out.length; at += width) {
    let square = 0
    for (let k = at; k < at + width; k++) square += vectors[k]! ** 2
    const scale = square === 0 ? 0 : 1 / Math.sqrt(square)
    for (let k = at; k < at + width; k++) out[k] = scale * vectors[k]!
  }
  return out
}

/** Returns some rows, in the given order. */
export function selectRows(rows: LabelledRows, positions: ArrayLike<number>): LabelledRows {
  const { width, labels } = rows
  const vectors = new Float32Array(positions.length * width)
  for (let i = 0; i < positions.length; i++) {
    const from = positions[i]! * width
    vectors.set(rows.vectors.subarray(from, from + width), i * width)
  }
  return { vectors, width, labels: Int32Array.from(positions, (position) => labels[position]!) }
}

/** Returns the share of predictions that are right. */
export function shareRight(predictions: ArrayLike<number>, labels: ArrayLike<number>): number {
  let right = 0
  for (let i = 0; i < predictions.length; i++) if (predictions[i] === labels[i]) right++
  return right / predictions.length
}
