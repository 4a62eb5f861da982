// How embeddings are stored in files: float32, float16, int8 with one scale for each row, coefficients of principal components, or
// codes of product quantisation.
// Readers return float32 of the teacher's width whatever the store. Coefficients are expanded, so that every method sees the cosines,
// norms and means of the teacher's own space, and a student has the same projection whatever the store.
import {
  hostTensor,
  readSafetensor,
  sizeOf,
  UserError,
  type HostTensor,
  type Shape,
  type StorageType,
} from '@embed-kd/core'

import { encodeFloat16 } from './float16.js'
import { quantiseRows, scaleRows } from './int8.js'
import { expand, principalComponents, project } from './principal-components.js'
import {
  codebookShape,
  decodeProducts,
  encodeProducts,
  fitCodebooks,
} from './product-quantisation.js'

/** How the numbers of a file of embeddings are stored. */
export type Store = 'float32' | 'float16' | 'int8' | `pca${number}` | `pq${number}`

/** The stores in words, for help texts and errors. */
export const storeWords =
  'float32, float16, int8, pcaN for N principal components, or pqN for N bytes of product quantisation'

/** Form of a store's name. */
export const storePattern = /^(float32|float16|int8|(pca|pq)[1-9]\d{0,4})$/

/** Reads the name of a store. @throws UserError if there is no such store. */
export function parseStore(word: string): Store {
  if (storePattern.test(word)) return word as Store
  throw new UserError(`there is no store "${word}"`, `give ${storeWords}`)
}

/** A tensor of which each row of a file has its part. */
export interface Column {
  readonly storage: StorageType
  /** Shape of one row's part. */
  readonly shape: Shape
}
export type Columns = ReadonlyMap<string, Column>

/** The bytes of some rows, by column. */
export type ColumnBytes = Readonly<Record<string, Uint8Array>>

/** The tensors that a store keeps once, such as the basis of principal components. */
export type Constants = ReadonlyMap<string, HostTensor>

/** Names of the constants of all stores. */
export const constantNames = ['mean', 'basis', 'codebooks'] as const

/** Name of the tensor of values: one row for each image, or for each class. */
export type Matrix = 'embeddings' | 'centroids'

interface Codec {
  /** @param size number at the end of the store's name. */
  columns(matrix: Matrix, width: number, size: number): Record<string, Column>
  /** Shapes of the constants. */
  readonly constants?: (width: number, size: number) => Record<string, Shape>
  /** Computes the constants from rows `[n, width]`. */
  fit?(rows: Float32Array, width: number, size: number): Record<string, Float32Array>
  encode(
    matrix: Matrix,
    rows: Float32Array,
    width: number,
    constants: Constants,
  ): Record<string, ArrayBufferView>
}

const codecs: Readonly<Record<'float32' | 'float16' | 'int8' | 'pca' | 'pq', Codec>> = {
  float32: {
    columns: (matrix, width) => ({ [matrix]: { storage: 'F32', shape: [width] } }),
    encode: (matrix, rows) => ({ [matrix]: rows }),
  },
  float16: {
    columns: (matrix, width) => ({ [matrix]: { storage: 'F16', shape: [width] } }),
    encode: (matrix, rows) => ({ [matrix]: encodeFloat16(rows) }),
  },
  int8: {
    columns: (matrix, width) => ({
      [matrix]: { storage: 'I8', shape: [width] },
      scales: { storage: 'F32', shape: [] },
    }),
    encode: (matrix, rows, width) => {
      const { values, scales } = quantiseRows(rows, width)
      return { [matrix]: values, scales }
    },
  },
  pca: {
    // Int8 adds nothing to the error of leaving components out.
    columns: (_, _width, count) => ({
      coefficients: { storage: 'I8', shape: [count] },
      scales: { storage: 'F32', shape: [] },
    }),
    constants: (width, count) => ({ mean: [width], basis: [count, width] }),
    fit: (rows, width, count) => ({ ...principalComponents(rows, width, count) }),
    encode: (_, rows, _width, constants) => {
      const components = componentsOf(constants, 'the store')
      const coefficients = project(rows, components)
      const count = components.basis.length / components.mean.length
      const { values, scales } = quantiseRows(coefficients, count)
      return { coefficients: values, scales }
    },
  },
  pq: {
    columns: (_, _width, parts) => ({ codes: { storage: 'U8', shape: [parts] } }),
    constants: (width, parts) => ({ codebooks: codebookShape(width, parts) }),
    fit: (rows, width, parts) => ({ codebooks: fitCodebooks(rows, width, parts) }),
    encode: (_, rows, width, constants) => {
      const { shape, data } = constants.get('codebooks')!
      return { codes: encodeProducts(rows, width, data as Float32Array, shape[0]!) }
    },
  },
}

