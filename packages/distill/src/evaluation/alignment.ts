// How alike two models embed the same images: cosine similarity image by image, and linear CKA, which compares whole spaces.
import { UserError } from '@embed-kd/core'

import { checkRows, checkWidths, rowCount, type Rows } from './rows.js'

/** @throws UserError if the rows are of different numbers of images. */
function checkPairs(a: Rows, b: Rows): number {
  checkRows(a, 'embeddings')
  checkRows(b, 'embeddings of the teacher')
  if (rowCount(a) === rowCount(b)) return rowCount(a)
  throw new UserError(
    `there are ${rowCount(a)} embeddings, but ${rowCount(b)} of the teacher`,
    'embed the same images with both',
  )
}

/** Returns the mean cosine similarity of two embeddings of each image. @throws UserError if the widths differ. */
export function meanCosine(a: Rows, b: Rows): number {
  const count = checkPairs(a, b)
  checkWidths(a, b, "teacher's embeddings")
  const { width } = a
  let sum = 0
  for (let at = 0; at < count * width; at += width) {
    let [product, squareA, squareB] = [0, 0, 0]
    for (let k = at; k < at + width; k++) {
      const [x, y] = [a.vectors[k]!, b.vectors[k]!]
      product += x * y
      squareA += x * x
      squareB += y * y
    }
    if (product !== 0) sum += product / Math.sqrt(squareA * squareB)
  }
  return sum / count
}

/**
 * Computes linear centered kernel alignment (Kornblith et al. 2019) of two models' embeddings of the same images: 1 if they differ
 * by a rotation and a scale only. The widths may differ. NaN if all embeddings of one side are equal.
 */
export function linearCka(a: Rows, b: Rows): number {
  const count = checkPairs(a, b)
  const [x, y] = [centred(a, count), centred(b, count)]
  const [wa, wb] = [a.width, b.width]
  const cross = squaredProduct(x, wa, y, wb, count)
  return (
    cross / Math.sqrt(squaredProduct(x, wa, x, wa, count) * squaredProduct(y, wb, y, wb, count))
  )
}

/** Returns the rows less their mean. */
function centred({ vectors, width }: Rows, count: number): Float64Array {
  const out = Float64Array.from(vectors)
  for (let k = 0; k < width; k++) {
    let sum = 0
    for (let at = k; at < out.length; at += width) sum += out[at]!
    for (let at = k; at < out.length; at += width) out[at]! -= sum / count
  }
  return out
}

/** Returns the squared Frobenius norm of the product xᵀ y of `[count, xWidth]` and `[count, yWidth]`. */
function squaredProduct(
  x: Float64Array,
  xWidth: number,
  y: Float64Array,
  yWidth: number,
  count: number,
): number {
  const product = new Float64Array(xWidth * yWidth)
  for (let row = 0; row < count; row++)
    for (let i = 0; i < xWidth; i++) {
      const value = x[row * xWidth + i]!
      for (let j = 0; j < yWidth; j++) product[i * yWidth + j]! += value * y[row * yWidth + j]!
    }
  return product.reduce((sum, value) => sum + value ** 2, 0)
}
