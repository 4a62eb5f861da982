// The teacher as one or a few vectors for each class: made of its embeddings, or found in a file, which may as well be of text
// embeddings of the classes' names.
import { CentroidBuilder, hostTensor, Random, type HostTensor } from '@embed-kd/core'

import { UserError } from '@embed-kd/core'

import { randomStream } from '../../images/shape.js'
import { SafetensorsReader } from '../files/safetensors-file.js'
import { centroidMetadata, parseMetadata, type CentroidMetadata } from './metadata.js'

export interface CentroidPlan {
  readonly classes: number
  readonly width: number
  /** Scale each embedding to length 1 before the mean. */
  readonly normalise: boolean
  /** Vectors for each class; 1 is the mean. */
  readonly prototypes: number
  readonly seed: number
}

/** Gathers embeddings and gives [classes · prototypes, width], class by class. */
export class Centroids {
  readonly #plan: CentroidPlan
  readonly #means: CentroidBuilder
  /** Where prototypes are wanted, all embeddings, by class. */
  readonly #rows: Float32Array[][]
  readonly counts: number[]

  constructor(plan: CentroidPlan) {
    this.#plan = plan
    this.#means = new CentroidBuilder(plan.classes, plan.width, Infinity)
    this.#rows = Array.from({ length: plan.classes }, () => [])
    this.counts = Array.from({ length: plan.classes }, () => 0)
  }

  /** @param embeddings [n, width] of images with these labels. */
  add(embeddings: Float32Array, labels: ArrayLike<number>): void {
    const { width, normalise, prototypes } = this.#plan
    const used = normalise ? normaliseRows(embeddings, width) : embeddings
    this.#means.add(used, labels)
    for (let i = 0; i < labels.length; i++) {
      this.counts[labels[i]!]!++
      if (prototypes > 1) this.#rows[labels[i]!]!.push(used.slice(i * width, (i + 1) * width))
    }
  }

  /** @throws UserError where a class has fewer images than prototypes. */
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

/** Lloyd's algorithm from k-means++ (Arthur & Vassilvitskii 2007); the clusters in order of size. */
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
      // A cluster that lost all its members keeps its place.
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

export interface LoadedCentroids {
  /** [classes · prototypes, width] */
  readonly centroids: HostTensor
  readonly prototypes: number
  /** What the file says of itself; absent where it is not one of ours. */
  readonly metadata?: CentroidMetadata
}

/**
 * Centroids from a file of `embed-kd embed`; or from any safetensors with one matrix [classes, width], or with a vector for each
 * class under its name: text embeddings of the classes' names serve as well.
 * @throws UserError where the file has not as many classes as the data set, or says that they are others.
 */
export function loadCentroids(
  path: string,
  {
    classes,
    classNames = [],
  }: { readonly classes: number; readonly classNames?: readonly string[] },
): LoadedCentroids {
  const reader = new SafetensorsReader(path)
  try {
    if ('format' in reader.metadata) {
      const metadata = parseMetadata(centroidMetadata, reader.metadata, path)
      const { class_names, prototypes } = metadata
      const centroids = asMatrix(reader, 'centroids')
      requireRows(path, centroids, classes * prototypes, `${classes} classes`)
      const other = class_names.findIndex(
        (name, i) => i < classNames.length && name !== classNames[i],
      )
      if (other >= 0)
        throw new UserError(
          `${path} calls class ${other} ${JSON.stringify(class_names[other])}, the data set ${JSON.stringify(classNames[other])}`,
          'use centroids of the same data set',
        )
      return { centroids, prototypes, metadata }
    }
    if (classNames.length > 0 && classNames.every((name) => reader.entries.has(name)))
      return { centroids: stack(reader, classNames), prototypes: 1 }
    const matrices = [...reader.entries].filter(([, { shape }]) => shape.length === 2)
    if (matrices.length !== 1)
      throw new UserError(
        `${path} has ${matrices.length} matrices, and no vector for each class under its name`,
        `give one tensor [${classes}, width], in the order of the classes`,
      )
    const centroids = asMatrix(reader, matrices[0]![0])
    requireRows(path, centroids, classes, `${classes} classes`)
    return { centroids, prototypes: 1 }
  } finally {
    reader.close()
  }
}

function asMatrix(reader: SafetensorsReader, name: string): HostTensor {
  const tensor = reader.read(name)
  if (tensor.dtype === 'float32' && tensor.shape.length === 2 && tensor.data.every(Number.isFinite))
    return tensor
  throw new UserError(
    `${reader.path}: the tensor ${name} is not a matrix of finite floats`,
    'make it with embed-kd embed',
  )
}

function requireRows(path: string, { shape }: HostTensor, rows: number, of: string): void {
  if (shape[0] === rows) return
  throw new UserError(
    `${path} has ${shape[0]} centroids, the data set needs ${rows} for its ${of}`,
    'use centroids of the same data set',
  )
}

function stack(reader: SafetensorsReader, names: readonly string[]): HostTensor {
  const vectors = names.map((name) => reader.read(name))
  const width = vectors[0]!.data.length
  const odd = vectors.findIndex(({ data, dtype }) => dtype !== 'float32' || data.length !== width)
  if (odd >= 0)
    throw new UserError(
      `${reader.path}: the vector of ${names[odd]} has ${vectors[odd]!.data.length} elements, that of ${names[0]} ${width}`,
      'embed all names with the same model',
    )
  const out = hostTensor('float32', [names.length, width])
  vectors.forEach(({ data }, i) => out.data.set(data as Float32Array, i * width))
  return out
}
