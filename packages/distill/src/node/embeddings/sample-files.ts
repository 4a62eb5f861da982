// The files of a store of sample embeddings: each is opened when a row of it is first read, checked against the first one, and
// closed again if too many are open. Rows come back as float32, whatever the store.
import { UserError, type HostTensor } from '@embed-kd/core'

import {
  constantNames,
  rowDecoder,
  rowsTensor,
  storeColumns,
  type Column,
  type DecodedRows,
  type Store,
} from '../../embeddings/store.js'
import { noAugmentation } from '../../images/augment.js'
import { SafetensorsReader } from '../files/safetensors-file.js'
import { hashBytes } from '../files/tensors.js'
import { parseMetadata, sampleMetadata, type SampleMetadata } from './metadata.js'

/** Files that are open at a time: most systems allow a process 1024. */
const MAX_OPEN = 256

/**
 * Returns the columns of a file with embeddings; a row is one view of one image.
 * @param listed whether each row says its image and view, because the images are not consecutive.
 */
export const sampleColumns = (width: number, store: Store, listed: boolean): Map<string, Column> =>
  new Map<string, Column>([
    ...storeColumns(store, width),
    // Position of the image in the split, and number of its view.
    ...(listed ? ([['indices', { storage: 'I32', shape: [2] }]] as const) : []),
    ['labels', { storage: 'I32', shape: [] }],
    // Hash of the pixels that the teacher saw.
    ['keys', { storage: 'I32', shape: [] }],
  ])

type Decoder = ReturnType<typeof rowDecoder>

export class SampleFiles {
  readonly metadata: SampleMetadata
  /** Width of an embedding. */
  readonly width: number
  /** Whether there is one file with rows in the order of the images, made by another program. */
  readonly plain: boolean
  readonly #paths: readonly string[]
  readonly #bytes: readonly number[] | undefined
  readonly #readers: (SafetensorsReader | undefined)[] = []
  readonly #decoders: Decoder[] = []
  /** Decoders by the bytes of their constants, which shards share. */
  readonly #distinct = new Map<string, Decoder>()
  /** Indices of open files, the one used last at the end. */
  readonly #open = new Set<number>()

  /**
   * Opens the first file.
   * @param bytes size of each file by the manifest, if there is one.
   * @throws UserError if the file is damaged or of another kind.
   */
  constructor(paths: readonly string[], bytes?: readonly number[]) {
    this.#paths = paths
    this.#bytes = bytes
    const first = new SafetensorsReader(paths[0]!)
    this.plain = paths.length === 1 && isPlain(first)
    this.metadata = this.plain ? plainMetadata(first) : metadataOf(first)
    this.width = widthOf(first)
    first.close()
  }

  /** Number of files. */
  get count(): number {
    return this.#paths.length
  }

  pathOf(index: number): string {
    return this.#paths[index]!
  }

  /** Returns the number of a file's rows, and the position of its first image if its images are consecutive. */
  rangeOf(index: number): { readonly first: number | undefined; readonly rows: number } {
    const reader = this.reader(index)
    const { first_image } = metadataOf(reader)
    return { first: first_image, rows: reader.entry('labels').shape[0]! }
  }

