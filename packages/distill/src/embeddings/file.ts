// Files of embeddings, in Node and in the browser alike: safetensors with a little metadata.
//
// Rows, one for each image (`embeddings`) or class (`centroids`), in one of these stores:
//   float32, float16   tensor `embeddings` or `centroids`, F32 or F16 [rows, width]
//   int8               the same tensor as I8 [rows, width], and `scales` F32 [rows]: value = integer · scale of the row
//   pcaN               `coefficients` I8 [rows, N], `scales` F32 [rows], `basis` F32 [N, width], `mean` F32 [width], for images alone:
//                      embedding = mean + scale · coefficients · basis
//   pqN                `codes` U8 [rows, N], `codebooks` F32 [N, 256, width / N], for images alone: part n of an embedding is
//                      codebooks[n, code n]
// Beside the rows of images:
//   tensor `labels`    I32 or I64 [rows], the class of each image (optional here, checked if present)
//   tensor `indices`   I32 [rows, 2], position of the image in the training split and its view (optional: rows in order)
//   tensor `keys`      I32 [rows], hash of the pixels of each row (written by embed-kd embed, read in Node alone)
// Metadata, all strings:
//   `format`       `embed-kd 2`, or `embed-kd 1` if the first version can read the file
//   `kind`         `centroids` or `samples`
//   `content`      `scores` if the rows of samples are class scores before any softmax, class by class as in `class_names`
//   `store`        name of the store, for people: readers go by the tensors
//   `class_names`  JSON array of the classes' names, or `[]`
//   `prototypes`   number of vectors of each class, for centroids
//   `augmentation` JSON `{"flip": false, "cropPadding": 0}`, for samples
//   `first_image`  position of the first image in the training split, if rows are of consecutive images and there are no `indices`
// Metadata may be absent. A file with `embeddings`, `coefficients` or `codes` then holds single images. A file with one other matrix holds
// centroids, and so does a file with one vector for each class, under the class's name.
import {
  describeValue,
  formatSafetensorsHeader,
  messageOf,
  parseSafetensors,
  UserError,
  type HostTensor,
  type StorageType,
} from '@embed-kd/core'

import type { Centroids, SampleEmbeddings } from './embeddings.js'
import {
  decodeRows,
  encodeRows,
  finiteMatrix,
  fitConstants,
  needsFit,
  parseStore,
  rawBytes,
  rowsTensor,
  storeColumns,
  type Store,
} from './store.js'

/** The value of `format` in metadata of files that the first version of the format cannot read. */
export const EMBEDDINGS_FORMAT = 'embed-kd 2'
/** The values of `format` that are read. */
export const readFormats = ['embed-kd 1', EMBEDDINGS_FORMAT] as const

/** Rows that principal components are fitted to at most; more hardly change them. */
const FITTED_ROWS = 16_384

/**
 * Returns embeddings as the bytes of a safetensors file.
 * @param origin further metadata, such as the teacher's name.
 * @param store how numbers are stored (default: float32).
 * @throws UserError if there is no such store, or it does not suit the embeddings.
 */
export function writeEmbeddings(
  embeddings: Centroids | SampleEmbeddings,
  origin: Readonly<Record<string, string>> = {},
  store: Store = 'float32',
): Uint8Array {
  parseStore(store)
  if (!(embeddings?.vectors instanceof Float32Array))
    throw new UserError(
      `the embeddings are ${describeValue(embeddings)}`,
      'give what centroidsOf or sampleEmbeddings returns',
    )
  const { vectors, width, kind } = embeddings
  const rows = vectors.length / width
  const isCentroids = kind === 'centroids'
  const matrix = isCentroids ? 'centroids' : 'embeddings'
  if (isCentroids) refuseFittedCentroids(store)
  const constants = needsFit(store)
    ? fitConstants(store, spreadRows(vectors, width, FITTED_ROWS), width)
    : new Map<string, HostTensor>()
  const encoded = encodeRows(store, vectors, width, constants, matrix)
  const tensors = new Map<string, StoredTensor>()
  for (const [name, { storage, shape }] of storeColumns(store, width, matrix))
    tensors.set(name, { storage, shape: [rows, ...shape], bytes: encoded[name]! })
  for (const [name, { shape, data }] of constants)
    tensors.set(name, { storage: 'F32', shape, bytes: rawBytes(data) })
  if (embeddings.kind === 'samples' && embeddings.labels) {
    const { labels } = embeddings
    tensors.set('labels', { storage: 'I32', shape: [rows], bytes: rawBytes(labels) })
  }
  return formatTensors(tensors, {
    ...origin,
    format: formatFor(store),
    kind,
    ...(store === 'float32' ? {} : { store }),
    ...(embeddings.kind === 'samples' && embeddings.content === 'scores'
      ? { content: embeddings.content }
      : {}),
    ...(embeddings.kind === 'centroids'
      ? {
          prototypes: `${embeddings.prototypes}`,
          class_names: JSON.stringify(embeddings.classNames ?? []),
        }
      : {}),
  })
}

