// A store of sample embeddings: one embedding for each image of a training split, or several of different augmentations, in one file
// or in shards. Rows are read in any order without being held in memory.
import { hostTensor, UserError, type HostTensor } from '@embed-kd/core'

import { drawAugmentation, type Augmentation } from '../../images/augment.js'
import type { RowContent } from '../../embeddings/embeddings.js'
import type { Batch, View } from '../data/batches.js'
import type { Dataset } from '../data/dataset.js'
import { describeAugmentation, type SampleMetadata } from './metadata.js'
import { placesInRanges, placesInTable, type Places, type ImageRange } from './row-places.js'
import { identityOf, SampleFiles } from './sample-files.js'
import { embeddingFiles, manifestOf, type Manifest } from './shards.js'

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

export class SampleStore {
  readonly metadata: SampleMetadata
  readonly width: number
  /** Whether the file is only rows in the order of the images, so that their pixels cannot be checked. */
  readonly plain: boolean
  readonly #files: SampleFiles
  readonly #places: Places

  private constructor(files: SampleFiles, manifest: Manifest | undefined) {
    const { metadata, width, plain } = files
    this.#files = files
    this.metadata = metadata
    this.width = width
    this.plain = plain
    this.#places = openPlaces(files, manifest)
  }

  /** Opens a file or its shards. @throws UserError if a file is damaged, of another kind, or a shard is missing. */
  static open(path: string): SampleStore {
    const manifest = manifestOf(path)
    const bytes = manifest?.shards.map((shard) => shard.bytes)
    return new SampleStore(new SampleFiles(embeddingFiles(path), bytes), manifest)
  }

  /** Text that differs if the embeddings may differ. Rows without metadata have none. */
  get identity(): string | undefined {
    return this.plain ? undefined : identityOf(this.metadata)
  }

  /** What the rows are, if the file says so. */
  get content(): RowContent | undefined {
    return this.plain ? undefined : (this.metadata.content ?? 'embeddings')
  }

  /** @throws UserError if the file says that its rows are class scores where embeddings are needed, or the other way round. */
  requireContent(wanted: RowContent, who: string): void {
    if (this.content === undefined || this.content === wanted) return
    const { path } = this.#files.reader(0)
    throw new UserError(
      wanted === 'scores'
        ? `${who} needs the teacher's class scores, but ${path} has its embeddings`
        : `${who} needs the teacher's embeddings, but ${path} has its class scores`,
      wanted === 'scores'
        ? 'make the file with embed-kd embed --kind scores, or choose cached-kd'
        : 'make the file with embed-kd embed --kind samples, or choose cached-logit-kd',
    )
  }

  /** @throws UserError if the embeddings are of other images. */
  requireDataset({ name, digest, train }: Dataset): void {
    const { dataset, dataset_digest, images } = this.metadata
    if (this.plain) {
      const reader = this.#files.reader(0)
      const labels = reader.entries.has('labels') ? reader.read('labels').data : train.labels
      if (images !== train.count)
        throw new UserError(
          `${reader.path} has ${images} embeddings, but ${name} has ${train.count} training images`,
          'give one embedding for each training image, in the order of the data set',
        )
      const other = train.labels.findIndex((label, i) => label !== labels[i])
      if (other >= 0)
        throw new UserError(
          `${reader.path} labels image ${other} ${labels[other] ?? 'not at all'}, ${name} labels it ${train.labels[other]}`,
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
      `${this.#files.reader(0).path} has embeddings of ${dataset} as it was, not of ${name} as it is: ${change}`,
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
    this.#visit(indices, indices.length, 0, (file, rows, positions) =>
      this.#readInto(out, file, rows, positions),
    )
    return out
  }

  /** Reads up to `count` embeddings [rows, width] in the first view, of images spread over all that have one. */
  spread(count: number): Float32Array {
    return this.vectorsOf(this.#places.spread(count))
  }

  /**
   * Reads the embeddings [size, width] of a batch in a view.
   * @throws UserError if an image has no embedding, or the batch's pixels are not those the teacher saw.
   */
  read(batch: Batch, view: View): HostTensor {
    const out = hostTensor('float32', [batch.indices.length, this.width])
    this.#visit(batch.indices, batch.count, view.epoch, (file, rows, positions) => {
      this.#readInto(out.data as Float32Array, file, rows, positions)
      if (!this.plain) this.#checkKeys(batch, view, file, rows, positions)
    })
    return out
  }