  /** Returns an open file. @throws UserError if the file is not one of the store's. */
  reader(index: number): SafetensorsReader {
    const reader = (this.#readers[index] ??= this.#check(index))
    this.#open.delete(index)
    this.#open.add(index)
    if (this.#open.size > MAX_OPEN) {
      const [oldest] = this.#open as Iterable<number> as [number]
      this.#readers[oldest]!.close()
      this.#open.delete(oldest)
    }
    return reader
  }

  /** Reads rows of a file. @param rows positions in ascending order. */
  read(index: number, rows: ArrayLike<number>): DecodedRows {
    const reader = this.reader(index)
    const columns = new Map<string, HostTensor>()
    for (const name of [rowsTensor(reader.entries) ?? 'embeddings', 'scales'])
      if (reader.entries.has(name)) columns.set(name, reader.readRows(name, rows))
    return (this.#decoders[index] ??= this.#decoderOf(reader))(columns)
  }

  close(): void {
    for (const reader of this.#readers) reader?.close()
    this.#open.clear()
  }

  #decoderOf(reader: SafetensorsReader): Decoder {
    const constants = new Map<string, HostTensor>()
    for (const name of constantNames)
      if (reader.entries.has(name)) constants.set(name, reader.read(name))
    const key = [...constants].map(([name, { data }]) => `${name} ${hashBytes(data)}`).join()
    const decoder = this.#distinct.get(key) ?? rowDecoder(constants, reader.path)
    this.#distinct.set(key, decoder)
    return decoder
  }

  #check(index: number): SafetensorsReader {
    const [path, first] = [this.#paths[index]!, this.#paths[0]!]
    const reader = new SafetensorsReader(path)
    const bytes = this.#bytes?.[index] ?? reader.fileBytes
    if (reader.fileBytes !== bytes)
      throw new UserError(
        `${path} has ${reader.fileBytes} bytes, but the manifest of its shards says ${bytes}`,
        'copy the shard again, or make it again with embed-kd embed --shard',
      )
    if (this.plain) return reader
    const metadata = metadataOf(reader)
    if (identityOf(metadata) !== identityOf(this.metadata))
      throw new UserError(
        `${path} and ${first} are shards of different embeddings`,
        'make them with the same settings',
      )
    requireShapes(reader, metadata, this.width)
    return reader
  }
}

const metadataOf = ({ metadata, path }: SafetensorsReader): SampleMetadata =>
  parseMetadata(sampleMetadata, metadata, path)

/** Returns text that the shards of one store share. */
export const identityOf = (metadata: SampleMetadata): string =>
  JSON.stringify({ ...metadata, shard: '', counts: [], first_image: undefined })

/** Whether a file was made by another program: rows of embeddings, without the keys of the images they are of. */
const isPlain = ({ entries, metadata }: SafetensorsReader): boolean =>
  !('dataset_digest' in metadata) && !entries.has('keys') && rowsTensor(entries) !== undefined

/** Returns the width of embeddings. @throws UserError if the rows are no matrix. */
function widthOf(reader: SafetensorsReader): number {
  const name = rowsTensor(reader.entries) ?? 'embeddings'
  const { shape } = reader.entry(name)
  const widths: Readonly<Record<string, () => number | undefined>> = {
    coefficients: () => reader.entry('basis').shape[1],
    codes: () => shape[1]! * reader.entry('codebooks').shape[2]!,
  }
  const width = widths[name] ? widths[name]() : shape[1]
  if (shape.length === 2 && width! > 0) return width!
  throw new UserError(
    `${reader.path}: ${name} is of shape [${shape.join(', ')}]`,
    'save embeddings as float32 [images, width]',
  )
}

/** Returns metadata of a file that is only rows in the order of the images. */
function plainMetadata(reader: SafetensorsReader): SampleMetadata {
  return {
    format: 'embed-kd 1',
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
    images: reader.entry(rowsTensor(reader.entries)!).shape[0]!,
    shard: '1/1',
  }
}

/** @throws UserError if a file's tensors are not rows of embeddings of the given width. */
function requireShapes(reader: SafetensorsReader, metadata: SampleMetadata, width: number): void {
  const { format, store = 'float32', first_image } = metadata
  const rows = reader.entry('labels').shape[0]!
  for (const [name, { shape }] of sampleColumns(width, store, first_image === undefined)) {
    // The first format keeps what the augmentation drew beside the hash.
    const each = name === 'keys' && format === 'embed-kd 1' ? [4] : shape
    const [found, wanted] = [reader.entry(name).shape, [rows, ...each]]
    if (found.join() !== wanted.join())
      throw new UserError(
        `${reader.path}: ${name} is of shape [${found.join(', ')}], but [${wanted.join(', ')}] is needed`,
        'make the file again with embed-kd embed, all shards with one teacher',
      )
  }
}
