// Runs a teacher over training images and writes centroids, or an embedding for each image. One batch is in memory at a time.
import { statSync } from 'node:fs'

import { hostTensor, type HostTensor } from '@embed-kd/core'

import { controlAnchors, type AnchorControl } from '../../embeddings/anchors.js'
import type { RowContent } from '../../embeddings/embeddings.js'
import type { Augmentation } from '../../images/augment.js'
import { evaluationBatches, type Batch } from '../data/batches.js'
import type { Dataset } from '../data/dataset.js'
import { firstOfEachClass, wholeSplit, type Subset } from '../data/subsets.js'
import type { Encoder } from '../teachers/encoder.js'
import { writeOutputFile } from '../files/output-file.js'
import { CentroidCollector } from '../../embeddings/centroids.js'
import {
  EMBEDDINGS_FORMAT,
  formatFor,
  formatTensors,
  refuseFittedCentroids,
} from '../../embeddings/file.js'
import {
  rawBytes,
  columnTensors,
  constantShapes,
  encodeRows,
  fitConstants,
  rowDecoder,
  storeColumns,
  type Constants,
  type Store,
} from '../../embeddings/store.js'
import { ErrorMeter, type StoreError } from '../../embeddings/store-error.js'
import { formatMetadata, originOf } from './metadata.js'
import { RowWriter } from './row-writer.js'
import { sampleColumns } from './sample-files.js'
import { sampleKey } from './samples.js'
import { discardManifest, shardFile } from './shards.js'

export interface Made {
  readonly file: string
  readonly bytes: number
  /** Number of embeddings computed by this call: fewer if it completes an interrupted call. */
  readonly images: number
  readonly seconds: number
  /** Error of the rows that this call stored; absent if the store is float32, which has none. */
  readonly error?: StoreError | undefined
}

export interface MakeOptions {
  readonly encoder: Encoder
  readonly dataset: Dataset
  readonly file: string
  /** Number of images read and embedded at a time. */
  readonly batch: number
  readonly seed: number
  /** Test accuracy of the teacher on the data set, if it is known. */
  readonly teacherAccuracy?: number | undefined
  /** Images of the training split to embed (default: all). */
  readonly subset?: Subset
  /** How numbers are stored (default: float32). */
  readonly store?: Store | undefined
  readonly progress: (done: number, total: number) => void
}

export interface CentroidOptions extends MakeOptions {
  /** Number of images of each class, the first ones; undefined for all. */
  readonly perClass: number | undefined
  readonly normalise: boolean
  readonly prototypes: number
  /** Control to write in place of the teacher's centroids; its seed is `seed`. */
  readonly anchors?: AnchorControl | undefined
}

export async function makeCentroids(options: CentroidOptions): Promise<Made> {
  const { encoder, dataset, file, batch, seed, progress, perClass, normalise, prototypes } = options
  const start = performance.now()
  const all = options.subset ?? wholeSplit(dataset, 'train')
  const subset = perClass === undefined ? all : firstOfEachClass(all, perClass)
  const { classes } = dataset
  const { width } = encoder
  const { store = 'float32' } = options
  refuseFittedCentroids(store)
  const centroids = new CentroidCollector({ classes, width, normalise, prototypes, seed })
  let done = 0
  for await (const { pixels, labels, count } of evaluationBatches(subset, batch)) {
    const { embeddings } = await encoder.embed(realPixels(pixels, labels.length, count), count)
    centroids.add(embeddings, labels.subarray(0, count))
    progress((done += count), subset.indices.length)
  }
  const rows = centroids.finish()
  const tensor = options.anchors ? controlled(rows, options.anchors, options) : rows
  const metadata = formatMetadata({
    ...originOf(encoder, dataset, centroids.counts, seed, options.teacherAccuracy),
    format: formatFor(store),
    ...(store === 'float32' ? {} : { store }),
    kind: 'centroids',
    normalisation: normalise ? 'l2' : 'none',
    per_class: perClass ?? null,
    prototypes,
    ...(options.anchors ? { anchors: options.anchors } : {}),
  })
  const vectors = tensor.data as Float32Array
  const bytes = encodeRows(store, vectors, width, undefined, 'centroids')
  const [count] = tensor.shape as [number]
  const columns = storeColumns(store, width, 'centroids')
  const tensors = [...columns].map(
    ([name, { storage, shape }]) =>
      [name, { storage, shape: [count, ...shape], bytes: bytes[name]! }] as const,
  )
  writeOutputFile(file, formatTensors(new Map(tensors), metadata))
  const meter = new ErrorMeter()
  if (store !== 'float32') {
    const decoded = rowDecoder(new Map(), file, 'centroids')(columnTensors(columns, bytes, count))
    meter.add(vectors, decoded.vectors, width)
  }
  return madeOf(file, done, start, meter)
}

