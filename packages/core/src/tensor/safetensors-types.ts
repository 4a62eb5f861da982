// The element types of the safetensors format: how the bytes of each become the elements of a host tensor, and back.
import { fromFloat16 } from './float16.js'
import { hostTensor } from './tensor.js'
import type { DType, HostTensor, Shape } from './tensor.js'

/** Element type that can be read, by its name in the format. */
export type StorageType =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'F8_E4M3'
  | 'F8_E5M2'
  | 'I64'
  | 'I32'
  | 'I8'
  | 'U8'
  | 'BOOL'

/** Element type in which host tensors of each type are written. */
export const storageOf: Record<DType, StorageType> = {
  float32: 'F32',
  float16: 'F16',
  int32: 'I32',
  bool: 'BOOL',
}

interface Storage {
  /** Size of an element. */
  readonly bytes: number
  /**
   * Returns a tensor with the elements in `bytes`.
   * @param bytes the data, which must start at a multiple of the element size.
   * @throws an Error that names the element that cannot be converted.
   */
  read(bytes: Uint8Array, shape: Shape): HostTensor
}

/** Element types that can be read. */
export const storages: Record<StorageType, Storage> = {
  F64: { bytes: 8, read: narrowFloat64 },
  F32: {
    bytes: 4,
    read: (bytes, shape) => hostTensor('float32', shape, view(Float32Array, bytes)),
  },
  F16: { bytes: 2, read: widenFloat16 },
  BF16: { bytes: 2, read: widenBfloat16 },
  F8_E4M3: { bytes: 1, read: widenFloat8(3, 7, false) },
  F8_E5M2: { bytes: 1, read: widenFloat8(2, 15, true) },
  I64: { bytes: 8, read: narrowInt64 },
  I32: { bytes: 4, read: (bytes, shape) => hostTensor('int32', shape, view(Int32Array, bytes)) },
  // Integers stay integers: whoever does not know of a scale beside them cannot take them for floats.
  I8: {
    bytes: 1,
    read: (bytes, shape) => hostTensor('int32', shape, Int32Array.from(view(Int8Array, bytes))),
  },
  U8: { bytes: 1, read: (bytes, shape) => hostTensor('int32', shape, Int32Array.from(bytes)) },
  BOOL: { bytes: 1, read: checkedBool },
}

/** Bits of an element of known types that cannot be read. A header's sizes are checked for these types too. */
const otherBits = new Map([
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['F8_E8M0', 8],
  ['I16', 16],
  ['U16', 16],
  ['U32', 32],
  ['U64', 64],
  ['C64', 64],
])

/** Whether elements of this type can be read. */
export const isRead = (storage: string): storage is StorageType => Object.hasOwn(storages, storage)

/** Returns the bits of an element, or undefined if the type is unknown. */
export const bitsOf = (storage: string): number | undefined =>
  isRead(storage) ? 8 * storages[storage].bytes : otherBits.get(storage)

const view = <T>(
  array: { new (buffer: ArrayBufferLike, byteOffset: number, length: number): T } & {
    readonly BYTES_PER_ELEMENT: number
  },
  bytes: Uint8Array,
): T => new array(bytes.buffer, bytes.byteOffset, bytes.length / array.BYTES_PER_ELEMENT)

function widenFloat16(bytes: Uint8Array, shape: Shape): HostTensor {
  return hostTensor('float32', shape, Float32Array.from(view(Uint16Array, bytes), fromFloat16))
}

/**
 * Returns a reader of floats of one byte (Micikevicius 2022, "FP8 formats for deep learning").
 * @param fraction bits of the fraction.
 * @param infinite whether the highest exponent means infinity and NaN. If not, only its last fraction is NaN.
 */
function widenFloat8(fraction: number, bias: number, infinite: boolean) {
  const values = Float32Array.from({ length: 256 }, (_, byte) => {
    const sign = byte >= 128 ? -1 : 1
    const magnitude = byte & 127
    const exponent = magnitude >> fraction
    const rest = magnitude & (2 ** fraction - 1)
    const highest = 2 ** (7 - fraction) - 1
    if (infinite && exponent === highest) return rest === 0 ? sign * Infinity : NaN
    if (!infinite && magnitude === 127) return NaN
    return exponent === 0
      ? sign * rest * 2 ** (1 - bias - fraction)
      : sign * (1 + rest / 2 ** fraction) * 2 ** (exponent - bias)
  })
  return (bytes: Uint8Array, shape: Shape): HostTensor =>
    hostTensor(
      'float32',
      shape,
      Float32Array.from(bytes, (byte) => values[byte]!),
    )
}

/** Reads bfloat16, which is the upper half of a float32. */
function widenBfloat16(bytes: Uint8Array, shape: Shape): HostTensor {
  const upper = view(Uint16Array, bytes)
  const bits = new Uint32Array(upper.length)
  for (let i = 0; i < upper.length; i++) bits[i] = upper[i]! << 16
  return hostTensor('float32', shape, new Float32Array(bits.buffer))
}

function narrowFloat64(bytes: Uint8Array, shape: Shape): HostTensor {
  const values = view(Float64Array, bytes)
  const data = new Float32Array(values)
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(data[i]!) && Number.isFinite(values[i]!))
      throw new Error(`element ${i} is ${values[i]}, out of float32's range`)
  return hostTensor('float32', shape, data)
}

function narrowInt64(bytes: Uint8Array, shape: Shape): HostTensor {
  const words = view(Int32Array, bytes)
  const data = new Int32Array(words.length / 2)
  for (let i = 0; i < data.length; i++) {
    const low = words[2 * i]!
    if (words[2 * i + 1] !== low >> 31)
      throw new Error(
        `element ${i} is ${(BigInt(words[2 * i + 1]!) << 32n) | BigInt(low >>> 0)}, out of int32's range`,
      )
    data[i] = low
  }
  return hostTensor('int32', shape, data)
}

function checkedBool(bytes: Uint8Array, shape: Shape): HostTensor {
  const data = view(Uint8Array, bytes)
  const wrong = data.findIndex((byte) => byte > 1)
  if (wrong >= 0) throw new Error(`element ${wrong} is the byte ${data[wrong]}, neither 0 nor 1`)
  return hostTensor('bool', shape, data)
}
