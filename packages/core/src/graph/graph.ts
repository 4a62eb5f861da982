// A graph: typed nodes in single static assignment form and topological order, with named inputs and outputs.
// Plain data: passes make new graphs, nothing mutates one. Tracing (trace.ts) is how graphs come to be.
import type { TensorType } from '../tensor/tensor.js'
import type { AttrsOf, OpName } from './ops.js'

/** Index into `Graph.types`; printed as `%3`. */
export type ValueId = number

/** The content of an input, for the split of planned memory. */
export const roles = ['parameter', 'optimizer', 'teacher', 'batch'] as const
export type Role = (typeof roles)[number]

export interface GraphInput {
  readonly name: string
  readonly value: ValueId
  readonly role: Role
  /** Whether the input gives up its buffer: the output of the same name replaces the input, and may reuse its memory. */
  readonly donated: boolean
}

export interface GraphOutput {
  readonly name: string
  readonly value: ValueId
}

/** The part of a training step that a node belongs to. */
export const parts = ['teacher', 'student', 'loss', 'optimizer', 'metrics', 'other'] as const
export type Part = (typeof parts)[number]

/** Whether a node computes a value, its gradient, or a value once more for a gradient (see Rematerialise). */
export const phases = ['forward', 'backward', 'recompute'] as const
export type Phase = (typeof phases)[number]

/** Where in a model a node came from. Passes and profiles group nodes by these fields. */
export interface Place {
  readonly part: Part
  /** Index of the transformer block. */
  readonly block?: number
  /** Layer inside the block or part: `attn`, `mlp`, `patch_embed`. */
  readonly layer?: string
  readonly phase: Phase
}

const partLabels: Readonly<Record<Part, string | undefined>> = {
  teacher: 'teacher',
  student: 'student',
  loss: 'student/loss',
  optimizer: 'optimizer',
  metrics: 'metrics',
  other: undefined,
}
const phaseSuffixes: Readonly<Record<Phase, string>> = {
  forward: '',
  backward: '/grad',
  recompute: '/again',
}

/** Returns a place as text, to print and to name nodes by: `student/blocks.0/attn/grad`; empty for a node outside of all parts. */
export function scopeOf({ part, block, layer, phase }: Place): string {
  const path = [partLabels[part], block === undefined ? undefined : `blocks.${block}`, layer]
  return path.filter((label) => label !== undefined).join('/') + phaseSuffixes[phase]
}

interface NodeOf<K extends OpName> {
  readonly op: K
  readonly inputs: readonly ValueId[]
  readonly outputs: readonly ValueId[]
  readonly attrs: AttrsOf<K>
  readonly place: Place
}

/** One application of an op. Narrow by `node.op` to get its attributes. */
export type Node<K extends OpName = OpName> = { [P in K]: NodeOf<P> }[K]

/**
 * Results of the forward pass of transformer blocks that are recomputed for the backward pass instead of kept:
 * - `elementwise`: activations, norms and masks, if that saves memory. Takes a few per cent more time.
 * - `blocks`: all but the tensors that go from block to block. Takes about a third more time.
 */
export const rematerialisations = ['elementwise', 'blocks'] as const
export type Rematerialise = (typeof rematerialisations)[number]

export interface Graph {
  readonly name: string
  /** Results that lowering makes the backward pass recompute. Default: none. */
  readonly rematerialise?: Rematerialise
  readonly types: readonly TensorType[]
  readonly inputs: readonly GraphInput[]
  readonly nodes: readonly Node[]
  readonly outputs: readonly GraphOutput[]
}

/** Returns for each value the index of the last node that reads it; `nodes.length` for outputs, -1 for a value never read. */
export function lastUses(graph: Graph): Int32Array {
  const last = new Int32Array(graph.types.length).fill(-1)
  graph.nodes.forEach((node, index) => {
    for (const value of node.inputs) last[value] = index
  })
  for (const { value } of graph.outputs) last[value] = graph.nodes.length
  return last
}