/** Returns the format of a file of a store without further novelties: what earlier versions can read, they may. */
export const formatFor = (store: Store): (typeof readFormats)[number] =>
  store === 'float32' || store === 'float16' ? 'embed-kd 1' : EMBEDDINGS_FORMAT

/** @throws UserError if a store is fitted to rows: centroids are too few for that. */
export function refuseFittedCentroids(store: Store): void {
  if (needsFit(store))
    throw new UserError(
      `${store} is a store for embeddings of single images, not for centroids`,
      'choose float16 or int8',
    )
}

/** Returns at most `limit` rows, spread evenly. */
function spreadRows(vectors: Float32Array, width: number, limit: number): Float32Array {
  const rows = vectors.length / width
  if (rows <= limit) return vectors
  const some = new Float32Array(limit * width)
  for (let i = 0; i < limit; i++) {
    const row = Math.floor((i * rows) / limit)
    some.set(vectors.subarray(row * width, (row + 1) * width), i * width)
  }
  return some
}

interface StoredTensor {
  readonly storage: StorageType
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

/** Returns the bytes of a safetensors file of tensors as they are stored. */
export function formatTensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header = formatSafetensorsHeader(tensors, metadata)
  const file = new Uint8Array(header.fileBytes)
  file.set(header.bytes)
  for (const [name, { begin }] of header.entries) file.set(tensors.get(name)!.bytes, begin)
  return file
}

/** The bytes of a file: as such, as a `Blob` or `File`, or as the `Response` of `fetch`. */
export type FileBytes =
  | Uint8Array
  | ArrayBuffer
  | { arrayBuffer(): Promise<ArrayBuffer>; readonly ok?: boolean; readonly status?: number }

/** Returns all bytes of a file. @throws UserError if a response is an error, or the file is given as something else. */
export async function bytesOf(file: FileBytes): Promise<Uint8Array> {
  if (file instanceof Uint8Array) return file
  if (file instanceof ArrayBuffer) return new Uint8Array(file)
  if (typeof file?.arrayBuffer !== 'function')
    throw new UserError(
      `the file is ${describeValue(file)}`,
      'give its bytes (await readFile(path)), a Blob, or a Response',
    )
  if (file.ok === false)
    throw new UserError(`the file was answered with status ${file.status}`, 'check its address')
  return new Uint8Array(await file.arrayBuffer())
}

/**
 * Reads a file of embeddings.
 * @param name name of the file, for errors.
 * @throws UserError if the bytes are no safetensors file, or hold no embeddings.
 */
export async function readEmbeddings(
  file: FileBytes,
  name = 'the file',
): Promise<Centroids | SampleEmbeddings> {
  return parseEmbeddings(await bytesOf(file), name)
}

/** Reads centroids. @throws UserError as `readEmbeddings`, or if the file holds embeddings of single images. */
export async function readCentroids(file: FileBytes, name = 'the file'): Promise<Centroids> {
  const embeddings = await readEmbeddings(file, name)
  if (embeddings.kind === 'centroids') return embeddings
  throw new UserError(
    `${name} has an embedding for each image, but one for each class is needed`,
    'compute centroids with centroidsOf, or choose a method that takes samples, such as cached-kd',
  )
}

/** Reads embeddings from bytes at hand. @throws UserError as `readEmbeddings`. */
export function parseEmbeddings(bytes: Uint8Array, name: string): Centroids | SampleEmbeddings {
  const { tensors, metadata } = parse(bytes, name)
  const { format, kind } = metadata
  if (format !== undefined && !readFormats.some((read) => read === format))
    throw new UserError(
      `${name} has the format "${format}"; this version reads ${readFormats.map((read) => `"${read}"`).join(' and ')}`,
      'make the file again with embed-kd embed',
    )
  if (kind === 'samples' || (kind === undefined && rowsTensor(tensors)))
    return parseSamples(tensors, metadata, name)
  const classNames = parseJson(metadata['class_names'], [] as string[])
  const prototypes = Number(metadata['prototypes'] ?? 1)
  const matrices = [...tensors].filter(([, { shape }]) => shape.length === 2)
  const only = tensors.has('centroids') ? 'centroids' : matrices[0]?.[0]
  if (only !== undefined && (matrices.length === 1 || tensors.has('centroids'))) {
    const { vectors, rows, width } =
      only === 'centroids'
        ? decodeRows(tensors, name, only)
        : finiteMatrix(tensors.get(only)!, only, name)
    if (!(prototypes >= 1) || rows % prototypes !== 0)
      throw new UserError(
        `${name} has ${rows} rows, which are not ${metadata['prototypes']} vectors for each class`,
        'make the file again',
      )
    const names = classNames.length > 0 ? { classNames } : {}
    return { kind: 'centroids', vectors, width, classes: rows / prototypes, prototypes, ...names }
  }
  if (tensors.size > 0 && [...tensors.values()].every(({ shape }) => shape.length === 1))
    return stackVectors(tensors, [...tensors.keys()], name)
  throw new UserError(
    `${name} has ${matrices.length} matrices, and no vector for each class`,
    'give one tensor [classes, width], or one vector for each class under its name',
  )
}

