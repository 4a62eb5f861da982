// The safetensors file format: bytes to host tensors and back. A file is a little-endian 64-bit header length N, N bytes of
// JSON (name -> dtype, shape, byte range), then the data. https://github.com/huggingface/safetensors
// Headers are treated as hostile: a whole header is checked before any entry is used. Callers open files themselves.

import { UserError } from '../errors.js'
import { bitsOf, isRead, storageOf, storages, type StorageType } from './safetensors-types.js'
import { formatType, sizeOf } from './tensor.js'
import type { HostTensor, Shape } from './tensor.js'

// Every platform has these two classes, but this package is compiled without the types of any platform.
declare const TextDecoder: new (
  encoding: 'utf-8',
  options: { fatal: true; ignoreBOM: true },
) => { decode(bytes: Uint8Array): string }
declare const TextEncoder: new () => { encode(text: string): Uint8Array }

export interface SafetensorsEntry {
  /** Element type by its name in the format. Types other than StorageType cannot be read. */
  readonly storage: string
  readonly shape: Shape
  /** Offset of the tensor's first byte from the start of the file. */
  readonly begin: number
  /** Offset behind the tensor's last byte. */
  readonly end: number
}

export interface SafetensorsHeader {
  /** Entries by tensor name, in the order of the data. */
  readonly entries: Map<string, SafetensorsEntry>
  readonly metadata: Record<string, string>
}

export interface SafetensorsFile {
  /** Tensors by name, in the order of the data. */
  readonly tensors: Map<string, HostTensor>
  readonly metadata: Record<string, string>
}

const lengthBytes = 8
/** Limit of the reference implementation. */
const maxHeaderBytes = 100_000_000

const metadataKey = '__metadata__'

/**
 * Reads all tensors of a safetensors file. F32, I32 and BOOL data is copied only if it is not aligned, so that tensors may share
 * memory with `bytes`. F16, BF16 and both F8 types are widened to float32, which is exact. F64 is rounded to the nearest float32,
 * and I64 becomes int32; a value out of range is an error. I8 and U8 become int32.
 * @throws UserError that names what is wrong with the file, and in which tensor.
 */
export function parseSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { entries, metadata } = parseSafetensorsHeader(bytes, bytes.length)
  const tensors = new Map<string, HostTensor>()
  for (const [name, entry] of entries)
    tensors.set(name, readSafetensor(name, entry, bytes.subarray(entry.begin, entry.end)))
  return { tensors, metadata }
}

/**
 * Returns the size of length and header, which are the bytes that `parseSafetensorsHeader` needs.
 * @param start at least the first 9 bytes of the file.
 * @param fileBytes size of the whole file.
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
 * Reads the header alone, for readers that fetch one tensor after another and pass each to `readSafetensor`.
 * @param bytes the start of the file, at least `safetensorsHeaderBytes` long.
 * @param fileBytes size of the whole file, which the tensors must fill exactly.
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
 * Reads one tensor. Types are converted as `parseSafetensors` converts them.
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
  // Not `slice`: Node's Buffer is a Uint8Array whose `slice` does not copy.
  const aligned = bytes.byteOffset % storage.bytes === 0 ? bytes : new Uint8Array(bytes)
  try {
    return storage.read(aligned, entry.shape)
  } catch (error) {
    return fail(`tensor ${show(name)} (${entry.storage}): ${(error as Error).message}`)
  }
}

/**
 * Returns the bytes of a safetensors file with these tensors. The order of tensors and metadata does not change the bytes: tensors
 * are sorted by element size, largest first, then by name. Spaces pad the header, so that every tensor is aligned.
 * @throws UserError if a name or metadata key cannot be written, or if a tensor's data does not fit its shape.
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
 * Returns the start of a safetensors file, for writers that stream: they write `bytes`, then the data of `entries` in their order.
 * `fileBytes` is the size of the whole file.
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
  const bits = bitsOf(dtype)
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

/**
 * Refuses headers with equal keys. JSON.parse keeps the last of them and other readers may keep the first, so that two readers
 * would see different tensors.
 */
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

/** Refuses files of other formats that are often taken for safetensors, by name. Their byte 8 is not the "{" of a header. */
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

/** Returns a value of the header for an error message, shortened to 80 characters. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing'
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

function fail(message: string): never {
  throw new UserError(`safetensors: ${message}`)
}
