// PHI-S (Ranzinger 2024, "PHI-S: Distribution Balancing for Label-Free Multi-Teacher Distillation"): embeddings are centred, turned
// so that every coordinate has the same variance, and divided by one number, the root of that variance. Relative distances of
// embeddings stay as they are, unlike with whitening, and all coordinates count alike in a squared error.
import { UserError } from '../errors.js'
import * as op from '../graph/api.js'
import { hadamard } from './hadamard.js'
import { symmetricEigen } from './eigen.js'
import type { cosineParameters } from './cosine.js'
import type { EmbeddingStatistics, LossInputs } from './method.js'

/** Variance, as a share of the squared mean, that is rounding error alone. */
const ROUNDING = 1e-12

/** `mean` [width] and `rotation` [width, width], which is scaled: the standardised embedding is rotation · (embedding - mean). */
export const phiStatistics: EmbeddingStatistics = {
  rows: 8192,
  shapes: (width) => ({ mean: [width], rotation: [width, width] }),
  compute: standardisation,
}

/** Returns the mean squared error of student embeddings, projected to the teacher's width, against standardised embeddings. */
export function standardisedError({
  embedding,
  anchors,
  statistics,
  parameters: { student_proj },
}: LossInputs<ReturnType<typeof cosineParameters>>) {
  const { mean, rotation } = statistics
  const target = op.matmul(op.sub(anchors, mean!), rotation!, { transposeB: true })
  const difference = op.sub(op.linear(embedding, student_proj.weight, student_proj.bias), target)
  return op.mean(op.mul(difference, difference))
}

/**
 * Returns mean and scaled rotation of embeddings: principal components, turned by a Hadamard matrix. If there is none of that
 * width, plane rotations give the coordinates the same variance.
 * @throws UserError if the embeddings do not vary.
 */
export function standardisation(
  embeddings: Float32Array,
  width: number,
): { mean: Float32Array; rotation: Float32Array } {
  const { mean, covariance } = momentsOf(embeddings, width)
  const { values, vectors } = symmetricEigen(covariance, width)
  const variance = values.reduce((sum, value) => sum + value, 0) / width
  const size = mean.reduce((sum, value) => sum + value * value, 0) / width
  if (!(variance > ROUNDING * size))
    throw new UserError(
      `the ${embeddings.length / width} embeddings do not vary`,
      'give embeddings of different images',
    )
  const turn = hadamard(width)
  const rotated = turn ? turnBy(turn, vectors, width) : equaliseVariances(values, vectors, width)
  const scale = 1 / Math.sqrt(variance)
  return { mean: Float32Array.from(mean), rotation: Float32Array.from(rotated, (x) => x * scale) }
}

function momentsOf(embeddings: Float32Array, width: number) {
  const count = embeddings.length / width
  const mean = new Float64Array(width)
  for (let i = 0; i < embeddings.length; i++) mean[i % width]! += embeddings[i]! / count
  const covariance = new Float64Array(width * width)
  const centred = new Float64Array(width)
  for (let row = 0; row < count; row++) {
    for (let d = 0; d < width; d++) centred[d] = embeddings[row * width + d]! - mean[d]!
    for (let d = 0; d < width; d++) {
      const value = centred[d]! / count
      for (let e = d; e < width; e++) covariance[d * width + e]! += value * centred[e]!
    }
  }
  for (let d = 0; d < width; d++)
    for (let e = 0; e < d; e++) covariance[d * width + e] = covariance[e * width + d]!
  return { mean, covariance }
}

/** Returns H · vectors / √width for a matrix of ±1. */
function turnBy(signs: Int8Array, vectors: Float64Array, width: number): Float64Array {
  const out = new Float64Array(width * width)
  for (let i = 0; i < width; i++)
    for (let k = 0; k < width; k++) {
      const factor = signs[i * width + k]! / Math.sqrt(width)
      for (let d = 0; d < width; d++) out[i * width + d]! += factor * vectors[k * width + d]!
    }
  return out
}

/**
 * Turns rows of variances `values` in planes until each has the mean variance; such rotations exist for all variances (Horn
 * 1954). Each rotation finishes one row with another on the other side of the mean, which it was never turned with.
 */
function equaliseVariances(
  values: Float64Array,
  vectors: Float64Array,
  width: number,
): Float64Array {
  const out = vectors.slice()
  const mean = values.reduce((sum, value) => sum + value, 0) / width
  const waiting = Array.from(values.keys())
  const variances = values.slice()
  let row = waiting.shift()!
  while (waiting.length > 0) {
    const above = variances[row]! > mean
    const at = waiting.findIndex((other) => variances[other]! > mean !== above)
    const other = waiting.splice(Math.max(at, 0), 1)[0]!
    const [a, b] = [variances[row]!, variances[other]!]
    const share = at < 0 || a === b ? 0 : Math.min(1, Math.max(0, (a - mean) / (a - b)))
    const [cosine, sine] = [Math.sqrt(1 - share), Math.sqrt(share)]
    for (let d = 0; d < width; d++) {
      const [x, y] = [out[row * width + d]!, out[other * width + d]!]
      out[row * width + d] = cosine * x + sine * y
      out[other * width + d] = cosine * y - sine * x
    }
    variances[other] = a + b - mean
    row = other
  }
  return out
}
