// Principal components of embeddings: the directions in which they differ most. Rows become a few coefficients, and come back as
// mean + coefficients · basis.
import { Random } from '@embed-kd/core'

import { randomStream } from '../images/shape.js'

export interface PrincipalComponents {
  /** `[width]` */
  readonly mean: Float32Array
  /** `[components, width]`: orthonormal rows, the direction of the largest variance first. */
  readonly basis: Float32Array
}

const MAX_ROUNDS = 100
/** Rounds end when the variance that the basis holds grows by less than this share. */
const TOLERANCE = 1e-7

/**
 * Finds principal components by subspace iteration on the covariance, followed by a rotation onto its axes (Rayleigh and Ritz).
 * @param rows `[n, width]`
 * @param count number of components, at most `width`.
 */
export function principalComponents(
  rows: Float32Array,
  width: number,
  count: number,
): PrincipalComponents {
  const mean = meanOf(rows, width)
  const covariance = covarianceOf(rows, mean)
  const random = new Random(0, randomStream.components)
  let basis = orthonormal(
    Array.from({ length: count }, () =>
      Float64Array.from({ length: width }, () => random.normal()),
    ),
    random,
  )
  let held = 0
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const images = basis.map((row) => multiply(covariance, row))
    const variance = basis.reduce((sum, row, i) => sum + dot(row, images[i]!), 0)
    if (round > 0 && variance - held <= TOLERANCE * variance) break
    held = variance
    basis = orthonormal(images, random)
  }
  return {
    mean: Float32Array.from(mean),
    basis: Float32Array.from(alignAxes(basis, covariance).flatMap((row) => [...row])),
  }
}

/** Returns the coefficients `[n, components]` of rows `[n, width]`. */
export function project(rows: Float32Array, { mean, basis }: PrincipalComponents): Float32Array {
  const width = mean.length
  const count = basis.length / width
  const coefficients = new Float32Array((rows.length / width) * count)
  for (let at = 0; at < coefficients.length; at++) {
    const row = Math.floor(at / count) * width
    const component = (at % count) * width
    let sum = 0
    for (let i = 0; i < width; i++) sum += (rows[row + i]! - mean[i]!) * basis[component + i]!
    coefficients[at] = sum
  }
  return coefficients
}

/** Returns the rows `[n, width]` of coefficients `[n, components]`. */
export function expand(
  coefficients: Float32Array,
  { mean, basis }: PrincipalComponents,
): Float32Array {
  const width = mean.length
  const count = basis.length / width
  const rows = coefficients.length / count
  const vectors = new Float32Array(rows * width)
  const sums = new Float64Array(width)
  for (let row = 0; row < rows; row++) {
    sums.set(mean)
    for (let k = 0; k < count; k++) {
      const coefficient = coefficients[row * count + k]!
      for (let i = 0; i < width; i++) sums[i]! += coefficient * basis[k * width + i]!
    }
    vectors.set(sums, row * width)
  }
  return vectors
}

function meanOf(rows: Float32Array, width: number): Float64Array {
  const mean = new Float64Array(width)
  for (let at = 0; at < rows.length; at += width)
    for (let i = 0; i < width; i++) mean[i]! += rows[at + i]!
  return mean.map((sum) => (sum * width) / rows.length)
}

/** Returns the covariance as its rows, times the number of rows: a factor changes no direction. */
function covarianceOf(rows: Float32Array, mean: Float64Array): Float64Array[] {
  const width = mean.length
  const covariance = Array.from({ length: width }, () => new Float64Array(width))
  const centred = new Float64Array(width)
  for (let at = 0; at < rows.length; at += width) {
    for (let i = 0; i < width; i++) centred[i] = rows[at + i]! - mean[i]!
    for (let i = 0; i < width; i++) {
      const [factor, sums] = [centred[i]!, covariance[i]!]
      for (let j = i; j < width; j++) sums[j]! += factor * centred[j]!
    }
  }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) covariance[i]![j] = covariance[j]![i]!
  return covariance
}

/** Makes rows orthonormal by Gram and Schmidt, twice for rounding errors. A row that depends on others is drawn anew. */
function orthonormal(rows: readonly Float64Array[], random: Random): Float64Array[] {
  const done: Float64Array[] = []
  for (let row of rows)
    for (;;) {
      const before = norm(row)
      for (const other of [...done, ...done]) {
        const shared = dot(row, other)
        for (let i = 0; i < row.length; i++) row[i]! -= shared * other[i]!
      }
      const length = norm(row)
      if (length > 1e-10 * before) {
        done.push(row.map((value) => value / length))
        break
      }
      row = row.map(() => random.normal())
    }
  return done
}

/** Rotates a basis so that each row is an axis of the covariance within the basis, the largest variance first. */
function alignAxes(
  basis: readonly Float64Array[],
  covariance: readonly Float64Array[],
): Float64Array[] {
  const images = basis.map((row) => multiply(covariance, row))
  const within = basis.map((row) => Float64Array.from(images, (image) => dot(row, image)))
  const { values, vectors } = jacobi(within)
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[b]! - values[a]!)
  return order.map((k) => {
    const row = new Float64Array(basis[0]!.length)
    basis.forEach((other, i) => {
      const factor = vectors[i]![k]!
      for (let j = 0; j < row.length; j++) row[j]! += factor * other[j]!
    })
    return row
  })
}

const MAX_SWEEPS = 30

/** Returns eigenvalues and eigenvectors (columns) of a symmetric matrix, which is overwritten, by Jacobi's rotations. */
function jacobi(matrix: Float64Array[]): { values: Float64Array; vectors: Float64Array[] } {
  const size = matrix.length
  const vectors = matrix.map((_, i) => Float64Array.from({ length: size }, (_, j) => +(i === j)))
  const total = Math.hypot(...matrix.map(norm))
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    const rest = Math.hypot(...matrix.map((row, i) => norm(row.subarray(i + 1))))
    if (rest <= 1e-12 * total) break
    for (let p = 0; p < size; p++)
      for (let q = p + 1; q < size; q++) {
        if (matrix[p]![q] === 0) continue
        const theta = (matrix[q]![q]! - matrix[p]![p]!) / (2 * matrix[p]![q]!)
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1))
        const c = 1 / Math.hypot(t, 1)
        const s = t * c
        for (const row of [...matrix, ...vectors]) rotate(row, p, q, c, s)
        for (let k = 0; k < size; k++) {
          const [a, b] = [matrix[p]![k]!, matrix[q]![k]!]
          matrix[p]![k] = c * a - s * b
          matrix[q]![k] = s * a + c * b
        }
      }
  }
  return { values: Float64Array.from(matrix, (row, i) => row[i]!), vectors }
}

function rotate(row: Float64Array, p: number, q: number, c: number, s: number): void {
  const [a, b] = [row[p]!, row[q]!]
  row[p] = c * a - s * b
  row[q] = s * a + c * b
}

/** Returns the product of a matrix, given by its rows, and a vector. */
const multiply = (matrix: readonly Float64Array[], vector: Float64Array): Float64Array =>
  Float64Array.from(matrix, (row) => dot(row, vector))

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

const norm = (row: Float64Array): number => Math.sqrt(dot(row, row))
