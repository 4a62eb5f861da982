// Runs a graph node by node with the reference kernels: what every other way of running it is compared with.
import { lastUses, type Graph, type Node, type ValueId } from '../graph/graph.js'
import type { OpName, ops } from '../graph/ops.js'
import { printNode } from '../graph/print.js'
import { formatType, sameType, sizeOf, type HostTensor } from '../tensor/tensor.js'
import { composites } from './composites.js'
import { elementwise, type Kernel, type Kernels } from './elementwise.js'
import { layout } from './layout.js'
import { reductions } from './reductions.js'
import { referenceTensor, widen, type ReferenceTensor } from './tensor.js'

/** One definition for each op; an op without one does not compile. */
export const kernels: Kernels<keyof typeof ops> = {
  ...elementwise,
  ...layout,
  ...reductions,
  ...composites,
}

/** The values of the outputs, in the graph's order. An intermediate is dropped after the last node that reads it. */
export function interpret(
  graph: Graph,
  inputs: readonly ReferenceTensor[],
  table: Kernels<OpName> = kernels,
): ReferenceTensor[] {
  const values = new Map<ValueId, ReferenceTensor>()
  graph.inputs.forEach(({ value }, i) => values.set(value, inputs[i]!))
  const last = lastUses(graph)
  graph.nodes.forEach((node, index) => {
    for (const [value, tensor] of evaluateNode(graph, node, values, table))
      if (last[value] !== -1) values.set(value, tensor)
    for (const value of node.inputs) if (last[value] === index) values.delete(value)
  })
  return graph.outputs.map(({ value }) => values.get(value)!)
}

function evaluateNode(
  graph: Graph,
  node: Node,
  values: ReadonlyMap<ValueId, ReferenceTensor>,
  table: Kernels<OpName>,
): [ValueId, ReferenceTensor][] {
  const kernel = table[node.op] as Kernel<OpName>
  const types = node.outputs.map((value) => graph.types[value]!)
  const data = kernel(
    node.inputs.map((value) => values.get(value)!),
    node.attrs,
    types,
  )
  return types.map((type, i) => {
    if (data[i]?.length !== sizeOf(type.shape))
      throw new Error(
        `the kernel of ${node.op} made ${data[i]?.length} elements for ${formatType(type)}\n` +
          `  in ${printNode(graph, node)}`,
      )
    return [node.outputs[i]!, referenceTensor(type, data[i]!)]
  })
}

/**
 * Runs a graph in float64 on the host; inputs and outputs go by name. Inputs may be float64 too (a ReferenceTensor), as finite
 * differences need.
 * @throws where an input is missing or has another type than the graph says.
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
    return given.data instanceof Float32Array
      ? widen(given as HostTensor)
      : (given as ReferenceTensor)
  })
  const outputs = interpret(graph, tensors)
  return Object.fromEntries(graph.outputs.map(({ name }, i) => [name, outputs[i]!]))
}
