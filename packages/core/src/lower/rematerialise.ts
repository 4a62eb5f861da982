// Recomputation (Chen et al. 2016): results of a transformer block's forward pass that its gradient reads are computed once
// more there instead of being kept. Less memory, more work, the same numbers. The pass reads places and op traits only.
import type { Graph, Node, Rematerialise, ValueId } from '../graph/graph.js'
import { hasTrait } from '../graph/traits.js'
import { bytesOf, type TensorType } from '../tensor/tensor.js'

const isBackward = ({ place: { phase } }: Node) => phase === 'backward'

/** Returns a key of the model and block whose forward pass a node belongs to, if it belongs to one. */
const blockOf = (node: Node): string | undefined =>
  node.place.block === undefined || isBackward(node)
    ? undefined
    : `${node.place.part} ${node.place.block}`

/** Returns a graph that recomputes as `policy` says. Inputs and outputs stay the same. */
export function rematerialise(graph: Graph, policy: Rematerialise): Graph {
  const makers = new Map<ValueId, Node>()
  for (const node of graph.nodes) for (const value of node.outputs) makers.set(value, node)
  const again = policy === 'blocks' ? insideBlocks(graph, makers) : cheapInBlocks(graph, makers)

  const types: TensorType[] = [...graph.types]
  const nodes: Node[] = []
  const copies = new Map<ValueId, ValueId>()
  const copyOf = (value: ValueId): ValueId => {
    const known = copies.get(value)
    if (known !== undefined) return known
    const node = makers.get(value)
    if (!node || !again(value)) return value
    const inputs = node.inputs.map(copyOf)
    const outputs = node.outputs.map((output) => types.push(graph.types[output]!) - 1)
    node.outputs.forEach((output, i) => copies.set(output, outputs[i]!))
    nodes.push({ ...node, inputs, outputs, place: { ...node.place, phase: 'recompute' } } as Node)
    return copies.get(value)!
  }
  for (const node of graph.nodes)
    nodes.push(isBackward(node) ? ({ ...node, inputs: node.inputs.map(copyOf) } as Node) : node)
  return { ...graph, types, nodes }
}

type Makers = ReadonlyMap<ValueId, Node>

const isConstant = (node: Node) => hasTrait(node.op, 'source')

/** Selects all results but those that leave their block. The last block keeps its results, since its gradient comes right after. */
function insideBlocks(graph: Graph, makers: Makers): (value: ValueId) => boolean {
  const leaving = new Set<ValueId>(graph.outputs.map(({ value }) => value))
  const earlier = new Set<string>()
  for (const node of graph.nodes) {
    if (isBackward(node)) continue
    for (const value of node.inputs) {
      const block = blockOf(makers.get(value) ?? node)
      if (block === undefined || block === blockOf(node)) continue
      leaving.add(value)
      if (blockOf(node) !== undefined) earlier.add(block)
    }
  }
  return (value) => {
    const maker = makers.get(value)!
    const block = blockOf(maker)
    return block !== undefined && earlier.has(block) && !leaving.has(value) && !isConstant(maker)
  }
}

/**
 * Selects cheap results whose sources take less memory than the results themselves. Results with common sources are decided on
 * together.
 */
function cheapInBlocks(graph: Graph, makers: Makers): (value: ValueId) => boolean {
  const bytes = (value: ValueId) => bytesOf(graph.types[value]!)
  /** Returns the value behind a chain of views. */
  const viewed = (value: ValueId): ValueId => {
    const maker = makers.get(value)
    return maker && hasTrait(maker.op, 'view') ? viewed(maker.inputs[0]!) : value
  }
  const isCheap = (value: ValueId): boolean => {
    const maker = makers.get(value)
    return maker !== undefined && hasTrait(maker.op, 'cheap') && blockOf(maker) !== undefined
  }
  const late = new Set(graph.nodes.filter(isBackward).flatMap(({ inputs }) => inputs.map(viewed)))
  /** Whether a value is kept in any case: an input of the graph, a constant, or a result that is not cheap. */
  const isKept = (value: ValueId): boolean => {
    const maker = makers.get(value)
    return maker === undefined || isConstant(maker) || (late.has(value) && !isCheap(value))
  }
  const memo = new Map<ValueId, ReadonlySet<ValueId>>()
  /** Returns the tensors that must be kept so that `value` can be recomputed. */
  const sourcesOf = (value: ValueId): ReadonlySet<ValueId> => {
    const known = memo.get(value)
    if (known) return known
    const inputs = isCheap(value) ? makers.get(value)!.inputs.map(viewed) : undefined
    const sources = inputs ? inputs.flatMap((input) => [...sourcesOf(input)]) : [value]
    const additional = new Set(sources.filter((source) => !isKept(source)))
    memo.set(value, additional)
    return additional
  }

  const groups: { readonly results: ValueId[]; readonly sources: Set<ValueId> }[] = []
  for (const value of late) {
    if (!isCheap(value)) continue
    const group = { results: [value], sources: new Set(sourcesOf(value)) }
    const related = groups.filter(({ sources }) =>
      [...sources].some((source) => group.sources.has(source)),
    )
    for (const { results, sources } of related) {
      group.results.push(...results)
      for (const source of sources) group.sources.add(source)
    }
    groups.splice(0, groups.length, ...groups.filter((other) => !related.includes(other)), group)
  }
  const total = (values: Iterable<ValueId>) => [...values].reduce((sum, x) => sum + bytes(x), 0)
  const worthIt = new Set(
    groups.flatMap(({ results, sources }) => (total(results) > total(sources) ? results : [])),
  )
  return (value) => {
    const root = viewed(value)
    return isCheap(root) && (worthIt.has(root) || !late.has(root))
  }
}
