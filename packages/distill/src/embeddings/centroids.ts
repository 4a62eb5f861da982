// Centroids: the teacher as one or a few vectors for each class, computed from its embeddings.
import {
  CentroidBuilder,
  checkInteger,
  describeValue,
  hostTensor,
  Random,
  UserError,
  type HostTensor,
} from '@embed-kd/core'

import { randomStream } from '../images/shape.js'
import type { Centroids, SampleEmbeddings } from './embeddings.js'

/** How centroids are computed. */
export interface CentroidPlan {
  readonly classes: number
  /** Width of an embedding. */
  readonly width: number
  /** Whether each embedding is scaled to length 1 before the mean. */
  readonly normalise: boolean
  /** Vectors of each class: 1 is the mean, more are the centres of k-means. */
  readonly prototypes: number
  /** Seed of k-means. */
  readonly seed: number
}

/** Options of `centroidsOf`. */
export interface CentroidOptions {
  /** Number of classes (default: the highest label plus 1). */
  readonly classes?: number
  /** Vectors of each class: 1 is the mean, more are the centres of k-means (default: 1). */
  readonly prototypes?: number
  /** Whether each embedding is scaled to length 1 before the mean (default: false). */
  readonly normalise?: boolean
  /** Seed of k-means (default: 0). */
  readonly seed?: number
  /** Name of each class, kept in files. */
  readonly classNames?: readonly string[]
}

/** Embeddings of n images: rows of numbers, or one array `[n, width]`, whose width follows from the number of labels. */
export type EmbeddingRows = Float32Array | readonly ArrayLike<number>[]

/**
 * Returns rows of embeddings as one array.
 * @param labels class of each row, if known.
 * @throws UserError unless there is a row of finite numbers for each label, and all rows have one width.
 */
function flattenRows(
  rows: EmbeddingRows,
  labels: ArrayLike<number> | undefined,
): { data: Float32Array; width: number } {
  const found = joinRows(rows, labels)
  const wrong = found.data.findIndex((value) => !Number.isFinite(value))
  if (wrong >= 0)
    throw new UserError(
      `embedding ${Math.floor(wrong / found.width)} is not finite`,
      'check the teacher',
    )
  return found
}

function joinRows(
  rows: EmbeddingRows,
  labels: ArrayLike<number> | undefined,
): { data: Float32Array; width: number } {
  if (rows instanceof Float32Array) {
    const count = labels?.length ?? 0
    const width = rows.length / count
    if (count > 0 && Number.isInteger(width) && width > 0) return { data: rows, width }
    throw new UserError(
      `${rows.length} values of embeddings are no rows of ${count} images`,
      'give as many labels as there are embeddings',
    )
  }
  if (!Array.isArray(rows))
    throw new UserError(
      `the embeddings are ${describeValue(rows)}`,
      'give an array with the numbers of each embedding, or a Float32Array of all',
    )
  const count = labels?.length ?? rows.length
  if (rows.length !== count || count === 0)
    throw new UserError(
      `there are ${rows.length} embeddings, but ${count} labels`,
      'give one label for each embedding',
    )
  const width = rows[0]!.length
  const data = new Float32Array(count * width)
  rows.forEach((row, i) => {
    if (row.length !== width)
      throw new UserError(
        `embedding ${i} has ${row.length} values, the first has ${width}`,
        'give embeddings of one width',
      )
    data.set(row, i * width)
  })
  return { data, width }
}

/**
 * Computes centroids of labelled embeddings.
 * @throws UserError if a class has fewer images than prototypes, or there is not one label for each embedding.
 */
export function centroidsOf(
  embeddings: EmbeddingRows,
  labels: ArrayLike<number>,
  options: CentroidOptions = {},
): Centroids {
  const { prototypes = 1, normalise = false, seed = 0, classNames } = options
  if (!labels) throw new UserError('the embeddings have no labels', 'give the class of each')
  const { data, width } = flattenRows(embeddings, labels)
  const { classes = classesOf(labels) } = options
  checkInteger('prototypes', prototypes)
  if (classNames && classNames.length !== classes)
    throw new UserError(
      `there are ${classNames.length} names of ${classes} classes`,
      'give one name for each class',
    )
  const collector = new CentroidCollector({ classes, width, normalise, prototypes, seed })
  collector.add(data, labels)
  const vectors = collector.finish().data as Float32Array
  return { kind: 'centroids', vectors, width, classes, prototypes, classNames }
}

/** Returns the number of classes that labels tell. @throws UserError if a label is no whole number from 0. */
function classesOf(labels: ArrayLike<number>): number {
  const list = Array.from(labels)
  for (const [i, label] of list.entries()) checkInteger(`labels[${i}]`, label, 0)
  return list.reduce((a, b) => Math.max(a, b), 0) + 1
}

