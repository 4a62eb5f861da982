// Types of tensors, and tensors on the host: a dtype, a shape, and a typed array in row-major order. Nothing is computed here:
// the ops are in graph/, and reference/ defines what each op computes.
import { checkInteger, checkName, fail } from '../check.js'
import { fromFloat16, toFloat16 } from './float16.js'

/** Element types. `bool` is stored on the host as one byte, 0 or 1. */
export type DType = 'float32' | 'float16' | 'int32' | 'bool'

/** Sizes of the axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[]

export interface TensorType {
  readonly dtype: DType
  readonly shape: Shape
}

export interface HostArrays {
  float32: Float32Array
  /** The 16-bit words of the floats; `valuesOf` converts them to numbers. */
  float16: Uint16Array
  int32: Int32Array
  bool: Uint8Array
}

/** A tensor on the host. `data.length` is the product of `shape`. */
export type HostTensor = {
  readonly [D in DType]: { readonly dtype: D; readonly shape: Shape; readonly data: HostArrays[D] }
}[DType]

export const bytesPerElement: Record<DType, number> = {
  float32: 4,
  float16: 2,
  int32: 4,
  bool: 1,
}

/** Names of dtypes in printed graphs and in errors. */
export const dtypeLabel: Record<DType, string> = {
  float32: 'f32',
  float16: 'f16',
  int32: 'i32',
  bool: 'bool',
}

export type FloatType = 'float32' | 'float16'
export const isFloat = (dtype: DType): dtype is FloatType =>
  dtype === 'float32' || dtype === 'float16'

export const sizeOf = (shape: Shape): number => shape.reduce((size, axis) => size * axis, 1)

export const bytesOf = (type: TensorType): number =>
  sizeOf(type.shape) * bytesPerElement[type.dtype]

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((axis, i) => axis === b[i])

export const sameType = (a: TensorType, b: TensorType): boolean =>
  a.dtype === b.dtype && sameShape(a.shape, b.shape)

/** Returns a type as graphs and errors print it: `f32[64,65,256]`. */
export const formatType = (type: TensorType): string =>
  `${dtypeLabel[type.dtype]}[${type.shape.join(',')}]`

/** Returns the row-major strides of a shape, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  let stride = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride
    stride *= shape[axis]!
  }
  return strides
}

/** Returns the shape to which NumPy broadcasts two shapes, or undefined if they do not fit. */
export function broadcastShapes(a: Shape, b: Shape): number[] | undefined {
  const rank = Math.max(a.length, b.length)
  const out = new Array<number>(rank)
  for (let i = 1; i <= rank; i++) {
    const x = a[a.length - i] ?? 1
    const y = b[b.length - i] ?? 1
    if (x !== y && x !== 1 && y !== 1) return undefined
    out[rank - i] = x === 1 ? y : x
  }
  return out
}

const arrayOf = {
  float32: Float32Array,
  float16: Uint16Array,
  int32: Int32Array,
  bool: Uint8Array,
}

/**
 * Returns a host tensor over `data` (not copied), or of zeros. Floats in an array of another class are copied and rounded.
 * @throws UserError if the length of `data` is not the product of `shape`, if a size is not a whole number, or if an element
 * of an int32 or bool tensor is not a whole number in its range.
 */
export function hostTensor<D extends DType>(
  dtype: D,
  shape: Shape,
  data?: HostArrays[D] | readonly number[] | Float64Array,
): Extract<HostTensor, { dtype: D }> {
  checkName('tensor: dtype', dtype, Object.keys(bytesPerElement))
  for (const size of shape) checkInteger('tensor: each size of its shape', size, 0)
  if (data && !(data instanceof arrayOf[dtype]) && (dtype === 'int32' || dtype === 'bool'))
    for (const value of data) checkWhole(dtype, value)
  const asWords = dtype === 'float16' && data && !(data instanceof Uint16Array)
  const array = asWords ? Uint16Array.from(data, toFloat16) : (data ?? sizeOf(shape))
  const values = array instanceof arrayOf[dtype] ? array : new arrayOf[dtype](array as number)
  if (values.length !== sizeOf(shape))
    fail(
      `tensor ${formatType({ dtype, shape })} needs ${sizeOf(shape)} elements, got ${values.length}`,
    )
  return { dtype, shape: [...shape], data: values } as unknown as Extract<HostTensor, { dtype: D }>
}

/** @throws UserError if a value is not a whole number in the range of the dtype. */
function checkWhole(dtype: 'int32' | 'bool', value: number): void {
  if (dtype === 'bool') checkInteger('tensor: an element of a bool tensor', Number(value), 0, 1)
  else checkInteger('tensor: an element of an int32 tensor', value, -(2 ** 31), 2 ** 31 - 1)
}

/** Returns a scalar host tensor. @throws UserError as `hostTensor` does. */
export const hostScalar = (value: number, dtype: DType = 'float32'): HostTensor =>
  hostTensor(dtype, [], [value])

/** Returns the elements of a host tensor as numbers. Float16 words are converted; other data is returned as it is. */
export const valuesOf = ({ dtype, data }: HostTensor): ArrayLike<number> =>
  dtype === 'float16' ? Float32Array.from(data, fromFloat16) : data

/** Returns a float tensor rounded to another float dtype, or the tensor itself if it has that dtype. */
export const inDtype = (tensor: HostTensor, dtype: DType): HostTensor =>
  tensor.dtype === dtype
    ? tensor
    : hostTensor(dtype, tensor.shape, Float64Array.from(valuesOf(tensor)))
