// Runs a graph node by node with the reference kernels. All backends are compared with these results.
import { lastUses, type Graph, type Node, type ValueId } from '../graph/graph.js'
import type { OpName } from '../graph/ops.js'
import { printNode } from '../graph/print.js'
import { formatType, sameType, sizeOf, type HostTensor, type TensorType } from '../tensor/tensor.js'
import type { Kernel, Kernels } from './kernel.js'
import { kernels } from './kernels.js'
import { referenceTensor, widen, type ReferenceTensor } from './tensor.js'

/** Computes the outputs of a node from its inputs. `types` are the types of the outputs. */
export type Apply<T> = (
  node: Node,
  inputs: readonly T[],
  types: readonly TensorType[],
) => readonly T[]

/**
 * Applies every node of a graph to values of any kind, and returns the values of the graph's outputs in their order.
 * An intermediate value is dropped after the last node that reads it.
 */
export function interpret<T>(graph: Graph, inputs: readonly T[], apply: Apply<T>): T[] {
  const values = new Map<ValueId, T>()
  graph.inputs.forEach(({ value }, i) => values.set(value, inputs[i]!))
  const last = lastUses(graph)
  graph.nodes.forEach((node, index) => {
    const made = apply(
      node,
      node.inputs.map((value) => values.get(value)!),
      node.outputs.map((value) => graph.types[value]!),
    )
    node.outputs.forEach((value, i) => last[value] !== -1 && values.set(value, made[i]!))
    for (const value of node.inputs) if (last[value] === index) values.delete(value)
  })
  return graph.outputs.map(({ value }) => values.get(value)!)
}

/** Returns a function that computes nodes with the kernels of a table. */
export const byKernels =
  (graph: Graph, table: Kernels<OpName> = kernels): Apply<ReferenceTensor> =>
  (node, inputs, types) => {
    const data = (table[node.op] as Kernel<OpName>)(inputs, node.attrs, types)
    return types.map((type, i) => {
      if (data[i]?.length !== sizeOf(type.shape))
        throw new Error(
          `the kernel of ${node.op} made ${data[i]?.length} elements for ${formatType(type)}\n` +
            `  in ${printNode(graph, node)}`,
        )
      return referenceTensor(type, data[i]!)
    })
  }

/**
 * Runs a graph in float64 on the host, and returns its outputs by name. Inputs may be float64 (a ReferenceTensor), since finite
 * differences need more digits than float32 has.
 * @throws Error if an input is missing, or if its type or length differs from the graph's.
 */
export function evaluate(
  graph: Graph,
  inputs: Readonly<Record<string, HostTensor | ReferenceTensor>>,
): Record<string, ReferenceTensor> {
  const tensors = graph.inputs.map(({ name, value }) => {
    const type = graph.types[value]!
    const given = inputs[name]
    if (!given || !sameType(given, type))
      throw new Error(
        `graph ${graph.name}: input ${name} is ${formatType(type)}, ` +
          (given ? `${formatType(given)} was given` : 'and was not given'),
      )
    if (given.data.length !== sizeOf(type.shape))
      throw new Error(
        `graph ${graph.name}: input ${name} is ${formatType(type)}, ${given.data.length} elements were given`,
      )
    return given.data instanceof Float64Array
      ? (given as ReferenceTensor)
      : widen(given as HostTensor)
  })
  const outputs = interpret(graph, tensors, byKernels(graph))
  return Object.fromEntries(graph.outputs.map(({ name }, i) => [name, outputs[i]!]))
}
