// How much memory a graph holds while it runs, planned from the graph alone: each buffer lives from the node that
// makes it to its last use. Exact and the same on every machine; it stands beside every measured peak.
import { fail } from '../check.js'
import { bytesOf, type TensorType } from '../tensor/tensor.js'
import { lastUses, type Graph, type Node, type Role, type ValueId } from './graph.js'
import { hasTrait } from './traits.js'

export interface MemoryPlan {
  /** Bytes of the graph's inputs, by what they hold. */
  readonly inputBytes: Readonly<Record<Role, number>>
  /** Bytes that stay between runs: parameters, optimizer state, teacher (weights or embeddings). */
  readonly residentBytes: number
  /** Greatest sum of live bytes at any node, inputs included. */
  readonly peakBytes: number
  /** The part of the peak that is neither an input nor an output of the graph. */
  readonly activationBytes: number
  /** Index of the node at which the peak is reached. */
  readonly peakNode: number
}

interface Lifetime {
  readonly bytes: number
  /** Node indices, both inclusive; inputs begin at 0, what the caller keeps ends at `nodes.length`. */
  readonly from: number
  to: number
  /** An input, or what becomes an output. */
  external: boolean
  /** The caller holds it, so that no node may write over it. */
  readonly held: boolean
}

/** Buffers of a graph with their lifetimes; views and in-place results share their operand's. */
function lifetimes(graph: Graph, reusesDonated: boolean): Lifetime[] {
  const end = graph.nodes.length
  const lastUse = lastUses(graph)
  const outputs = new Set(graph.outputs.map(({ value }) => value))
  const buffers: Lifetime[] = []
  const bufferOf = new Map<ValueId, Lifetime>()

  const place = (value: ValueId, buffer: Lifetime) => {
    buffer.to = Math.max(buffer.to, lastUse[value]!)
    buffer.external ||= outputs.has(value)
    bufferOf.set(value, buffer)
  }
  const allocate = (value: ValueId, from: number, held: boolean, external: boolean) => {
    const bytes = bytesOf(graph.types[value]!)
    const buffer = { bytes, from, to: held ? end : from, external, held }
    buffers.push(buffer)
    place(value, buffer)
  }
  const reusable = (node: Node, index: number, bytes: number, taken: ReadonlySet<Lifetime>) => {
    const operands = node.inputs.map((value) => bufferOf.get(value)!)
    if (hasTrait(node.op, 'view')) return operands[0]
    if (!hasTrait(node.op, 'inPlace')) return undefined
    return operands.find(
      (buffer) =>
        !buffer.held && buffer.to === index && buffer.bytes === bytes && !taken.has(buffer),
    )
  }

  for (const { value, donated } of graph.inputs)
    allocate(value, 0, !(donated && reusesDonated), true)
  graph.nodes.forEach((node, index) => {
    const taken = new Set<Lifetime>()
    for (const value of node.outputs) {
      const buffer = reusable(node, index, bytesOf(graph.types[value]!), taken)
      if (buffer) {
        taken.add(buffer)
        place(value, buffer)
      } else allocate(value, index, false, false)
    }
  })
  return buffers
}

/**
 * Plans the memory of one run. With `reusesDonated` a donated input's buffer is free after its last use; without,
 * the caller holds old and new state at once, as with runtimes that cannot take buffers over.
 */
export function planMemory(graph: Graph, { reusesDonated = true } = {}): MemoryPlan {
  const inputBytes: Record<Role, number> = { parameter: 0, optimizer: 0, teacher: 0, batch: 0 }
  for (const { value, role } of graph.inputs) inputBytes[role] += bytesOf(graph.types[value]!)

  const change = Array.from({ length: graph.nodes.length + 2 }, () => ({ all: 0, internal: 0 }))
  for (const { bytes, from, to, external } of lifetimes(graph, reusesDonated)) {
    const internal = external ? 0 : bytes
    change[from]!.all += bytes
    change[from]!.internal += internal
    change[to + 1]!.all -= bytes
    change[to + 1]!.internal -= internal
  }
  const live = { all: 0, internal: 0 }
  let peak = { all: 0, internal: 0, node: 0 }
  change.forEach(({ all, internal }, node) => {
    live.all += all
    live.internal += internal
    if (live.all > peak.all) peak = { ...live, node }
  })
  return {
    inputBytes,
    residentBytes: inputBytes.parameter + inputBytes.optimizer + inputBytes.teacher,
    peakBytes: peak.all,
    activationBytes: peak.internal,
    peakNode: peak.node,
  }
}

/**
 * Plans graphs that run in turn and keep what has the same name in common, such as state: while one of them runs, what only
 * the others take stays. The plan of the one that needs most.
 */
export function planTogether(
  graphs: readonly Graph[],
  options?: Parameters<typeof planMemory>[1],
): MemoryPlan {
  if (graphs.length === 0) fail('planTogether: there must be at least one graph')
  const kept = new Map<string, { readonly type: TensorType; readonly role: Role }>()
  for (const { inputs, types } of graphs)
    for (const { name, value, role } of inputs)
      if (role !== 'batch') kept.set(name, { type: types[value]!, role })
  const plans = graphs.map((graph) => {
    const own = new Set(graph.inputs.map(({ name }) => name))
    const others = [...kept].filter(([name]) => !own.has(name))
    const held = others.map(([name, { role }], i) => ({
      name,
      value: graph.types.length + i,
      role,
      donated: false,
    }))
    const types = [...graph.types, ...others.map(([, { type }]) => type)]
    return planMemory({ ...graph, types, inputs: [...graph.inputs, ...held] }, options)
  })
  return plans.reduce((most, plan) => (plan.peakBytes > most.peakBytes ? plan : most))
}