function parse(bytes: Uint8Array, name: string) {
  try {
    return parseSafetensors(bytes)
  } catch (error) {
    throw new UserError(`${name}: ${messageOf(error)}`, 'give a whole safetensors file')
  }
}

function parseJson<T>(text: string | undefined, absent: T): T {
  try {
    return text === undefined ? absent : (JSON.parse(text) as T)
  } catch {
    return absent
  }
}

/** Returns one vector for each class as centroids. @throws UserError if the vectors differ in width or are not floats. */
export function stackVectors(
  tensors: ReadonlyMap<string, HostTensor>,
  classNames: readonly string[],
  name: string,
): Centroids {
  const width = tensors.get(classNames[0]!)!.data.length
  const vectors = new Float32Array(classNames.length * width)
  classNames.forEach((className, i) => {
    const { dtype, data } = tensors.get(className)!
    if (data.length !== width)
      throw new UserError(
        `${name}: the vector of ${className} has ${data.length} elements, that of ${classNames[0]} ${width}`,
        'embed all names with the same model',
      )
    if (dtype !== 'float32' || !data.every(Number.isFinite))
      throw new UserError(
        `${name}: the vector of ${className} is not of finite floats`,
        'save embeddings as float32',
      )
    vectors.set(data, i * width)
  })
  return {
    kind: 'centroids',
    vectors,
    width,
    classes: classNames.length,
    prototypes: 1,
    classNames,
  }
}

function parseSamples(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>>,
  name: string,
): SampleEmbeddings {
  const { vectors, rows, width } = decodeRows(tensors, name)
  const { flip, cropPadding } = parseJson(metadata['augmentation'], {
    flip: false,
    cropPadding: 0,
  })
  if (flip || cropPadding > 0 || Number(metadata['views'] ?? 1) > 1)
    throw new UserError(
      `${name} has embeddings of augmented images, whose pixels plain arrays cannot repeat`,
      'make embeddings without --augment, or train with embed-kd distill',
    )
  const labels = tensors.get('labels')
  if (labels && (labels.dtype !== 'int32' || labels.data.length !== rows))
    throw new UserError(
      `${name} has ${labels.data.length} labels (${labels.dtype}) for ${rows} embeddings`,
      'save one integer label for each embedding',
    )
  const first = Number(metadata['first_image'] ?? 0)
  if (first !== 0)
    throw new UserError(
      `${name} has embeddings of the images from ${first} on, which are a part of the training split`,
      'make embeddings of the whole training split, in one file',
    )
  const samples: SampleEmbeddings = {
    kind: 'samples',
    ...(metadata['content'] === 'scores' ? { content: 'scores' } : {}),
    vectors,
    width,
    ...(labels ? { labels: labels.data as Int32Array } : {}),
  }
  const order = tensors.get('indices')
  return order ? reorder(samples, order, name) : samples
}

/** Puts rows in the order of their images. @throws UserError if an image has no row. */
function reorder(
  { vectors, width, labels, ...rest }: SampleEmbeddings,
  { shape, data }: HostTensor,
  name: string,
): SampleEmbeddings {
  const rows = vectors.length / width
  const ordered = { vectors: new Float32Array(vectors.length), labels: new Int32Array(rows) }
  const seen = new Set<number>()
  for (let row = 0; row < rows; row++) {
    const index = data[row * (shape[1] ?? 1)]!
    if (!(index >= 0 && index < rows) || seen.has(index))
      throw new UserError(
        `${name}: row ${row} is of image ${index}, but there are ${rows} embeddings, one for each image`,
        'make embeddings of the whole training split, in one file',
      )
    seen.add(index)
    ordered.vectors.set(vectors.subarray(row * width, (row + 1) * width), index * width)
    if (labels) ordered.labels[index] = labels[row]!
  }
  return {
    ...rest,
    vectors: ordered.vectors,
    width,
    ...(labels ? { labels: ordered.labels } : {}),
  }
}