/**
 * Returns the embeddings of single images, for methods that take `samples`.
 * @param labels class of each image, if known; they tell the width of embeddings in one array.
 * @throws UserError if there is not one label for each embedding.
 */
export function sampleEmbeddings(
  embeddings: EmbeddingRows,
  labels?: ArrayLike<number>,
): SampleEmbeddings {
  const { data, width } = flattenRows(embeddings, labels)
  if (!labels) return { kind: 'samples', vectors: data, width }
  classesOf(labels)
  return { kind: 'samples', vectors: data, width, labels: Int32Array.from(labels) }
}

/** Collects embeddings batch by batch, and computes centroids [classes · prototypes, width], class by class. */
export class CentroidCollector {
  readonly #plan: CentroidPlan
  readonly #means: CentroidBuilder
  /** All embeddings by class, if several prototypes are wanted. */
  readonly #rows: Float32Array[][]
  /** Number of images of each class. */
  readonly counts: number[]

  constructor(plan: CentroidPlan) {
    this.#plan = plan
    this.#means = new CentroidBuilder(plan.classes, plan.width, Number.MAX_SAFE_INTEGER)
    this.#rows = Array.from({ length: plan.classes }, () => [])
    this.counts = Array.from({ length: plan.classes }, () => 0)
  }

  /** Adds embeddings [n, width] of images with these labels. */
  add(embeddings: Float32Array, labels: ArrayLike<number>): void {
    const { width, normalise, prototypes } = this.#plan
    const used = normalise ? normaliseRows(embeddings, width) : embeddings
    this.#means.add(used, labels)
    for (let i = 0; i < labels.length; i++) {
      this.counts[labels[i]!]!++
      if (prototypes > 1) this.#rows[labels[i]!]!.push(used.slice(i * width, (i + 1) * width))
    }
  }

  /** Returns the centroids. @throws UserError if a class has fewer images than prototypes. */
  finish(): HostTensor {
    const { classes, width, prototypes, seed } = this.#plan
    const poor = this.counts.findIndex((count) => count < prototypes)
    if (poor >= 0)
      throw new UserError(
        `class ${poor} has ${this.counts[poor]} images for ${prototypes} vectors`,
        'take more images of each class, or fewer prototypes',
      )
    if (prototypes === 1) return this.#means.finish()
    const out = hostTensor('float32', [classes * prototypes, width])
    this.#rows.forEach((rows, label) => {
      const found = kMeans(rows, prototypes, new Random(seed, randomStream.prototypes, label))
      found.forEach((row, k) => out.data.set(row, (label * prototypes + k) * width))
    })
    return out
  }
}

function normaliseRows(rows: Float32Array, width: number): Float32Array {
  const out = rows.slice()
  for (let at = 0; at < out.length; at += width) {
    let square = 0
    for (let k = at; k < at + width; k++) square += out[k]! ** 2
    const scale = 1 / Math.max(Math.sqrt(square), 1e-12)
    for (let k = at; k < at + width; k++) out[k]! *= scale
  }
  return out
}

const MAX_ROUNDS = 50

/** Returns k centres by Lloyd's algorithm after k-means++ (Arthur & Vassilvitskii 2007), the largest cluster first. */
function kMeans(rows: readonly Float32Array[], k: number, random: Random): Float32Array[] {
  const centres = [rows[random.int(rows.length)]!.slice()]
  while (centres.length < k) {
    const distances = rows.map((row) =>
      Math.min(...centres.map((centre) => squaredDistance(row, centre))),
    )
    let left = random.uniform() * distances.reduce((sum, d) => sum + d, 0)
    const chosen = distances.findIndex((d) => (left -= d) < 0)
    centres.push(rows[chosen < 0 ? random.int(rows.length) : chosen]!.slice())
  }
  let nearest: number[] = []
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = rows.map((row) => {
      const distances = centres.map((centre) => squaredDistance(row, centre))
      return distances.indexOf(Math.min(...distances))
    })
    if (next.every((centre, i) => centre === nearest[i])) break
    nearest = next
    centres.forEach((centre, c) => {
      const members = rows.filter((_, i) => nearest[i] === c)
      // A cluster without members keeps its centre.
      if (members.length > 0)
        for (let d = 0; d < centre.length; d++)
          centre[d] = members.reduce((sum, row) => sum + row[d]!, 0) / members.length
    })
  }
  const size = (c: number) => nearest.filter((centre) => centre === c).length
  const sizes = centres.map((_, c) => size(c))
  return centres
    .map((centre, c) => ({ centre, size: sizes[c]! }))
    .sort((a, b) => b.size - a.size)
    .map(({ centre }) => centre)
}

const squaredDistance = (a: Float32Array, b: Float32Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2
  return sum
}
