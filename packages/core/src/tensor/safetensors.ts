// The safetensors file format: bytes to host tensors and back. A file is a little-endian 64-bit header length N, N bytes of
// JSON (name -> dtype, shape, byte range), then the data. https://github.com/huggingface/safetensors
// A header is treated as hostile: all of it is checked before any of it is used. Opening files is the caller's business.

import { UserError } from '../errors.js'
import { fromFloat16 } from './float16.js'
import { formatType, hostTensor, sizeOf } from './tensor.js'
import type { DType, HostTensor, Shape } from './tensor.js'

// Every platform of this package has these two; its types know no platform.
declare const TextDecoder: new (
  encoding: 'utf-8',
  options: { fatal: true; ignoreBOM: true },
) => { decode(bytes: Uint8Array): string }
declare const TextEncoder: new () => { encode(text: string): Uint8Array }

/** The format's name of an element type that is read here. */
export type StorageType =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'F8_E4M3'
  | 'F8_E5M2'
  | 'I64'
  | 'I32'
  | 'BOOL'

export interface SafetensorsEntry {
  /** The format's name of the element type; types other than StorageType cannot be read. */
  readonly storage: string
  readonly shape: Shape
  /** Where the tensor's bytes are, counted from the start of the file; `end` is exclusive. */
  readonly begin: number
  readonly end: number
}

export interface SafetensorsHeader {
  /** By name, in the order of the data. */
  readonly entries: Map<string, SafetensorsEntry>
  readonly metadata: Record<string, string>
}

export interface SafetensorsFile {
  /** By name, in the order of the data. */
  readonly tensors: Map<string, HostTensor>
  readonly metadata: Record<string, string>
}

const lengthBytes = 8
/** The reference implementation's limit. */
const maxHeaderBytes = 100_000_000

const metadataKey = '__metadata__'

const storageOf: Record<DType, StorageType> = {
  float32: 'F32',
  float16: 'F16',
  int32: 'I32',
  bool: 'BOOL',
}

interface Storage {
  readonly bytes: number
  /** `bytes` starts at a multiple of the element size. */
  read(bytes: Uint8Array, shape: Shape): HostTensor
}

const storages: Record<StorageType, Storage> = {
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
  BOOL: { bytes: 1, read: checkedBool },
}

/** Bits of an element of the types that are not read, for the check of a header. Types unknown here are not checked. */
const otherBits = new Map([
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['F8_E8M0', 8],
  ['I8', 8],
  ['U8', 8],
  ['I16', 16],
  ['U16', 16],
  ['U32', 32],
  ['U64', 64],
  ['C64', 64],
])

const isRead = (storage: string): storage is StorageType => Object.hasOwn(storages, storage)

/**
 * All tensors of a safetensors file. F32, I32 and BOOL data is not copied where its position allows, so the tensors may share
 * memory with `bytes`. F16, BF16 and both F8 are widened to float32, which is exact. F64 becomes the nearest float32 and I64 becomes
 * int32; a value out of range is an error.
 * @throws an Error that names the fault of the file, and the tensor that has it, if one has.
 */
export function parseSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { entries, metadata } = parseSafetensorsHeader(bytes, bytes.length)
  const tensors = new Map<string, HostTensor>()
  for (const [name, entry] of entries)
    tensors.set(name, readSafetensor(name, entry, bytes.subarray(entry.begin, entry.end)))
  return { tensors, metadata }
}

/**
 * How many bytes of a file of `fileBytes` bytes are length and header, which is what `parseSafetensorsHeader` needs.
 * @param start the first 9 bytes of the file, or more of them.
 */
export function safetensorsHeaderBytes(start: Uint8Array, fileBytes: number): number {
  if (fileBytes < lengthBytes + 2)
    fail(`a file has at least ${lengthBytes + 2} bytes, this one has ${fileBytes}`)
  if (start.length < lengthBytes + 1)
    fail(`the first ${lengthBytes + 1} bytes are needed to find the header, got ${start.length}`)
  if (start[lengthBytes] !== 0x7b) refuseOtherFormats(start)
  const lengthField = new DataView(start.buffer, start.byteOffset, lengthBytes)
  const length = lengthField.getBigUint64(0, true)
  if (length > BigInt(maxHeaderBytes))
    fail(`the header claims ${length} bytes, more than the ${maxHeaderBytes} the format allows`)
  const headerBytes = lengthBytes + Number(length)
  if (headerBytes > fileBytes)
    fail(`the header claims ${length} bytes, but the file ends after ${fileBytes}: it is truncated`)
  if (start[lengthBytes] !== 0x7b) fail('the header does not start with "{"')
  return headerBytes
}

/**
 * The header alone, for readers that fetch tensors one by one (each with `readSafetensor`).
 * @param bytes the file from its start, at least as far as `safetensorsHeaderBytes` says.
 * @param fileBytes the size of the whole file: the tensors must fill it exactly.
 */