/** Returns the codec of a store and the number in its name. */
function codecOf(store: Store): { codec: Codec; size: number } {
  const [, family = '', digits = ''] = /^(float32|float16|int8|pca|pq)(\d*)$/.exec(store) ?? []
  return { codec: codecs[family as keyof typeof codecs], size: Number(digits) }
}

/** Whether a store keeps tensors once that must be computed from many rows before any is written. */
export const needsFit = (store: Store): boolean => codecOf(store).codec.fit !== undefined

/** Returns the columns of rows of a width. */
export function storeColumns(store: Store, width: number, matrix: Matrix = 'embeddings'): Columns {
  const { codec, size } = codecOf(store)
  return new Map(Object.entries(codec.columns(matrix, width, size)))
}

/** Returns the largest divisor of a width that is at most `most`. */
function divisorUpTo(width: number, most: number): number {
  let divisor = most
  while (width % divisor !== 0) divisor--
  return divisor
}

/** Returns the shapes of a store's constants. @throws UserError if a row has fewer dimensions, or cannot be cut. */
export function constantShapes(store: Store, width: number): ReadonlyMap<string, Shape> {
  const { codec, size } = codecOf(store)
  if (size > width)
    throw new UserError(
      `${store} is too many for embeddings of width ${width}`,
      `choose at most ${store.replace(/\d+/, `${width}`)}, or int8`,
    )
  if (codec === codecs.pq && width % size !== 0)
    throw new UserError(
      `${store} cannot cut embeddings of width ${width} into ${size} equal parts`,
      `choose a divisor of ${width}, such as pq${divisorUpTo(width, size)}`,
    )
  return new Map(Object.entries(codec.constants?.(width, size) ?? {}))
}

/** Computes a store's constants from rows `[n, width]`. @throws UserError as `constantShapes`. */
export function fitConstants(store: Store, rows: Float32Array, width: number): Constants {
  const { codec, size } = codecOf(store)
  const shapes = constantShapes(store, width)
  const fitted = codec.fit?.(rows, width, size) ?? {}
  return new Map(
    Object.entries(fitted).map(([name, data]) => [
      name,
      hostTensor('float32', shapes.get(name)!, data),
    ]),
  )
}

/** Returns the bytes of rows `[n, width]`. @throws UserError if a value is out of the range of float16. */
export function encodeRows(
  store: Store,
  rows: Float32Array,
  width: number,
  constants: Constants = new Map(),
  matrix: Matrix = 'embeddings',
): ColumnBytes {
  const columns = codecOf(store).codec.encode(matrix, rows, width, constants)
  return Object.fromEntries(Object.entries(columns).map(([name, data]) => [name, rawBytes(data)]))
}

/** Returns columns of rows as tensors. */
export const columnTensors = (
  columns: Columns,
  bytes: ColumnBytes,
  rows: number,
): Map<string, HostTensor> =>
  new Map(
    [...columns].map(([name, { storage, shape }]) => {
      const entry = { storage, shape: [rows, ...shape], begin: 0, end: bytes[name]!.length }
      return [name, readSafetensor(name, entry, bytes[name]!)]
    }),
  )

/** Returns the name of the tensor that has a row for each image or class, if there is one. */
export const rowsTensor = (
  tensors: ReadonlyMap<string, unknown>,
  matrix: Matrix = 'embeddings',
): string | undefined => [matrix, 'coefficients', 'codes'].find((name) => tensors.has(name))

/** Columns of rows as float32. */
export interface DecodedRows {
  readonly vectors: Float32Array
  readonly rows: number
  readonly width: number
}

/**
 * Returns a function that makes float32 of the columns of rows, whatever their store.
 * @param constants the store's constants; other tensors are ignored.
 * @param file name of the file, for errors.
 * @throws UserError if the tensors do not fit together, or a value is not finite; so does the function.
 */
