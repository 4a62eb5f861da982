// Factors: which multiplications by a constant become attributes of a matrix product. The graph that remains is no graph of
// core's any more, since its meaning needs the factors.
import {
  isFloat,
  valuesOf,
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

export interface FactoredGraph {
  readonly graph: Graph
  /** Factors by node; those of every other node are 1. */
  readonly factors: ReadonlyMap<Node, Factors>
}

/** A node while factors are absorbed: its inputs and outputs may change, and its factors grow. */
interface Draft {
  readonly node: Node
  inputs: ValueId[]
  outputs: readonly ValueId[]
  product: number
  bias: number
  removed: boolean
}

/**
 * Removes multiplications by a constant next to matrix products, whose operators multiply by a factor for nothing.
 * @param absorbs whether the operator of a product takes a factor.
 */
export function absorbFactors(
  graph: Graph,
  absorbs: (node: Node, graph: Graph) => boolean,
): FactoredGraph {
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

  /** Returns the products that read `value`, directly or reshaped; undefined if any other node reads it. */
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
    // If every reader of a matrix product multiplies it by the same constant, the product takes the factor itself.
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

/** Returns `source` and `factor` if a node computes `source · factor` and nothing else. */
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
