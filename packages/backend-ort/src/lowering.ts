// From a graph to what is emitted for it: which composites run as one operator here, and which multiplications by a
// number become attributes of a product of matrices, whose operator does them for nothing.
import {
  isFloat,
  lower,
  valuesOf,
  verify,
  type CompositeName,
  type Graph,
  type HostTensor,
  type Node,
  type ValueId,
} from '@embed-kd/core'

/** Numbers that multiply the product and the bias of a `matmul` or `linear`. */
export interface Factors {
  readonly product: number
  readonly bias: number
}

export interface LoweredGraph {
  readonly graph: Graph
  /** Of the nodes that have some; all other factors are 1. */
  readonly factors: ReadonlyMap<Node, Factors>
}

/**
 * @param composites those the device has operators for.
 * @param absorbs whether a product's operator takes a factor.
 */
export function lowerForRuntime(
  graph: Graph,
  composites: readonly CompositeName[],
  absorbs: (node: Node, graph: Graph) => boolean,
): LoweredGraph {
  // QuickGELU's gradient shares the parts of its decomposition, which saves more than one operator does.
  const trained = isDifferentiated(graph, 'quickGelu')
  const native = composites.filter((name) => !(name === 'quickGelu' && trained))
  return absorbFactors(verify(lower(graph, { composites: native })), absorbs)
}

/** Whether another node reads what a composite reads, as its gradient does. */
function isDifferentiated(graph: Graph, name: CompositeName): boolean {
  const inputs = new Set(graph.nodes.flatMap((node) => (node.op === name ? [node.inputs[0]] : [])))
  return graph.nodes.some(
    (node) => node.op !== name && node.inputs.some((value) => inputs.has(value)),
  )
}

/** A node on its way: what is read and made may change, and factors gather. */
interface Draft {
  readonly node: Node
  inputs: ValueId[]
  outputs: readonly ValueId[]
  product: number
  bias: number
  removed: boolean
}

function absorbFactors(graph: Graph, absorbs: (node: Node, graph: Graph) => boolean): LoweredGraph {
  const drafts = graph.nodes.map((node): Draft => ({
    node,
    inputs: [...node.inputs],
    outputs: node.outputs,
    product: 1,
    bias: 1,
    removed: false,
  }))
  const kept = new Set(graph.outputs.map(({ value }) => value))
  const constants = new Map<ValueId, HostTensor>()
  const makers = new Map<ValueId, Draft>()
  const readers = new Map<ValueId, Draft[]>()
  for (const draft of drafts) {
    if (draft.node.op === 'constant') constants.set(draft.outputs[0]!, draft.node.attrs.value)
    for (const value of draft.outputs) makers.set(value, draft)
    for (const value of new Set(draft.inputs))
      readers.set(value, [...(readers.get(value) ?? []), draft])
  }

  const readersOf = (value: ValueId) => (readers.get(value) ?? []).filter(({ removed }) => !removed)

  /** Products that read `value`, itself or reshaped; undefined where anything else does. */
  const productsOf = (value: ValueId): { reader: Draft; value: ValueId }[] | undefined => {
    if (kept.has(value)) return undefined
    const found = readersOf(value).map((reader) => {
      if (reader.node.op === 'reshape') return productsOf(reader.outputs[0]!)
      const isOperand = reader.inputs.slice(0, 2).includes(value) && reader.inputs[2] !== value
      return isOperand && absorbs(reader.node, graph) ? [{ reader, value }] : undefined
    })
    return found.every((products) => products !== undefined) ? found.flat() : undefined
  }

  for (const draft of drafts) {
    const scaling = draft.removed ? undefined : scalingOf(draft, constants)
    if (!scaling) continue
    const { source, factor } = scaling
    const [scaled] = draft.outputs as [ValueId]
    const products = productsOf(scaled)
    if (products && products.length > 0) {
      for (const { reader, value } of products)
        for (const input of reader.inputs) if (input === value) reader.product *= factor
      for (const reader of readersOf(scaled)) {
        reader.inputs = reader.inputs.map((value) => (value === scaled ? source : value))
        readers.get(source)!.push(reader)
      }
      draft.removed = true
      continue
    }
    // Where all that read a product scale it, and alike (a recomputed one again), the product is scaled for all of them.
    const maker = makers.get(source)
    if (!maker || !absorbs(maker.node, graph) || kept.has(source)) continue
    const alike = readersOf(source)
    const twins = alike.filter((reader) => reader !== draft).map((reader) => reader.outputs[0]!)
    const isAlike = alike.every((reader) => scalingOf(reader, constants)?.factor === factor)
    if (!isAlike || twins.some((twin) => kept.has(twin))) continue
    maker.outputs = [scaled]
    maker.product *= factor
    maker.bias *= factor
    makers.set(scaled, maker)
    for (const reader of alike) reader.removed = true
    for (const twin of twins)
      for (const reader of readersOf(twin)) {
        reader.inputs = reader.inputs.map((value) => (value === twin ? scaled : value))
        readers.set(scaled, [...(readers.get(scaled) ?? []), reader])
      }
  }

  const factors = new Map<Node, Factors>()
  const nodes = drafts
    .filter((draft) => !draft.removed)
    .map(({ node, inputs, outputs, product, bias }) => {
      const rewired = { ...node, inputs, outputs } as Node
      if (product !== 1 || bias !== 1) factors.set(rewired, { product, bias })
      return rewired
    })
  return { graph: { ...graph, nodes }, factors }
}

/** `source · factor` where that is all a node does. */
function scalingOf(
  { node, inputs }: Draft,
  constants: ReadonlyMap<ValueId, HostTensor>,
): { source: ValueId; factor: number } | undefined {
  if (node.op !== 'mul' && node.op !== 'div') return undefined
  const [a, b] = inputs as [ValueId, ValueId]
  const numberOf = (value: ValueId) => {
    const constant = constants.get(value)
    return constant && isFloat(constant.dtype) && constant.shape.length === 0
      ? valuesOf(constant)[0]
      : undefined
  }
  const [left, right] = [numberOf(a), numberOf(b)]
  if (right !== undefined) return { source: a, factor: node.op === 'mul' ? right : 1 / right }
  if (left !== undefined && node.op === 'mul') return { source: b, factor: left }
  return undefined
}
