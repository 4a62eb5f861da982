// Finds the donated inputs that the outputs of the same name may overwrite. ONNX Runtime knows nothing of donation and runs nodes in
// an order of its own, so an output is safe only if the graph itself puts every reader before it.
import { hasTrait, sameShape, type Graph, type Node, type ValueId } from '@embed-kd/core'

/**
 * Returns the names of the donated inputs whose memory the output of the same name may take. Every node that reads such an input
 * either is needed for the output, and has therefore run when the output is written, or writes the output element by element.
 */
export function overwritten(graph: Graph): ReadonlySet<string> {
  const makers = new Map<ValueId, Node>()
  const readers = new Map<ValueId, Node[]>()
  for (const node of graph.nodes) {
    for (const value of node.outputs) makers.set(value, node)
    for (const value of node.inputs) readers.set(value, [...(readers.get(value) ?? []), node])
  }
  /** Returns the nodes that read a value or a possible view of it. */
  const readersOf = (value: ValueId): Node[] =>
    (readers.get(value) ?? []).flatMap((node) => [
      node,
      ...(hasTrait(node.op, 'aliasing') ? node.outputs.flatMap(readersOf) : []),
    ])
  const isSafe = (input: ValueId, output: ValueId): boolean => {
    const writer = makers.get(output)
    if (!writer || hasTrait(writer.op, 'aliasing')) return false
    const reading = new Set(readersOf(input))
    if (reading.delete(writer) && !writesInPlace(graph, writer, input)) return false
    const seen = new Set<Node>()
    const pending = [writer]
    while (reading.size > 0 && pending.length > 0)
      for (const value of pending.pop()!.inputs) {
        const maker = makers.get(value)
        if (!maker || seen.has(maker)) continue
        seen.add(maker)
        reading.delete(maker)
        pending.push(maker)
      }
    return reading.size === 0
  }
  const outputs = new Map(graph.outputs.map(({ name, value }) => [name, value]))
  const shared = (value: ValueId) => graph.outputs.filter((x) => x.value === value).length > 1
  return new Set(
    graph.inputs.flatMap(({ name, value, donated }) => {
      const output = outputs.get(name)
      return donated && output !== undefined && !shared(output) && isSafe(value, output)
        ? [name]
        : []
    }),
  )
}

const writesInPlace = (graph: Graph, writer: Node, input: ValueId): boolean =>
  hasTrait(writer.op, 'elementwise') &&
  writer.inputs.includes(input) &&
  sameShape(graph.types[input]!.shape, graph.types[writer.outputs[0]!]!.shape)
