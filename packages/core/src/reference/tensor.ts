// The tensors of the reference interpreter, with floats in float64, and functions that read or write a block of elements by strides.
// Kernels use these functions for everything that moves elements.
import {
  hostTensor,
  sizeOf,
  stridesOf,
  valuesOf,
  type DType,
  type HostTensor,
  type Shape,
  type TensorType,
} from '../tensor/tensor.js'

export interface ReferenceArrays {
  float32: Float64Array
  float16: Float64Array
  int32: Int32Array
  bool: Uint8Array
}

export type ReferenceData = ReferenceArrays[DType]

/** Tensor with floats in float64, so that a difference to another backend shows the rounding error of that backend. */
export type ReferenceTensor = {
  readonly [D in DType]: {
    readonly dtype: D
    readonly shape: Shape
    readonly data: ReferenceArrays[D]
  }
}[DType]

const arrays = { float32: Float64Array, float16: Float64Array, int32: Int32Array, bool: Uint8Array }

/** Returns an array of zeros. */
export const allocate = <D extends DType>(dtype: D, size: number): ReferenceArrays[D] =>
  new arrays[dtype](size) as ReferenceArrays[D]

export const referenceTensor = (
  { dtype, shape }: TensorType,
  data: ReferenceData,
): ReferenceTensor => ({ dtype, shape, data }) as ReferenceTensor

/** Returns a copy with floats widened to float64. */
export const widen = (tensor: HostTensor): ReferenceTensor =>
  referenceTensor(tensor, new arrays[tensor.dtype](valuesOf(tensor)))

/** Returns a copy with floats rounded from float64 to the tensor's element type. */
export const narrow = ({ dtype, shape, data }: ReferenceTensor): HostTensor =>
  hostTensor(dtype, shape, data as Float64Array)

/** Returns an array of zeros of the same class. */
const alike = <T extends ReferenceData>(data: T, size: number): T =>
  new (data.constructor as new (size: number) => T)(size)

/** Calls `row` with the offset of every row (a vector along the last axis) of a block, in row-major order. */
function eachRow(
  shape: Shape,
  strides: readonly number[],
  start: number,
  row: (from: number) => void,
) {
  const visit = (axis: number, from: number): void => {
    if (axis >= shape.length - 1) row(from)
    else for (let i = 0; i < shape[axis]!; i++) visit(axis + 1, from + i * strides[axis]!)
  }
  visit(0, start)
}

/** Returns the elements of a block in row-major order. The element at an index lies at offset start + Σ index · stride. */
export function gather<T extends ReferenceData>(
  source: T,
  shape: Shape,
  strides: readonly number[],
  start = 0,
): T {
  const target = alike(source, sizeOf(shape))
  const length = shape.at(-1) ?? 1
  const stride = strides.at(-1) ?? 1
  let at = 0
  eachRow(shape, strides, start, (from) => {
    for (let i = 0; i < length; i++) target[at++] = source[from + i * stride]!
  })
  return target
}

/** Writes the row-major elements of `source` into a block of `target`: the inverse of `gather`. */
export function scatter<T extends ReferenceData>(
  source: T,
  target: T,
  shape: Shape,
  strides: readonly number[],
  start: number,
): void {
  const length = shape.at(-1) ?? 1
  const stride = strides.at(-1) ?? 1
  let at = 0
  eachRow(shape, strides, start, (from) => {
    for (let i = 0; i < length; i++) target[from + i * stride] = source[at++]!
  })
}

/** Returns the elements of a tensor of shape `from`, broadcast to `shape`. Returns the same array if nothing changes. */
export function broadcast<T extends ReferenceData>(data: T, from: Shape, shape: Shape): T {
  const size = sizeOf(shape)
  if (data.length === size) return data
  if (data.length === 1) return alike(data, size).fill(data[0]!) as T
  const lead = shape.length - from.length
  const strides = stridesOf(from)
  return gather(
    data,
    shape,
    shape.map((_, axis) => (axis < lead || from[axis - lead] === 1 ? 0 : strides[axis - lead]!)),
  )
}

/** Returns the elements with the axes in the order of `permutation`. Returns the same array if the order does not change. */
export function permute<T extends ReferenceData>(
  data: T,
  shape: Shape,
  permutation: readonly number[],
): T {
  if (permutation.every((axis, i) => axis === i)) return data
  const strides = stridesOf(shape)
  return gather(
    data,
    permutation.map((axis) => shape[axis]!),
    permutation.map((axis) => strides[axis]!),
  )
}