export function parseSafetensorsHeader(bytes: Uint8Array, fileBytes: number): SafetensorsHeader {
  const headerBytes = safetensorsHeaderBytes(bytes, fileBytes)
  if (bytes.length < headerBytes)
    fail(`length and header take ${headerBytes} bytes, got the first ${bytes.length}`)
  const header = parseJson(bytes.subarray(lengthBytes, headerBytes))

  const metadata: Record<string, string> = {}
  const unordered: [string, SafetensorsEntry][] = []
  for (const [name, value] of Object.entries(header)) {
    if (name !== metadataKey) {
      unordered.push([name, parseEntry(name, value, headerBytes, fileBytes)])
      continue
    }
    if (!isObject(value)) fail(`${metadataKey} must be an object of strings, is ${show(value)}`)
    for (const [key, text] of Object.entries(value)) {
      if (typeof text !== 'string')
        fail(`${metadataKey} ${show(key)} must be a string, is ${show(text)}`)
      metadata[key] = text
    }
  }

  unordered.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)
  let end = headerBytes
  let previous = 'the header'
  for (const [name, entry] of unordered) {
    if (entry.begin < end) fail(`the data of tensor ${show(name)} overlaps that of ${previous}`)
    if (entry.begin > end)
      fail(`${entry.begin - end} bytes after ${previous} belong to no tensor: the data has a hole`)
    end = entry.end
    previous = `tensor ${show(name)}`
  }
  if (end !== fileBytes)
    fail(`${fileBytes - end} bytes after ${previous}, at the end, belong to no tensor`)
  return { entries: new Map(unordered), metadata }
}

/**
 * One tensor from its bytes, converted as `parseSafetensors` says.
 * @param bytes the file's bytes from `entry.begin` to `entry.end`, at any alignment.
 */
export function readSafetensor(
  name: string,
  entry: SafetensorsEntry,
  bytes: Uint8Array,
): HostTensor {
  const expected = entry.end - entry.begin
  if (bytes.length !== expected)
    fail(`tensor ${show(name)} has ${expected} bytes, got ${bytes.length}`)
  if (!isRead(entry.storage))
    return fail(
      `tensor ${show(name)} has dtype ${show(entry.storage)}; those read are ${Object.keys(storages).join(', ')}: convert it before saving`,
    )
  const storage = storages[entry.storage]
  // Not `slice`: that of Node's Buffer, a Uint8Array too, does not copy.
  const aligned = bytes.byteOffset % storage.bytes === 0 ? bytes : new Uint8Array(bytes)
  try {
    return storage.read(aligned, entry.shape)
  } catch (error) {
    return fail(`tensor ${show(name)} (${entry.storage}): ${(error as Error).message}`)
  }
}

/**
 * A safetensors file of `tensors`. The same tensors and metadata give the same bytes whatever their order: larger elements come
 * first, then names count (by UTF-16 code unit); the header is padded with spaces, so that every tensor is aligned.
 * @throws if a name or metadata key cannot be written, or a tensor's data does not have its shape.
 */
export function formatSafetensors(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const types = new Map<string, { storage: StorageType; shape: Shape }>()
  for (const [name, { dtype, shape, data }] of tensors) {
    if (data.length !== sizeOf(shape))
      fail(`tensor ${show(name)} is ${formatType({ dtype, shape })} with ${data.length} elements`)
    types.set(name, { storage: storageOf[dtype], shape })
  }
  const header = formatSafetensorsHeader(types, metadata)
  const bytes = new Uint8Array(header.fileBytes)
  bytes.set(header.bytes)
  for (const [name, { begin }] of header.entries) {
    const { data } = tensors.get(name)!
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), begin)
  }
  return bytes
}

/**
 * Length and header of a safetensors file, for writers that stream: `bytes` first, then the data of `entries` in their order.
 * @returns also the size the whole file will have.
 */
export function formatSafetensorsHeader(
  tensors: ReadonlyMap<string, { readonly storage: StorageType; readonly shape: Shape }>,
  metadata: Readonly<Record<string, string>> = {},
): {
  bytes: Uint8Array<ArrayBuffer>
  entries: Map<string, SafetensorsEntry>
  fileBytes: number
} {
  const sorted = [...tensors].sort(
    ([a, { storage: x }], [b, { storage: y }]) =>
      storages[y].bytes - storages[x].bytes || (a < b ? -1 : 1),
  )
  const header: Record<string, unknown> = {}
  const pairs = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [key] of pairs) refuseUnsafeKey(key)
  if (pairs.length > 0) header[metadataKey] = Object.fromEntries(pairs)
  let position = 0
  for (const [name, { storage, shape }] of sorted) {
    refuseUnsafeKey(name)
    if (name === metadataKey) fail(`${metadataKey} is the format's own word, not a tensor name`)
    const begin = position
    position += sizeOf(shape) * storages[storage].bytes
    header[name] = { dtype: storage, shape, data_offsets: [begin, position] }
  }

  const json = new TextEncoder().encode(JSON.stringify(header))
  const headerBytes = lengthBytes + Math.ceil(json.length / 8) * 8
  if (headerBytes - lengthBytes > maxHeaderBytes)
    fail(`the header would take ${headerBytes} bytes, more than the ${maxHeaderBytes} allowed`)
  const bytes = new Uint8Array(headerBytes).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes - lengthBytes), true)
  bytes.set(json, lengthBytes)

  const entries = new Map<string, SafetensorsEntry>()
  let begin = headerBytes
  for (const [name, { storage, shape }] of sorted) {
    const end = begin + sizeOf(shape) * storages[storage].bytes
    entries.set(name, { storage, shape, begin, end })
    begin = end
  }
  return { bytes, entries, fileBytes: begin }
}

