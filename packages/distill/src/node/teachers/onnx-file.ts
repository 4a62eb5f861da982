// What an ONNX file says before a runtime opens it: where its external data lies, and how many parameters it has. Only the parts of the
// format (protobuf) that lead to tensors are read; https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
import { readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { UserError, messageOf } from '@embed-kd/core'

/** Messages by the numbers of the fields that lead from one to another. */
type Message = 'model' | 'graph' | 'node' | 'attribute' | 'tensor' | 'sparse' | 'function'

const children: Record<Message, Readonly<Record<number, Message>>> = {
  model: { 7: 'graph', 25: 'function' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  function: { 7: 'node' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  tensor: {},
}

/** Fields of TensorProto; external data are pairs of key and value. */
const DIMS = 1
const DATA_TYPE = 2
const EXTERNAL_DATA = 13
/** Element types of weights: float, uint8, int8, float16, double and bfloat16. Other integers are shapes and axes. */
const WEIGHT_TYPES: readonly number[] = [1, 2, 3, 10, 11, 16]

export interface OnnxContents {
  /** The model and the files of its external data. */
  readonly files: readonly string[]
  /** Number of elements of all weights. */
  readonly parameterCount: number
}

/**
 * Reads what an ONNX file holds.
 * @throws UserError if the file is not a whole ONNX model.
 */
export function readOnnxFile(file: string): OnnxContents {
  const found = search(file)
  const data = [...found.locations].sort().map((location) => join(dirname(file), location))
  const missing = data.find((path) => !statSync(path, { throwIfNoEntry: false })?.isFile())
  if (missing !== undefined)
    throw new UserError(
      `${file} has its weights in ${missing}, which is not there`,
      'put the file of external data beside the model, under its own name',
    )
  for (const path of data)
    if (statSync(path).size < LARGEST_POINTER) checkPointer(path, readFileSync(path))
  return { files: [file, ...data], parameterCount: found.parameters }
}

/**
 * Returns the names of the files with a model's external data, relative to its directory.
 * @throws UserError if the file is not an ONNX model.
 */
export const externalData = (file: string): ReadonlySet<string> => search(file).locations

function search(file: string): Found {
  const bytes = readFileSync(file)
  checkPointer(file, bytes)
  const found: Found = { locations: new Set(), parameters: 0 }
  try {
    collect(bytes, 'model', found)
  } catch (error) {
    throw new UserError(
      `${file} is not an ONNX model (${messageOf(error)})`,
      'check that the file was downloaded to its end',
    )
  }
  return found
}

/** Bytes that no pointer of Git LFS reaches. */
const LARGEST_POINTER = 1024

/** @throws UserError if Git LFS left a pointer in place of a file. */
function checkPointer(file: string, bytes: Buffer): void {
  if (bytes.toString('latin1', 0, 40).startsWith('version https://git-lfs'))
    throw new UserError(
      `${file} is a Git LFS pointer of ${bytes.length} bytes, not the file it stands for`,
      'run "git lfs pull", or download the file from the hub',
    )
}

interface Found {
  readonly locations: Set<string>
  parameters: number
}

function collect(bytes: Buffer, message: Message, found: Found): void {
  const fields = fieldsOf(bytes)
  if (message === 'tensor') found.parameters += weightsOf(fields)
  for (const { field, content } of fields) {
    if (!content) continue
    const child = children[message][field]
    if (child) collect(content, child, found)
    if (message !== 'tensor' || field !== EXTERNAL_DATA) continue
    const texts = new Map(fieldsOf(content).map(({ field, content }) => [field, content]))
    if (texts.get(1)?.toString() === 'location') found.locations.add(texts.get(2)!.toString())
  }
}

/** Number of elements of a tensor of weights; 0 for other tensors. */
function weightsOf(fields: readonly Field[]): number {
  const type = fields.find(({ field }) => field === DATA_TYPE)?.value ?? 0
  if (!WEIGHT_TYPES.includes(type)) return 0
  const axes = fields
    .filter(({ field }) => field === DIMS)
    .flatMap(({ value, content }) => (content ? packedNumbers(content) : [value ?? 0]))
  return axes.reduce((product, axis) => product * axis, 1)
}

interface Field {
  readonly field: number
  /** Value of a field that is one whole number. */
  readonly value?: number
  /** Bytes of a field that has a length. */
  readonly content?: Buffer
}

/** Reads a whole number at `at`, and returns it with the position after it. @throws if the bytes end before the number does. */
function readVarint(bytes: Buffer, at: number): { value: number; end: number } {
  let value = 0
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[at++]
    if (byte === undefined) throw new Error('it ends in the middle')
    value += (byte & 127) * factor
    if (byte < 128) return { value, end: at }
  }
}

function packedNumbers(bytes: Buffer): number[] {
  const values: number[] = []
  for (let at = 0; at < bytes.length;) {
    const { value, end } = readVarint(bytes, at)
    values.push(value)
    at = end
  }
  return values
}

function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = []
  let at = 0
  const varint = (): number => {
    const { value, end } = readVarint(bytes, at)
    at = end
    return value
  }
  const sizes: Readonly<Record<number, number>> = { 1: 8, 5: 4 }
  while (at < bytes.length) {
    const key = varint()
    const [field, wire] = [Math.floor(key / 8), key % 8]
    if (wire === 0) {
      fields.push({ field, value: varint() })
      continue
    }
    const length = wire === 2 ? varint() : sizes[wire]
    if (length === undefined || field === 0) throw new Error(`byte ${at - 1} begins no field`)
    if (at + length > bytes.length) throw new Error('it ends in the middle')
    fields.push(wire === 2 ? { field, content: bytes.subarray(at, at + length) } : { field })
    at += length
  }
  return fields
}
