// Tensors as the reference keeps them, and the one way it moves elements about: reading or writing a block by strides.
// Floats are float64 here; what each op does with the elements is in the kernels.
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

/** A tensor of the reference: floats are held as float64, so that an error seen against it is the other's. */
export type ReferenceTensor = {
  readonly [D in DType]: {
    readonly dtype: D
    readonly shape: Shape
    readonly data: ReferenceArrays[D]
  }
}[DType]

const arrays = { float32: Float64Array, float16: Float64Array, int32: Int32Array, bool: Uint8Array }

/** Zeros. */
export const allocate = <D extends DType>(dtype: D, size: number): ReferenceArrays[D] =>
  new arrays[dtype](size) as ReferenceArrays[D]

export const referenceTensor = (
  { dtype, shape }: TensorType,
  data: ReferenceData,
): ReferenceTensor => ({ dtype, shape, data }) as ReferenceTensor

/** A copy, with floats widened. */
export const widen = (tensor: HostTensor): ReferenceTensor =>
  referenceTensor(tensor, new arrays[tensor.dtype](valuesOf(tensor)))

/** A copy, with float64 rounded to what the dtype has. */
export const narrow = ({ dtype, shape, data }: ReferenceTensor): HostTensor =>
  hostTensor(dtype, shape, data as Float64Array)

/** An array of the same class. */
const alike = <T extends ReferenceData>(data: T, size: number): T =>
  new (data.constructor as new (size: number) => T)(size)

/** Calls `row` with the start of every run along the last axis of a block laid out by `strides`, in row-major order. */
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

/** Reads a block of `shape`, whose element at an index lies at start + Σ index · stride, into row-major order. */
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

/** The inverse of `gather`: writes the row-major elements of `source` into a block of `target`. */
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

/** Returns the elements of a tensor of shape `from`, broadcast to `shape`; the same array if nothing changes. */
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

/** The elements with the axes in the order of `permutation`; not copied where that is the order they are in. */
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
