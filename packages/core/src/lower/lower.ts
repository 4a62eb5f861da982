// From the graph as traced to the graph a backend runs: composites it lacks become primitives, and local
// simplifications, common subexpressions and dead code are settled on the way, and what is to be recomputed is.
import type { Graph, ValueId } from '../graph/graph.js'
import { isComposite, type AttrsOf, type CompositeName } from '../graph/ops.js'
import { Tracer, type Tensor } from '../graph/trace.js'
import { decompositions } from './decompositions.js'
import { rematerialise } from './rematerialise.js'
import { simplify } from './simplify.js'

export interface LowerOptions {
  /** Composites to keep because the backend runs them natively. Default: none. */
  readonly composites?: readonly CompositeName[]
}

/** An equal graph with only primitives and the given composites, simplified. Its interface stays the same. */
export function lower(graph: Graph, { composites = [] }: LowerOptions = {}): Graph {
  const tracer = new Tracer(simplify)
  const values = new Map<ValueId, Tensor>()
  for (const { name, value, role, donated } of graph.inputs)
    values.set(value, tracer.input(name, { ...graph.types[value]!, role, donated }))
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((value) => values.get(value)!)
    const outputs = tracer.at(node.place, () =>
      isComposite(node.op) && !composites.includes(node.op)
        ? decompose(node.op, inputs, node.attrs as AttrsOf<CompositeName>)
        : tracer.emit(node.op, inputs, node.attrs),
    )
    node.outputs.forEach((value, i) => values.set(value, outputs[i]!))
  }
  const lowered = tracer.finish(
    graph.name,
    new Map(graph.outputs.map(({ name, value }) => [name, values.get(value)!])),
  )
  // Last, for equal nodes are made only once before.
  return graph.rematerialise ? rematerialise(lowered, graph.rematerialise) : lowered
}

const decompose = <K extends CompositeName>(
  name: K,
  inputs: readonly Tensor[],
  attrs: AttrsOf<K>,
) => decompositions[name](inputs, attrs)
