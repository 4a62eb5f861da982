// Files of embeddings, in Node and in the browser alike: safetensors with a little metadata.
//
// Centroids:
//   tensor `centroids`   F32 [classes · prototypes, width], class by class
// Embeddings of single images:
//   tensor `embeddings`  F32 or F16 [count, width]
//   tensor `labels`      I32 or I64 [count], the class of each image (optional here, checked if present)
//   tensor `indices`     I32 [count, 2], position of the image in the training split and its view (optional: rows in order)
//   tensor `keys`        I32 [count, 4], the augmentation of each row (written by embed-kd embed, read in Node alone)
// Metadata, all strings:
//   `format`       `embed-kd 1`
//   `kind`         `centroids` or `samples`
//   `class_names`  JSON array of the classes' names, or `[]`
//   `prototypes`   number of vectors of each class, for centroids
//   `augmentation` JSON `{"flip": false, "cropPadding": 0}`, for samples
// Metadata may be absent. A file with `embeddings` then holds single images. A file with one other matrix holds centroids,
// and so does a file with one vector for each class, under the class's name.
import {
  formatSafetensors,
  hostTensor,
  messageOf,
  parseSafetensors,
  UserError,
  type HostTensor,
} from '@embed-kd/core'

import type { Centroids, SampleEmbeddings } from './embeddings.js'

/** The value of `format` in metadata. */
export const EMBEDDINGS_FORMAT = 'embed-kd 1'

/**
 * Returns embeddings as the bytes of a safetensors file.
 * @param origin further metadata, such as the teacher's name.
 */
export function writeEmbeddings(
  embeddings: Centroids | SampleEmbeddings,
  origin: Readonly<Record<string, string>> = {},
): Uint8Array {
  const { vectors, width } = embeddings
  const matrix = hostTensor('float32', [vectors.length / width, width], vectors)
  const metadata = { ...origin, format: EMBEDDINGS_FORMAT, kind: embeddings.kind }
  if (embeddings.kind === 'centroids') {
    const { prototypes, classNames = [] } = embeddings
    const rest = { prototypes: `${prototypes}`, class_names: JSON.stringify(classNames) }
    return formatSafetensors(new Map([['centroids', matrix]]), { ...metadata, ...rest })
  }
  const { labels } = embeddings
  const tensors = new Map<string, HostTensor>([['embeddings', matrix]])
  if (labels) tensors.set('labels', hostTensor('int32', [labels.length], labels))
  return formatSafetensors(tensors, metadata)
}

/** The bytes of a file: as such, as a `Blob` or `File`, or as the `Response` of `fetch`. */
export type FileBytes =
  | Uint8Array
  | ArrayBuffer
  | { arrayBuffer(): Promise<ArrayBuffer>; readonly ok?: boolean; readonly status?: number }

/** Returns all bytes of a file. @throws UserError if a response is an error. */
export async function bytesOf(file: FileBytes): Promise<Uint8Array> {
  if (file instanceof Uint8Array) return file
  if (file instanceof ArrayBuffer) return new Uint8Array(file)
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
  if (format !== undefined && format !== EMBEDDINGS_FORMAT)
    throw new UserError(
      `${name} has the format "${format}"; this version reads "${EMBEDDINGS_FORMAT}"`,
      'make the file again with embed-kd embed',
    )
  if (kind === 'samples' || (kind === undefined && tensors.has('embeddings')))
    return parseSamples(tensors, metadata, name)
  const classNames = parseJson(metadata['class_names'], [] as string[])
  const prototypes = Number(metadata['prototypes'] ?? 1)
  const matrices = [...tensors].filter(([, { shape }]) => shape.length === 2)
  const only = tensors.has('centroids') ? 'centroids' : matrices[0]?.[0]
  if (only !== undefined && (matrices.length === 1 || tensors.has('centroids'))) {
    const { vectors, rows, width } = matrixOf(tensors.get(only)!, only, name)
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

/** Returns a tensor as a matrix. @throws UserError if the tensor is not a matrix of finite floats. */
export function matrixOf(
  { dtype, shape, data }: HostTensor,
  tensor: string,
  name: string,
): { vectors: Float32Array; rows: number; width: number } {
  const [rows, width] = shape
  if (dtype === 'float32' && shape.length === 2 && width! > 0 && data.every(Number.isFinite))
    return { vectors: data, rows: rows!, width: width! }
  throw new UserError(
    `${name}: the tensor ${tensor} is not a matrix of finite floats`,
    'save embeddings as float32 [rows, width]',
  )
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
  const embeddings = tensors.get('embeddings')
  if (!embeddings) throw new UserError(`${name} has no tensor embeddings`, 'make the file again')
  const { vectors, rows, width } = matrixOf(embeddings, 'embeddings', name)
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
  const order = tensors.get('indices')
  if (!order)
    return {
      kind: 'samples',
      vectors,
      width,
      ...(labels ? { labels: labels.data as Int32Array } : {}),
    }
  return reorder(vectors, width, labels?.data as Int32Array | undefined, order, name)
}

/** Puts rows in the order of their images. @throws UserError if an image has no row. */
function reorder(
  vectors: Float32Array,
  width: number,
  labels: Int32Array | undefined,
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
    kind: 'samples',
    vectors: ordered.vectors,
    width,
    ...(labels ? { labels: ordered.labels } : {}),
  }
}
