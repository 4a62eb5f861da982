// Files with one embedding for each image of a training split, or several of different augmentations, in one file or in shards.
// Rows are read in any order without being held in memory.
import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { hostTensor, type HostTensor } from '@embed-kd/core'

import { EMBEDDINGS_FORMAT } from '../../embeddings/file.js'
import { drawAugmentation, noAugmentation, type Augmentation } from '../../images/augment.js'
import type { Batch, View } from '../data/batches.js'
import type { Dataset } from '../data/dataset.js'
import { UserError } from '@embed-kd/core'
import { SafetensorsReader } from '../files/safetensors-file.js'
import {
  describeAugmentation,
  parseMetadata,
  sampleMetadata,
  type SampleMetadata,
} from './metadata.js'
import type { Column } from './row-writer.js'

/** Returns the tensors of a file with embeddings of width `width`; a row is one view of one image. */
export const sampleColumns = (width: number, half: boolean): Map<string, Column> =>
  new Map<string, Column>([
    ['embeddings', { storage: half ? 'F16' : 'F32', shape: [width] }],
    // Position of the image in the split, and number of its view.
    ['indices', { storage: 'I32', shape: [2] }],
    ['labels', { storage: 'I32', shape: [] }],
    // The augmentation: flip (0 or 1), top, left, and a hash of the pixels it made.
    ['keys', { storage: 'I32', shape: [4] }],
  ])

/** Number of integers of each row in `keys`. */
export const KEY_INTEGERS = 4

/** Returns the FNV-1a hash (Fowler, Noll & Vo) of bytes, as a signed 32-bit number. It detects mistakes, not malice. */
function pixelHash(bytes: Uint8Array, begin: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = begin; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return hash | 0
}

/** Returns the key of an image in a view. @param pixels the augmented image, at [begin, end). */
export function sampleKey(
  augmentation: Augmentation,
  view: View,
  index: number,
  pixels: Uint8Array,
  begin: number,
  end: number,
): [flip: number, top: number, left: number, hash: number] {
  const { flip, top, left } = drawAugmentation(augmentation, view.seed, view.epoch, index)
  return [Number(flip), top, left, pixelHash(pixels, begin, end)]
}

/** `x.safetensors` -> `x-00002-of-00004.safetensors` */
export const shardFile = (path: string, shard: number, shards: number): string =>
  shards === 1
    ? path
    : `${path.replace(/\.safetensors$/, '')}-${`${shard}`.padStart(5, '0')}-of-${`${shards}`.padStart(5, '0')}.safetensors`

export class SampleStore {
  readonly metadata: SampleMetadata
  readonly width: number
  readonly #readers: readonly SafetensorsReader[]
  /** Index of the reader that has each view and position in the split, and the row in that reader; -1 if none has it. */
  readonly #home: Int16Array
  readonly #row: Int32Array
  /** Whether the file is only rows in the order of the images, so that their pixels cannot be checked. */
  readonly plain: boolean

  private constructor(
    readers: readonly SafetensorsReader[],
    metadata: SampleMetadata,
    plain: boolean,
  ) {
    this.#readers = readers
    this.plain = plain
    this.metadata = metadata
    this.width = readers[0]!.entry('embeddings').shape[1]!
    const { images, views } = metadata
    this.#home = new Int16Array(images * views).fill(-1)
    this.#row = new Int32Array(images * views)
    readers.forEach((reader, home) => {
      if (!this.plain) requireShapes(reader, this.width)
      const indices = this.plain ? inOrder(images) : (reader.read('indices').data as Int32Array)
      for (let row = 0; row < indices.length / 2; row++) {
        const [index, view] = [indices[2 * row]!, indices[2 * row + 1]!]
        if (!(index >= 0 && index < images && view >= 0 && view < views))
          throw new UserError(
            `${reader.path}: row ${row} is of image ${index} and view ${view}, but there are ${images} images and ${views} views`,
            'make the file again with embed-kd embed',
          )
        this.#home[view * images + index] = home
        this.#row[view * images + index] = row
      }
    })
  }

