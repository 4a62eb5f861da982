// Reads from an encoded ONNX model what a plan of its memory needs: its nodes in order, and the names around them. It can also
// encode the model again with other inputs and outputs. Everything else of ONNX is skipped.
import { Message } from './protobuf.js'

export interface ReadNode {
  readonly op: string
  readonly name: string
  /** Names of values; empty if an optional one is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

export interface ReadModel {
  readonly nodes: readonly ReadNode[]
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Names and encoded sizes of the model's constants. */
  readonly initializers: ReadonlyMap<string, number>
}

/** Field numbers of onnx.proto. */
const MODEL_GRAPH = 7
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12 } as const
const NODE = { input: 1, output: 2, name: 3, op: 4 } as const
const TENSOR = { name: 8, raw: 9 } as const
const VALUE_NAME = 1

type Field = readonly [number: number, value: number | Uint8Array]

/** Yields the fields of a message: numbers for integers, bytes for everything else. */
function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0
  const varint = () => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  const take = (length: number) => bytes.subarray(at, (at += length))
  while (at < bytes.length) {
    const tag = varint()
    const wire = tag & 7
    const fixed = { 1: 8, 5: 4 }[wire]
    yield [Math.floor(tag / 8), wire === 0 ? varint() : take(fixed ?? varint())]
  }
}

const utf8 = new TextDecoder()

/** Returns the texts of one field of a message. */
const textsOf = (message: Uint8Array, field: number): string[] =>
  [...fieldsOf(message)].flatMap(([number, value]) =>
    number === field && typeof value !== 'number' ? [utf8.decode(value)] : [],
  )

/** Returns the messages of one field of a message. */
const messagesOf = (message: Uint8Array, field: number): Uint8Array[] =>
  [...fieldsOf(message)].flatMap(([number, value]) =>
    number === field && typeof value !== 'number' ? [value] : [],
  )

const nameOf = (message: Uint8Array, field: number) => textsOf(message, field)[0] ?? ''

/** Reads an encoded model whose constants are raw data, as `ModelBuilder` and ONNX Runtime write them. */
export function readModel(model: Uint8Array): ReadModel {
  const [graph] = messagesOf(model, MODEL_GRAPH) as [Uint8Array]
  return {
    nodes: messagesOf(graph, GRAPH.node).map((node) => ({
      op: nameOf(node, NODE.op),
      name: nameOf(node, NODE.name),
      inputs: textsOf(node, NODE.input),
      outputs: textsOf(node, NODE.output),
    })),
    inputs: messagesOf(graph, GRAPH.input).map((input) => nameOf(input, VALUE_NAME)),
    outputs: messagesOf(graph, GRAPH.output).map((output) => nameOf(output, VALUE_NAME)),
    initializers: new Map(
      messagesOf(graph, GRAPH.initializer).map((tensor) => [
        nameOf(tensor, TENSOR.name),
        messagesOf(tensor, TENSOR.raw)[0]?.length ?? 0,
      ]),
    ),
  }
}

/**
 * Encodes a model again with outputs of these names, whose types the runtime infers.
 * @param keepsInput whether an input of the model stays.
 */
export function withOutputs(
  model: Uint8Array,
  outputs: Iterable<string>,
  keepsInput: (name: string) => boolean,
): Uint8Array {
  const result = new Message()
  for (const [number, value] of fieldsOf(model))
    if (typeof value === 'number') result.int(number, value)
    else if (number !== MODEL_GRAPH) result.bytes(number, value)
    else {
      const graph = new Message()
      for (const [field, part] of fieldsOf(value)) {
        if (typeof part === 'number') graph.int(field, part)
        else if (
          field === GRAPH.input ? keepsInput(nameOf(part, VALUE_NAME)) : field !== GRAPH.output
        )
          graph.bytes(field, part)
      }
      for (const name of outputs)
        graph.message(GRAPH.output, new Message().string(VALUE_NAME, name))
      result.message(number, graph)
    }
  return result.finish()
}
