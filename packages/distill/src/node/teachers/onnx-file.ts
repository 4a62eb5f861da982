// What an ONNX file says before a runtime opens it: where its external data lies. Only the parts of the format (protobuf) that lead to
// tensors are read; https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
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

/** TensorProto.external_data: pairs of key and value. */
const EXTERNAL_DATA = 13

/**
 * The model and the files of its external data.
 * @throws UserError if the file is not a whole ONNX model.
 */
export function onnxFiles(file: string): string[] {
  const bytes = readFileSync(file)
  if (bytes.toString('latin1', 0, 40).startsWith('version https://git-lfs'))
    throw new UserError(
      `${file} is a Git LFS pointer of ${bytes.length} bytes, not the model it stands for`,
      'run "git lfs pull", or download the file from the hub',
    )
  const locations = new Set<string>()
  try {
    collect(bytes, 'model', locations)
  } catch (error) {
    throw new UserError(
      `${file} is not an ONNX model (${messageOf(error)})`,
      'check that the file was downloaded to its end',
    )
  }
  const data = [...locations].sort().map((location) => join(dirname(file), location))
  const missing = data.find((path) => !statSync(path, { throwIfNoEntry: false })?.isFile())
  if (missing !== undefined)
    throw new UserError(
      `${file} has its weights in ${missing}, which is not there`,
      'put the file of external data beside the model, under its own name',
    )
  return [file, ...data]
}

function collect(bytes: Buffer, message: Message, locations: Set<string>): void {
  for (const { field, content } of fieldsOf(bytes)) {
    if (!content) continue
    const child = children[message][field]
    if (child) collect(content, child, locations)
    if (message !== 'tensor' || field !== EXTERNAL_DATA) continue
    const texts = new Map(fieldsOf(content).map(({ field, content }) => [field, content]))
    if (texts.get(1)?.toString() === 'location') locations.add(texts.get(2)!.toString())
  }
}

interface Field {
  readonly field: number
  /** Entries of fields that have a length; numbers are skipped. */
  readonly content?: Buffer
}

function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error('it ends in the middle')
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  const sizes: Readonly<Record<number, number>> = { 1: 8, 5: 4 }
  while (at < bytes.length) {
    const key = varint()
    const [field, wire] = [Math.floor(key / 8), key % 8]
    if (wire === 0) {
      varint()
      fields.push({ field })
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