  /** Opens a file or its shards. @throws UserError if a file is damaged, of another kind, or a shard is missing. */
  static open(path: string): SampleStore {
    const files = embeddingFiles(path)
    const readers = files.map((file) => new SafetensorsReader(file))
    const [first] = readers
    if (readers.length === 1 && isPlain(first!))
      return new SampleStore(readers, plainMetadata(first!), true)
    const parsed = readers.map(({ metadata }, i) =>
      parseMetadata(sampleMetadata, metadata, files[i]!),
    )
    const identity = (metadata: SampleMetadata) =>
      JSON.stringify({ ...metadata, shard: '', counts: [] })
    const odd = parsed.findIndex((metadata) => identity(metadata) !== identity(parsed[0]!))
    if (odd > 0)
      throw new UserError(
        `${files[odd]} and ${files[0]} are shards of different embeddings`,
        'make them with the same settings',
      )
    return new SampleStore(readers, parsed[0]!, false)
  }

  /** @throws UserError if the embeddings are of other images. */
  requireDataset({ name, digest, train }: Dataset): void {
    const { dataset, dataset_digest, images } = this.metadata
    if (this.plain) {
      const [reader] = this.#readers
      const labels = reader!.entries.has('labels') ? reader!.read('labels').data : train.labels
      if (images !== train.count)
        throw new UserError(
          `${reader!.path} has ${images} embeddings, but ${name} has ${train.count} training images`,
          'give one embedding for each training image, in the order of the data set',
        )
      const other = train.labels.findIndex((label, i) => label !== labels[i])
      if (other >= 0)
        throw new UserError(
          `${reader!.path} labels image ${other} ${labels[other] ?? 'not at all'}, ${name} labels it ${train.labels[other]}`,
          'give the embeddings in the order of the data set',
        )
      return
    }
    if (dataset_digest === digest) return
    const change =
      images === train.count
        ? `both have ${images} training images, which differ in content, order or labels`
        : `${images} → ${train.count} training images`
    throw new UserError(
      `${this.#readers[0]!.path} has embeddings of ${dataset} as it was, not of ${name} as it is: ${change}`,
      'make them for this data set with embed-kd embed, or train on the other',
    )
  }

  /** Returns the view that an epoch of training uses. */
  viewOf(epoch: number): View {
    const { seed, views } = this.metadata
    return { seed, epoch: epoch % views }
  }

