// Runs a teacher over training images and writes centroids, or an embedding for each image. One batch is in memory at a time.
import { statSync } from 'node:fs'

import { hostTensor, type HostTensor } from '@embed-kd/core'

import { controlAnchors, type AnchorControl } from '../../embeddings/anchors.js'
import type { Augmentation } from '../../images/augment.js'
import { evaluationBatches, type Batch } from '../data/batches.js'
import type { Dataset } from '../data/dataset.js'
import { firstOfEachClass, wholeSplit, type Subset } from '../data/subsets.js'
import type { Encoder } from '../teachers/encoder.js'
import { writeTensors } from '../files/tensors.js'
import { CentroidCollector } from '../../embeddings/centroids.js'
import { encodeFloat16 } from './float16.js'
import { formatMetadata, originOf } from './metadata.js'
import { RowWriter } from './row-writer.js'
import { sampleColumns, sampleKey, shardFile, KEY_INTEGERS } from './samples.js'

export interface Made {
  readonly file: string
  readonly bytes: number
  /** Number of embeddings computed by this call: fewer if it completes an interrupted call. */
  readonly images: number
  readonly seconds: number
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
  const centroids = new CentroidCollector({
    classes,
    width: encoder.width,
    normalise,
    prototypes,
    seed,
  })
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
    kind: 'centroids',
    normalisation: normalise ? 'l2' : 'none',
    per_class: perClass ?? null,
    prototypes,
    ...(options.anchors ? { anchors: options.anchors } : {}),
  })
  writeTensors(file, new Map([['centroids', tensor]]), metadata)
  return madeOf(file, done, start)
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
  readonly augmentation: Augmentation
  /** Number of embeddings of each image, with different augmentations. */
  readonly views: number
  readonly half: boolean
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
  const { encoder, dataset, batch, seed, progress, augmentation, views, half, shard, shards } =
    options
  const start = performance.now()
  const file = shardFile(options.file, shard, shards)
  const subset = partOf(options.subset ?? wholeSplit(dataset, 'train'), shard, shards)
  const images = subset.indices.length
  const metadata = formatMetadata({
    ...originOf(encoder, dataset, countsOf(subset, dataset.classes), seed, options.teacherAccuracy),
    kind: 'samples',
    augmentation,
    views,
    images: dataset.train.count,
    shard: `${shard}/${shards}`,
  })
  const total = images * views
  const columns = sampleColumns(encoder.width, half)
  const header = RowWriter.header(total, columns, metadata)
  if (await options.isMade?.(file, header.bytes, header.fileBytes))
    return { file, bytes: header.fileBytes, images: 0, seconds: secondsSince(start) }
  const writer = new RowWriter(file, total, columns, metadata)
  const resumed = writer.done
  try {
    while (writer.done < total) {
      // Rows are in the order of the views; a batch begins at the row at which the file ends.
      const view = { seed, epoch: Math.floor(writer.done / images) }
      const rest = { ...subset, indices: subset.indices.subarray(writer.done % images) }
      for await (const part of evaluationBatches(rest, batch, augmentation, view)) {
        const { count, pixels, indices, labels } = part
        const { embeddings } = await encoder.embed(realPixels(pixels, labels.length, count), count)
        writer.append(count, {
          embeddings: bytesOf(half ? encodeFloat16(embeddings) : embeddings),
          indices: bytesOf(pairs(indices, count, view.epoch)),
          labels: bytesOf(labels.subarray(0, count)),
          keys: bytesOf(keysOf(part, augmentation, view)),
        })
        progress(writer.done, total)
      }
    }
  } catch (error) {
    writer.interrupt()
    throw error
  }
  writer.finish()
  return madeOf(file, total - resumed, start)
}

const madeOf = (file: string, images: number, start: number): Made => ({
  file,
  bytes: statSync(file).size,
  images,
  seconds: secondsSince(start),
})

const secondsSince = (start: number): number => (performance.now() - start) / 1000

/** Consecutive images, so that each shard reads its part of the data once. */
function partOf(subset: Subset, shard: number, shards: number): Subset {
  const { length } = subset.indices
  const begin = Math.floor(((shard - 1) * length) / shards)
  const end = Math.floor((shard * length) / shards)
  return { ...subset, indices: subset.indices.subarray(begin, end) }
}

function countsOf({ split, indices }: Subset, classes: number): number[] {
  const counts = Array.from({ length: classes }, () => 0)
  for (const index of indices) counts[split.labels[index]!]!++
  return counts
}

const realPixels = (pixels: Uint8Array, size: number, count: number): Uint8Array =>
  pixels.subarray(0, (pixels.length / size) * count)

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

const pairs = (indices: Int32Array, count: number, view: number): Int32Array =>
  Int32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? indices[i / 2]! : view))

function keysOf(
  { count, indices, pixels }: Batch,
  augmentation: Augmentation,
  view: { readonly seed: number; readonly epoch: number },
): Int32Array {
  const keys = new Int32Array(count * KEY_INTEGERS)
  const imageBytes = pixels.length / indices.length
  for (let i = 0; i < count; i++) {
    const [begin, end] = [i * imageBytes, (i + 1) * imageBytes]
    keys.set(sampleKey(augmentation, view, indices[i]!, pixels, begin, end), i * KEY_INTEGERS)
  }
  return keys
}