  close(): void {
    this.#files.close()
  }

  /** Reads rows of a file to their positions in a batch. */
  #readInto(out: Float32Array, file: number, rows: Int32Array, positions: Int32Array): void {
    const { width } = this
    const { vectors } = this.#files.read(file, rows)
    positions.forEach((position, i) =>
      out.set(vectors.subarray(i * width, (i + 1) * width), position * width),
    )
  }

  /** @throws UserError if the pixels of an image are not those the teacher saw. */
  #checkKeys(
    { indices, pixels }: Batch,
    view: View,
    file: number,
    rows: Int32Array,
    positions: Int32Array,
  ): void {
    const { augmentation } = this.metadata
    const reader = this.#files.reader(file)
    const { data: keys } = reader.readRows('keys', rows)
    const integers = keys.length / rows.length
    const imageBytes = pixels.length / indices.length
    positions.forEach((position, i) => {
      const index = indices[position]!
      const [begin, end] = [position * imageBytes, (position + 1) * imageBytes]
      const whole = sampleKey(augmentation, view, index, pixels, begin, end)
      const expected = whole.slice(-integers)
      const key = keys.subarray(i * integers, (i + 1) * integers)
      if (!expected.every((value, k) => value === key[k]))
        throw new UserError(
          `the pixels of image ${index} are not those the teacher saw (${describeAugmentation(augmentation)}, seed ${view.seed}, view ${view.epoch}: ${integers === 1 ? 'their hash is' : 'flip, top, left and hash are'} ${expected.join(', ')} here, ${[...key].join(', ')} in ${reader.path})`,
          'make the embeddings again for this data set with embed-kd embed',
        )
    })
  }

  /**
   * Visits the files of images in a view, each once, with rows in ascending order and their positions among the images.
   * @throws UserError if an image has no row.
   */
  #visit(
    images: ArrayLike<number>,
    count: number,
    view: number,
    visit: (file: number, rows: Int32Array, positions: Int32Array) => void,
  ): void {
    const files = new Map<number, { row: number; position: number }[]>()
    for (let position = 0; position < count; position++) {
      const place = this.#places.find(images[position]!, view)
      if (!place)
        throw new UserError(
          `there is no embedding of image ${images[position]} in view ${view}`,
          'make embeddings of the whole training split, in all shards',
        )
      const { file, row } = place
      const members = files.get(file)
      if (members) members.push({ row, position })
      else files.set(file, [{ row, position }])
    }
    for (const [file, members] of files) {
      members.sort((a, b) => a.row - b.row)
      visit(
        file,
        Int32Array.from(members, ({ row }) => row),
        Int32Array.from(members, ({ position }) => position),
      )
    }
  }
}

/**
 * Returns how rows are found: by arithmetic if each file has consecutive images, and by a table if not. With a manifest of such
 * files none is opened.
 */
function openPlaces(files: SampleFiles, manifest: Manifest | undefined): Places {
  const { images, views } = files.metadata
  if (files.plain) return placesInRanges([{ path: files.pathOf(0), first: 0, images }])
  const ranges: (ImageRange | undefined)[] = Array.from({ length: files.count }, (_, i) => {
    const shard = manifest?.shards[i]
    const { first, rows } = shard ? { first: shard.firstImage, rows: shard.rows } : files.rangeOf(i)
    return first === undefined ? undefined : { path: files.pathOf(i), first, images: rows / views }
  })
  if (ranges.every((range) => range !== undefined)) return placesInRanges(ranges)
  const listed = ranges.map((_, i) => ({
    path: files.pathOf(i),
    indices: files.reader(i).read('indices').data as Int32Array,
  }))
  return placesInTable(listed, { images, views })
}