/** Returns the vectors of a control in place of centroids. */
function controlled(
  { shape, data }: HostTensor,
  anchors: AnchorControl,
  { dataset: { classes }, prototypes, seed }: CentroidOptions,
): HostTensor {
  const vectors = data as Float32Array
  const centroids = { kind: 'centroids', vectors, width: shape[1]!, classes, prototypes } as const
  return hostTensor('float32', shape, controlAnchors(centroids, anchors, seed).vectors)
}

export interface SampleOptions extends MakeOptions {
  /** Class scores if the encoder gives them in place of embeddings, as `scoreEncoder` does (default: embeddings). */
  readonly content?: RowContent | undefined
  readonly augmentation: Augmentation
  /** Number of embeddings of each image, with different augmentations. */
  readonly views: number
  /** Part `shard` of `shards`, from 1. */
  readonly shard: number
  readonly shards: number
  /** Whether a complete file of this size, which begins with `header`, is there already: then nothing is computed. */
  readonly isMade?:
    | ((file: string, header: Uint8Array, bytes: number) => Promise<boolean>)
    | undefined
}

/** Writes an embedding of each image. If the call is interrupted, the same call goes on from there. */
export async function makeSamples(options: SampleOptions): Promise<Made> {
  const { encoder, dataset, batch, seed, progress, augmentation, views, shard, shards } = options
  const { store = 'float32' } = options
  const { width } = encoder
  const start = performance.now()
  const file = shardFile(options.file, shard, shards)
  const subset = partOf(options.subset ?? wholeSplit(dataset, 'train'), shard, shards)
  const images = subset.indices.length
  const [first = 0] = subset.indices
  const listed = subset.indices.some((index, i) => index !== first + i)
  const metadata = formatMetadata({
    ...originOf(encoder, dataset, countsOf(subset, dataset.classes), seed, options.teacherAccuracy),
    format: EMBEDDINGS_FORMAT,
    store,
    kind: 'samples',
    ...(options.content === 'scores' ? { content: 'scores' } : {}),
    augmentation,
    views,
    images: dataset.train.count,
    shard: `${shard}/${shards}`,
    ...(listed ? {} : { first_image: first }),
  })
  const total = images * views
  const columns = sampleColumns(width, store, listed)
  const shapes = constantShapes(store, width)
  const header = RowWriter.header(total, columns, metadata, shapes)
  if (await options.isMade?.(file, header.bytes, header.fileBytes))
    return { file, bytes: header.fileBytes, images: 0, seconds: secondsSince(start) }
  if (shards > 1) discardManifest(options.file)
  const writer = new RowWriter(file, total, columns, metadata, shapes)
  const resumed = writer.done
  const meter = new ErrorMeter()
  try {
    const constants = await writer.constants(() => fitStore(options, store))
    const stored = storeColumns(store, width)
    const decode = rowDecoder(constants, file)
    while (writer.done < total) {
      // Rows are in the order of the views; a batch begins at the row at which the file ends.
      const view = { seed, epoch: Math.floor(writer.done / images) }
      const rest = { ...subset, indices: subset.indices.subarray(writer.done % images) }
      for await (const part of evaluationBatches(rest, batch, augmentation, view)) {
        const { count, pixels, indices, labels } = part
        const { embeddings } = await encoder.embed(realPixels(pixels, labels.length, count), count)
        const bytes = encodeRows(store, embeddings, width, constants)
        writer.append(count, {
          ...bytes,
          ...(listed ? { indices: rawBytes(pairs(indices, count, view.epoch)) } : {}),
          labels: rawBytes(labels.subarray(0, count)),
          keys: rawBytes(keysOf(part, augmentation, view)),
        })
        if (store !== 'float32')
          meter.add(embeddings, decode(columnTensors(stored, bytes, count)).vectors, width)
        progress(writer.done, total)
      }
    }
  } catch (error) {
    writer.interrupt()
    throw error
  }
  writer.finish()
  return madeOf(file, total - resumed, start, meter)
}

