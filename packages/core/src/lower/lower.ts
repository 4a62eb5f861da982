// Lowering: from the graph as traced to the graph that a backend runs. Composites that the backend lacks become primitives; the
// graph is simplified, common subexpressions and dead nodes are removed, and recomputation is made explicit.
import { checkName } from '../check.js'
import type { Graph, ValueId } from '../graph/graph.js'
import { isComposite, opNames, type AttrsOf, type CompositeName } from '../graph/ops.js'
import { Tracer, type Tensor } from '../graph/trace.js'
import { decompositions } from './decompositions.js'
import { rematerialise } from './rematerialise.js'
import { simplify } from './simplify.js'

export interface LowerOptions {
  /** Composites to keep because the backend runs them natively. Default: none. */
  readonly composites?: readonly CompositeName[]
}

/**
 * Returns an equal graph with only primitives and the given composites, simplified. Inputs and outputs stay the same.
 * @throws UserError if a name is not that of a composite.
 */
export function lower(graph: Graph, { composites = [] }: LowerOptions = {}): Graph {
  for (const name of composites) checkName('lower: a composite', name, opNames.filter(isComposite))
  // Decompositions may be made of composites that the backend runs.
  const tracer = new Tracer((tracer, name, inputs, attrs) =>
    isComposite(name) && !composites.includes(name)
      ? decompose(name, inputs, attrs as AttrsOf<CompositeName>)
      : simplify(tracer, name, inputs, attrs),
  )
  const values = new Map<ValueId, Tensor>()
  for (const { name, value, role, donated } of graph.inputs)
    values.set(value, tracer.input(name, { ...graph.types[value]!, role, donated }))
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((value) => values.get(value)!)
    const outputs = tracer.at(node.place, () => tracer.emit(node.op, inputs, node.attrs))
    node.outputs.forEach((value, i) => values.set(value, outputs[i]!))
  }
  const lowered = tracer.finish(
    graph.name,
    new Map(graph.outputs.map(({ name, value }) => [name, values.get(value)!])),
  )
  // Recomputation comes last, since the tracer would merge a node with its copy.
  return graph.rematerialise ? rematerialise(lowered, graph.rematerialise) : lowered
}

const decompose = <K extends CompositeName>(
  name: K,
  inputs: readonly Tensor[],
  attrs: AttrsOf<K>,
) => decompositions[name](inputs, attrs)
