// Pseudo-classes: clusters of a teacher's embeddings in place of class labels. Their centres are the anchors of a contrastive
// loss like that of embed-kd, and an image belongs to the cluster that is nearest to the teacher's embedding of it.
import { UserError } from '../errors.js'
import * as op from '../graph/api.js'
import { l2Normalize } from '../nn/layers.js'
import { Random } from '../tensor/random.js'
import { contrast, type ContrastiveInputs } from './contrastive.js'
import type { EmbeddingStatistics } from './method.js'

/** Number of pseudo-classes. */
const CLUSTERS = 64
const ROWS_OF_EACH = 64
const MAX_ROUNDS = 50

/** `prototypes` [clusters, width]: the centres of the clusters, of length 1. */
export const clusterStatistics: EmbeddingStatistics = {
  rows: CLUSTERS * ROWS_OF_EACH,
  shapes: (width) => ({ prototypes: [CLUSTERS, width] }),
  compute: (embeddings, width) => ({
    prototypes: sphericalKMeans(embeddings, width, CLUSTERS, new Random(0)),
  }),
}

/** Contrasts each image with the centres of all clusters. */
export function contrastClusters(inputs: ContrastiveInputs) {
  const { anchors, statistics } = inputs
  const prototypes = statistics['prototypes']!
  const nearness = op.matmul(l2Normalize(anchors), prototypes, { transposeB: true })
  const clusters = op.oneHot(op.argmax(nearness, 1), prototypes.shape[0]!)
  return contrast(inputs, prototypes, () => clusters)
}

/**
 * Returns `k` centres [k, width] of length 1 by spherical k-means (Dhillon & Modha 2001): rows belong to the centre of the greatest
 * cosine similarity. It begins with k-means++ (Arthur & Vassilvitskii 2007), and a centre that loses all rows stays.
 * @throws UserError if there are fewer rows than centres.
 */
export function sphericalKMeans(
  embeddings: Float32Array,
  width: number,
  k: number,
  random: Random,
): Float32Array {
  const count = embeddings.length / width
  if (count < k)
    throw new UserError(
      `${count} embeddings do not make up ${k} clusters`,
      `give embeddings of at least ${k} images, or choose a method without clusters, such as cosine-kd`,
    )
  const rows = Array.from({ length: count }, (_, i) =>
    unit(embeddings.subarray(i * width, (i + 1) * width)),
  )
  let centres = firstCentres(rows, k, random)
  let nearest: readonly number[] = []
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = rows.map((row) => nearestOf(row, centres))
    if (next.every((centre, i) => centre === nearest[i])) break
    nearest = next
    centres = meanDirections(rows, nearest, centres)
  }
  const out = new Float32Array(k * width)
  centres.forEach((centre, c) => out.set(centre, c * width))
  return out
}

type Rows = readonly Float64Array[]

/** Draws rows as centres, each with a probability proportional to its distance 1 - cosine from those drawn before. */
function firstCentres(rows: Rows, k: number, random: Random): Rows {
  const centres = [rows[random.int(rows.length)]!]
  const distances = rows.map(() => Infinity)
  while (centres.length < k) {
    const last = centres.at(-1)!
    let total = 0
    for (const [i, row] of rows.entries()) {
      distances[i] = Math.min(distances[i]!, Math.max(0, 1 - product(row, last)))
      total += distances[i]!
    }
    let left = random.uniform() * total
    const drawn = distances.findIndex((distance) => (left -= distance) < 0)
    centres.push(rows[drawn < 0 ? random.int(rows.length) : drawn]!)
  }
  return centres
}

/** Returns the index of the centre with the greatest scalar product. */
function nearestOf(row: Float64Array, centres: Rows): number {
  let [best, found] = [-Infinity, 0]
  for (const [c, centre] of centres.entries()) {
    const similarity = product(row, centre)
    if (similarity > best) [best, found] = [similarity, c]
  }
  return found
}

/** One round: returns the directions of the sums of each centre's rows. */
export function meanDirections(rows: Rows, nearest: readonly number[], centres: Rows): Rows {
  const sums = centres.map((centre) => new Float64Array(centre.length))
  for (const [i, row] of rows.entries()) {
    const sum = sums[nearest[i]!]!
    for (let d = 0; d < row.length; d++) sum[d]! += row[d]!
  }
  return sums.map((sum, c) => (product(sum, sum) > 0 ? unit(sum) : centres[c]!))
}

function unit(row: ArrayLike<number>): Float64Array {
  const out = Float64Array.from(row)
  const length = Math.sqrt(product(out, out)) || 1
  return out.map((value) => value / length)
}

function product(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let d = 0; d < a.length; d++) sum += a[d]! * b[d]!
  return sum
}