  /** Reads the embeddings [images, width] of images in the first view. @throws UserError if an image has none. */
  vectorsOf(indices: ArrayLike<number>): Float32Array {
    const out = new Float32Array(indices.length * this.width)
    for (let i = 0; i < indices.length; i++)
      out.set(this.#rowOf(indices[i]!, 0).vector(), i * this.width)
    return out
  }

  /** Reads up to `count` embeddings [rows, width] in the first view, of images spread over all that have one. */
  spread(count: number): Float32Array {
    const { images } = this.metadata
    const embedded = Array.from({ length: images }, (_, i) => i).filter((i) => this.#home[i]! >= 0)
    const rows = Math.min(count, embedded.length)
    return this.vectorsOf(
      Array.from({ length: rows }, (_, i) => embedded[Math.floor((i * embedded.length) / rows)]!),
    )
  }

  /**
   * Reads the embeddings [size, width] of a batch in a view.
   * @throws UserError if an image has no embedding, or the batch's pixels are not those the teacher saw.
   */
  read({ indices, count, pixels }: Batch, view: View): HostTensor {
    const { augmentation } = this.metadata
    const out = hostTensor('float32', [indices.length, this.width])
    const imageBytes = pixels.length / indices.length
    for (let i = 0; i < count; i++) {
      const index = indices[i]!
      const { reader, row, vector } = this.#rowOf(index, view.epoch)
      out.data.set(vector(), i * this.width)
      if (this.plain) continue
      const key = reader.readRows('keys', row, 1).data
      const expected = sampleKey(
        augmentation,
        view,
        index,
        pixels,
        i * imageBytes,
        (i + 1) * imageBytes,
      )
      if (!expected.every((value, k) => value === key[k]))
        throw new UserError(
          `the pixels of image ${index} are not those the teacher saw (${describeAugmentation(augmentation)}, seed ${view.seed}, view ${view.epoch}: flip, top, left and hash are ${expected.join(', ')} here, ${[...key].join(', ')} in ${reader.path})`,
          'make the embeddings again for this data set with embed-kd embed',
        )
    }
    return out
  }

  /** Finds the row of an image in a view. @throws UserError if there is none. */
  #rowOf(index: number, view: number) {
    const at = view * this.metadata.images + index
    const reader = this.#readers[this.#home[at] ?? -1]
    if (!reader)
      throw new UserError(
        `there is no embedding of image ${index} in view ${view}`,
        'make embeddings of the whole training split, in all shards',
      )
    const row = this.#row[at]!
    const vector = () => reader.readRows('embeddings', row, 1).data as Float32Array
    return { reader, row, vector }
  }

  close(): void {
    for (const reader of this.#readers) reader.close()
  }
}

/** Whether a file was made by another program: rows of embeddings, without the keys of the images they are of. */
const isPlain = ({ entries, metadata }: SafetensorsReader): boolean =>
  !('dataset_digest' in metadata) && !entries.has('keys') && entries.has('embeddings')

/** Metadata of a file that is only rows in the order of the images. @throws UserError if the rows are no matrix. */
function plainMetadata(reader: SafetensorsReader): SampleMetadata {
  const { shape } = reader.entry('embeddings')
  if (shape.length !== 2)
    throw new UserError(
      `${reader.path}: embeddings is of shape [${shape.join(', ')}]`,
      'save embeddings as float32 [images, width]',
    )
  return {
    format: EMBEDDINGS_FORMAT,
    kind: 'samples',
    teacher: 'unknown',
    teacher_digest: '',
    pooling: 'unknown',
    preprocessing: {},
    dataset: 'unknown',
    dataset_digest: '',
    class_names: [],
    counts: [],
    seed: 0,
    augmentation: noAugmentation,
    views: 1,
    images: shape[0]!,
    shard: '1/1',
  }
}

/** Pairs of index and view of rows in the order of the images. */
const inOrder = (images: number): Int32Array =>
  Int32Array.from({ length: 2 * images }, (_, i) => (i % 2 === 0 ? i / 2 : 0))

/** @throws UserError if a file's tensors are not rows of embeddings of the given width. */
function requireShapes(reader: SafetensorsReader, width: number): void {
  const rows = reader.entry('embeddings').shape[0]!
  for (const [name, { shape }] of sampleColumns(width, false)) {
    const [found, wanted] = [reader.entry(name).shape, [rows, ...shape]]
    if (found.join() !== wanted.join())
      throw new UserError(
        `${reader.path}: ${name} is of shape [${found.join(', ')}], where [${wanted.join(', ')}] is needed`,
        'make the file again with embed-kd embed, all shards with one teacher',
      )
  }
}

/** Returns the file, or all its shards. @throws UserError if there is none, or a shard is missing. */
export function embeddingFiles(path: string): string[] {
  if (existsSync(path)) return [path]
  const directory = dirname(path)
  const shards = shardsOf(path)
  const total = Number(/-of-(\d{5})\./.exec(shards[0] ?? '')?.[1])
  if (shards.length === 0)
    throw new UserError(`there is no file ${path}, nor shards of it`, 'make it with embed-kd embed')
  if (shards.length !== total)
    throw new UserError(
      `of the ${total} shards of ${path} there are ${shards.length}`,
      'make the others with embed-kd embed --shard',
    )
  return shards.map((file) => join(directory, file))
}

/** Returns the names of the shards of a file, if there are any. */
export function shardsOf(path: string): string[] {
  const stem = basename(path).replace(/\.safetensors$/, '')
  const directory = dirname(path)
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((file) => file.startsWith(`${stem}-`) && /-\d{5}-of-\d{5}\.safetensors$/.test(file))
    .sort()
}
