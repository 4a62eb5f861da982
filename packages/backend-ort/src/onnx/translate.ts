// Translates a planned graph to an ONNX model: names the graph's values and calls one emitter for each node. The emitters
// choose the operators; they are in emitters.ts and devices/.
import {
  printNode,
  scopeOf,
  sizeOf,
  type Graph,
  type Node,
  type TensorType,
  type ValueId,
} from '@embed-kd/core'
import type { Emitter, Emitters } from './emitter.js'
import type { FactoredGraph, Factors } from './factors.js'
import { ModelBuilder, type ValueType } from './model.js'

export interface Translation {
  readonly model: Uint8Array
  /** Names of the graph's inputs that the model has; no node reads the others. */
  readonly inputs: ReadonlySet<string>
}

/** Prefixes the name of a graph's input: an input and an output may share a name in a graph (donation), but not in ONNX. */
export const inputName = (name: string) => `in:${name}`
/** Prefixes the name of a graph's output, so that no input of the ONNX model has the same name. */
export const outputName = (name: string) => `out:${name}`

/** Names and types of the model's inputs and outputs. */
export interface Interface {
  inputName(name: string): string
  outputName(name: string): string
  typeOf(type: TensorType): ValueType
  /** Whether `ModelBuilder.shape` hides the shapes of large results (default: false). */
  readonly hidesShapes?: boolean
}

export const ownInterface: Interface = { inputName, outputName, typeOf: (type) => type }

const noFactors: Factors = { product: 1, bias: 1 }

const isEmpty = ({ shape }: TensorType) => sizeOf(shape) === 0

/**
 * Translates a graph to an encoded ONNX model.
 * @throws if an op has no emitter; `lower` should have decomposed the op.
 */
export function translate(
  { graph, factors }: FactoredGraph,
  emitters: Emitters,
  { inputName, outputName, typeOf, hidesShapes }: Interface = ownInterface,
): Translation {
  const model = new ModelBuilder(graph.name, hidesShapes)
  const read = new Set<ValueId>([
    ...graph.nodes.flatMap((node) => node.inputs),
    ...graph.outputs.map((output) => output.value),
  ])
  const inputs = graph.inputs.filter((input) => read.has(input.value))
  const names = new Map<ValueId, string>()
  for (const { name, value } of inputs) {
    names.set(value, inputName(name))
    model.input(inputName(name), typeOf(graph.types[value]!))
  }

  // A value is called after the first output it is; all further ones, and inputs passed through, are copies.
  const copies = graph.outputs.filter(({ name, value }) => {
    model.output(outputName(name), typeOf(graph.types[value]!))
    if (names.has(value)) return true
    names.set(value, outputName(name))
    return false
  })
  // Further outputs that nothing reads are left out of the node; its first must have a name.
  for (const node of graph.nodes)
    node.outputs.forEach((value, i) => {
      if (!names.has(value)) names.set(value, i === 0 || read.has(value) ? `v${value}` : '')
    })

  /** Copies a tensor to another name; Reshape is the one operator that takes every type on every device. */
  const copy = (from: string, type: TensorType, to: string) =>
    emitters.reshape(model, {
      attrs: { shape: type.shape },
      factors: noFactors,
      inputs: [from],
      inputTypes: [type],
      outputs: [to],
      outputTypes: [type],
    })
  for (const node of graph.nodes) {
    model.scope = scopeOf(node.place)
    const types = node.outputs.map((value) => graph.types[value]!)
    if (types.every(isEmpty))
      // No operator needs to be asked for a tensor without elements, and some refuse to make one.
      node.outputs.forEach((value, i) => {
        const { dtype, shape } = types[i]!
        const name = names.get(value)!
        if (name) copy(model.tensor(dtype, shape, new Uint8Array()), types[i]!, name)
      })
    else emit(model, graph, node, emitters, names, factors.get(node))
  }
  for (const { name, value } of copies)
    copy(names.get(value)!, graph.types[value]!, outputName(name))
  return { model: model.encode(), inputs: new Set(inputs.map((input) => input.name)) }
}

function emit(
  model: ModelBuilder,
  graph: Graph,
  node: Node,
  emitters: Emitters,
  names: ReadonlyMap<ValueId, string>,
  factors: Factors = noFactors,
): void {
  const emitter = (emitters as Partial<Record<string, unknown>>)[node.op] as Emitter | undefined
  if (!emitter) throw new Error(`ort has no operator for ${printNode(graph, node)}`)
  emitter(model, {
    attrs: node.attrs,
    factors,
    inputs: node.inputs.map((value) => names.get(value)!),
    inputTypes: node.inputs.map((value) => graph.types[value]!),
    outputs: node.outputs.map((value) => names.get(value)!),
    outputTypes: node.outputs.map((value) => graph.types[value]!),
  })
}
