// The executable spec of a graph: well-formedness and every op's contract, checked after each pass in tests.
import { formatType, sameType, type DType } from '../tensor/tensor.js'
import type { Graph, Node, ValueId } from './graph.js'
import { ContractError } from './contracts.js'
import { inferTypes, ops } from './ops.js'
import { printNode } from './print.js'

/**
 * Checks that every value is made once and before its use, that every node keeps its op's contract and has the
 * types its shape rule gives, and that donated inputs are replaced by outputs of their name and type.
 * @param on what runs it, whose dtypes then are all that it may have.
 * @throws ContractError naming the graph and the offending node.
 */
export function verify(graph: Graph, on?: { readonly dtypes: readonly DType[] }): Graph {
  const fail = (message: string, node?: Node): never => {
    throw new ContractError(
      `graph ${graph.name}: ${message}${node ? `\n  in ${printNode(graph, node)}` : ''}`,
    )
  }
  const made = new Set<ValueId>()
  const make = (value: ValueId, node?: Node) => {
    if (made.has(value)) fail(`%${value} is made twice`, node)
    const type = graph.types[value]
    if (!type) return fail(`%${value} has no type`, node)
    if (on && !on.dtypes.includes(type.dtype))
      fail(`%${value} is ${type.dtype}, this backend has ${on.dtypes.join(', ')}`, node)
    made.add(value)
  }
  const unique = (names: readonly string[], kind: string) =>
    names.forEach((name, i) => {
      if (names.indexOf(name) !== i) fail(`two ${kind} are called ${name}`)
    })

  unique(
    graph.inputs.map((input) => input.name),
    'inputs',
  )
  unique(
    graph.outputs.map((output) => output.name),
    'outputs',
  )
  for (const { value } of graph.inputs) make(value)
  for (const node of graph.nodes) {
    if (!(node.op in ops)) fail(`there is no op ${String(node.op)}`, node)
    for (const value of node.inputs)
      if (!made.has(value)) fail(`%${value} is used before it is made`, node)
    let types
    try {
      types = inferTypes(
        node.op,
        node.inputs.map((value) => graph.types[value]!),
        node.attrs,
      )
    } catch (error) {
      return fail((error as Error).message, node)
    }
    if (types.length !== node.outputs.length)
      fail(`${node.op} has ${types.length} outputs, the node ${node.outputs.length}`, node)
    node.outputs.forEach((value, i) => {
      make(value, node)
      if (!sameType(types[i]!, graph.types[value]!))
        fail(
          `%${value} is ${formatType(graph.types[value]!)}, the shape rule gives ${formatType(types[i]!)}`,
          node,
        )
    })
  }
  for (const { name, value } of graph.outputs)
    if (!made.has(value)) fail(`output ${name} is %${value}, which nothing makes`)
  for (const input of graph.inputs) {
    if (!input.donated) continue
    const successor = graph.outputs.find((output) => output.name === input.name)
    if (!successor || !sameType(graph.types[successor.value]!, graph.types[input.value]!))
      fail(`donated input ${input.name} is not replaced by an output of its name and type`)
  }
  return graph
}