export function rowDecoder(
  constants: ReadonlyMap<string, HostTensor>,
  file: string,
  matrix: Matrix = 'embeddings',
): (columns: ReadonlyMap<string, HostTensor>) => DecodedRows {
  const components = constants.has('basis') ? componentsOf(constants, file) : undefined
  return (columns) => {
    const name = rowsTensor(columns, matrix) ?? matrix
    if (name === 'codes') return lookUpCodes(columns.get(name)!, constants.get('codebooks'), file)
    const found = readMatrix(columns, name, file)
    if (name !== 'coefficients') return found
    const { mean, basis } = components ?? componentsOf(constants, file)
    const width = mean.length
    if (basis.length !== found.width * width)
      throw new UserError(
        `${file} has ${found.width} coefficients a row, but ${basis.length / width} directions in its basis`,
        'save coefficients [rows, n], a basis [n, width] and a mean [width]',
      )
    return { vectors: expand(found.vectors, { mean, basis }), rows: found.rows, width }
  }
}

/** Returns the rows of a whole file as float32. @throws UserError as `rowDecoder`. */
export const decodeRows = (
  tensors: ReadonlyMap<string, HostTensor>,
  file: string,
  matrix?: Matrix,
): DecodedRows => rowDecoder(tensors, file, matrix)(tensors)

/** Returns a matrix of floats, or of integers with their scales. @throws UserError if it is neither. */
function readMatrix(
  columns: ReadonlyMap<string, HostTensor>,
  name: string,
  file: string,
): DecodedRows {
  const tensor = columns.get(name)
  if (!tensor) throw new UserError(`${file} has no tensor ${name}`, 'make the file again')
  const scales = columns.get('scales')
  if (tensor.dtype === 'int32' && tensor.shape.length === 2) {
    const values = scaleRows(tensor, scales, name, file)
    return finiteMatrix(hostTensor('float32', tensor.shape, values), name, file)
  }
  if (scales)
    throw new UserError(
      `${file} has scales, but its tensor ${name} is ${tensor.dtype} [${tensor.shape.join(', ')}]`,
      'save int8 values [rows, width] with their scales, or floats without',
    )
  return finiteMatrix(tensor, name, file)
}

/** Returns the rows of codes. @throws UserError if codes and codebooks do not fit. */
function lookUpCodes(codes: HostTensor, books: HostTensor | undefined, file: string): DecodedRows {
  const [rows = 0, parts] = codes.shape
  if (
    codes.dtype !== 'int32' ||
    books?.dtype !== 'float32' ||
    books.shape.length !== 3 ||
    books.shape[0] !== parts ||
    books.shape[1] !== 256 ||
    codes.data.some((code) => code < 0 || code > 255)
  )
    throw new UserError(
      `${file} has codes [${codes.shape.join(', ')}] without codebooks [${parts ?? 'parts'}, 256, width of a part] that fit`,
      'save codes as uint8 [rows, parts], and codebooks as float32',
    )
  const vectors = decodeProducts(codes.data, books.data as Float32Array, parts!)
  const width = parts! * books.shape[2]!
  return finiteMatrix(hostTensor('float32', [rows, width], vectors), 'codebooks', file)
}

/** Returns mean and basis. @throws UserError if one is missing, or the two do not fit. */
function componentsOf(tensors: ReadonlyMap<string, HostTensor>, file: string) {
  const [mean, basis] = [tensors.get('mean'), tensors.get('basis')]
  if (!mean || !basis || mean.dtype !== 'float32' || basis.shape[1] !== mean.data.length)
    throw new UserError(
      `${file} has coefficients without a mean [width] and a basis [n, width] that fit`,
      'save mean and basis as float32 beside the coefficients',
    )
  return {
    mean: mean.data as Float32Array,
    basis: finiteMatrix(basis, 'basis', file).vectors,
  }
}

/** Returns a tensor as a matrix. @throws UserError if the tensor is not a matrix of finite floats. */
export function finiteMatrix(
  { dtype, shape, data }: HostTensor,
  tensor: string,
  file: string,
): DecodedRows {
  const [rows, width] = shape
  if (dtype === 'float32' && shape.length === 2 && width! > 0 && data.every(Number.isFinite))
    return { vectors: data, rows: rows!, width: width! }
  throw new UserError(
    `${file}: the tensor ${tensor} is not a matrix of finite floats`,
    'save embeddings as float32 [rows, width]',
  )
}

/** Returns the memory of an array as bytes, without a copy. */
export const rawBytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

const elementBytes: Readonly<Partial<Record<StorageType, number>>> = {
  F32: 4,
  F16: 2,
  I32: 4,
  I8: 1,
  U8: 1,
}

/** Returns the bytes of the numbers of one row. */
export const rowBytes = (store: Store, width: number): number =>
  [...storeColumns(store, width).values()].reduce(
    (sum, { storage, shape }) => sum + elementBytes[storage]! * sizeOf(shape),
    0,
  )