function parseEntry(
  name: string,
  value: unknown,
  headerBytes: number,
  fileBytes: number,
): SafetensorsEntry {
  const at = `tensor ${show(name)}`
  if (!isObject(value)) return fail(`${at} must be an object, is ${show(value)}`)
  const { dtype, shape, data_offsets: offsets } = value
  if (typeof dtype !== 'string') return fail(`${at} has dtype ${show(dtype)}, which is no name`)
  if (!Array.isArray(shape) || !shape.every(isCount))
    return fail(`${at} must have a shape of whole numbers, has ${show(shape)}`)
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    return fail(`${at} must have two whole numbers as data_offsets, has ${show(offsets)}`)
  const [begin, end] = offsets as [number, number]
  const dataBytes = fileBytes - headerBytes
  if (begin > end) fail(`${at} has data_offsets ${begin}, ${end}: it ends before it begins`)
  if (end > dataBytes)
    fail(
      `${at} ends at byte ${end} of the data, but the file has ${dataBytes}: it is truncated, or its header wrong`,
    )
  const bits = isRead(dtype) ? 8 * storages[dtype].bytes : otherBits.get(dtype)
  const bytes = bits === undefined ? end - begin : (sizeOf(shape) * bits) / 8
  if (bytes !== end - begin)
    fail(`${at} is ${dtype} of shape ${show(shape)}, ${bytes} bytes, but has ${end - begin}`)
  return { storage: dtype, shape, begin: headerBytes + begin, end: headerBytes + end }
}

function parseJson(bytes: Uint8Array): Record<string, unknown> {
  let json: string
  try {
    json = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return fail('the header is not valid UTF-8')
  }
  let header: Record<string, unknown>
  try {
    header = JSON.parse(json) as Record<string, unknown> // an object, as it starts with "{"
  } catch (error) {
    return fail(`the header is not valid JSON (${(error as Error).message.slice(0, 120)})`)
  }
  refuseAmbiguousKeys(json)
  return header
}

/** JSON.parse keeps the last of several equal keys without a word, so that two readers could see two different files. */
function refuseAmbiguousKeys(validJson: string): void {
  const keysOfOpenObjects: Set<string>[] = []
  for (let i = 0; i < validJson.length; i++) {
    const character = validJson[i]
    if (character === '{') keysOfOpenObjects.push(new Set())
    else if (character === '}') keysOfOpenObjects.pop()
    else if (character === '"') {
      const start = i++
      while (validJson[i] !== '"') i += validJson[i] === '\\' ? 2 : 1
      let next = i + 1
      while (' \t\n\r'.includes(validJson[next] ?? ':')) next++
      if (validJson[next] !== ':') continue
      const key = JSON.parse(validJson.slice(start, i + 1)) as string
      const keys = keysOfOpenObjects.at(-1)!
      refuseUnsafeKey(key)
      if (keys.has(key)) fail(`the header has the key ${show(key)} twice in one object`)
      keys.add(key)
    }
  }
}

function refuseUnsafeKey(key: string): void {
  if (key === '__proto__') fail('"__proto__" is no name for a tensor or metadata')
}

/** What people hand over instead, told by its first bytes. Only asked where byte 8 is not the "{" of a safetensors header. */
function refuseOtherFormats(start: Uint8Array): void {
  const text = String.fromCharCode(...start.subarray(0, lengthBytes))
  const pickled =
    'loading one can run any code it carries, so it is not read: save the model again as safetensors'
  if (text.startsWith('PK\x03\x04'))
    fail(
      `this is a zip archive, as torch.save writes (.bin, .pt, .pth), of pickled data; ${pickled}`,
    )
  if (start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5)
    fail(`this is a Python pickle, as torch.save used to write (.bin, .pt, .pth); ${pickled}`)
  if (text === 'version ')
    fail('this looks like a Git LFS pointer, not the file it stands for: run "git lfs pull"')
  if (text.trimStart().startsWith('{'))
    fail('this is JSON; of a sharded checkpoint give the .safetensors files, not their index')
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0

/** A value of the header, as it is shown in an error: never long. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing'
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

function fail(message: string): never {
  throw new UserError(`safetensors: ${message}`)
}

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
 * Floats of one byte (Micikevicius 2022, "FP8 formats for deep learning").
 * @param fraction bits of the fraction. @param infinite the highest exponent means infinities and NaN; otherwise only its last value
 * is NaN.
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

/** bfloat16 is the upper half of a float32. */
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