/**
 * Computes the constants of a store from images spread evenly over the training images, without augmentation. All shards take the
 * same images, and so have the same constants.
 */
async function fitStore(
  { encoder, dataset, batch, subset = wholeSplit(dataset, 'train') }: SampleOptions,
  store: Store,
): Promise<Constants> {
  const { width } = encoder
  const { length } = subset.indices
  const count = Math.min(length, Math.max(FITTED_IMAGES, FITTED_IMAGES_A_DIMENSION * width))
  const indices = Int32Array.from(
    { length: count },
    (_, i) => subset.indices[Math.floor((i * length) / count)]!,
  )
  const rows = new Float32Array(count * width)
  let done = 0
  for await (const part of evaluationBatches({ ...subset, indices }, batch)) {
    const pixels = realPixels(part.pixels, part.labels.length, part.count)
    const { embeddings } = await encoder.embed(pixels, part.count)
    rows.set(embeddings, done * width)
    done += part.count
  }
  return fitConstants(store, rows, width)
}

/** Images to which a store is fitted at least, if there are as many, and for each dimension of an embedding. */
const FITTED_IMAGES = 4096
const FITTED_IMAGES_A_DIMENSION = 8

const madeOf = (file: string, images: number, start: number, meter: ErrorMeter): Made => ({
  file,
  bytes: statSync(file).size,
  images,
  seconds: secondsSince(start),
  error: meter.result(),
})

const secondsSince = (start: number): number => (performance.now() - start) / 1000

/** Consecutive images, so that each shard reads its part of the data once. */
function partOf(subset: Subset, shard: number, shards: number): Subset {
  const { length } = subset.indices
  const begin = Math.floor(((shard - 1) * length) / shards)
  const end = Math.floor((shard * length) / shards)
  return { ...subset, indices: subset.indices.subarray(begin, end) }
}

/** Returns the number of images of each class; none if there are no labels. */
function countsOf({ split, indices }: Subset, classes: number): number[] {
  const counts = Array.from({ length: classes }, () => 0)
  if (classes === 0) return counts
  for (const index of indices) counts[split.labels[index]!]!++
  return counts
}

const realPixels = (pixels: Uint8Array, size: number, count: number): Uint8Array =>
  pixels.subarray(0, (pixels.length / size) * count)

const pairs = (indices: Int32Array, count: number, view: number): Int32Array =>
  Int32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? indices[i / 2]! : view))

function keysOf(
  { count, indices, pixels }: Batch,
  augmentation: Augmentation,
  view: { readonly seed: number; readonly epoch: number },
): Int32Array {
  const imageBytes = pixels.length / indices.length
  return Int32Array.from({ length: count }, (_, i) => {
    const [begin, end] = [i * imageBytes, (i + 1) * imageBytes]
    return sampleKey(augmentation, view, indices[i]!, pixels, begin, end)[3]
  })
}
