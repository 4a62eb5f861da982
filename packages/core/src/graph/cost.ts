// Counts the floating-point operations and bytes of a graph without running it: exact, and the same on every machine.
// The memory that a graph holds is planned in memory.ts.
import { bytesOf, sizeOf, type TensorType } from '../tensor/tensor.js'
import type { Graph, Node, Part, Phase, ValueId } from './graph.js'
import type { AttrsOf, OpName } from './ops.js'
import { hasTrait } from './traits.js'

interface Costed<K extends OpName> {
  readonly inputs: readonly TensorType[]
  readonly outputs: readonly TensorType[]
  readonly attrs: AttrsOf<K>
}
type Flops<K extends OpName> = (node: Costed<K>) => number

const free: Flops<OpName> = () => 0
/** Counts n operations for each element of the output; exp, erf and their like count as one. */
const perOutput =
  (n: number): Flops<OpName> =>
  ({ outputs }) =>
    n * sizeOf(outputs[0]!.shape)
const perInput =
  (n: number): Flops<OpName> =>
  ({ inputs }) =>
    n * sizeOf(inputs[0]!.shape)

/** Floating-point operations; a multiply-add counts as two. */
const flops: { [K in OpName]: Flops<K> } = {
  constant: free,
  iota: free,
  randomUniform: perOutput(1),
  bernoulli: perOutput(1),
  neg: perOutput(1),
  exp: perOutput(1),
  log: perOutput(1),
  sqrt: perOutput(1),
  rsqrt: perOutput(1),
  tanh: perOutput(1),
  sigmoid: perOutput(1),
  erf: perOutput(1),
  sin: perOutput(1),
  cos: perOutput(1),
  add: perOutput(1),
  sub: perOutput(1),
  mul: perOutput(1),
  div: perOutput(1),
  maximum: perOutput(1),
  minimum: perOutput(1),
  equal: perOutput(1),
  less: perOutput(1),
  lessEqual: perOutput(1),
  and: free,
  or: free,
  not: free,
  select: free,
  cast: free,
  reshape: free,
  transpose: free,
  broadcastTo: free,
  slice: free,
  pad: free,
  concat: free,
  split: free,
  sum: perInput(1),
  max: perInput(1),
  argmax: perInput(1),
  matmul: ({ inputs, outputs, attrs }) =>
    2 * sizeOf(outputs[0]!.shape) * inputs[0]!.shape.at(attrs.transposeA ? -2 : -1)!,
  mean: perInput(1),
  softmax: perInput(5),
  softmaxGradient: perInput(4),
  logSoftmax: perInput(5),
  layerNorm: perInput(8),
  standardizeGradient: perInput(7),
  gelu: perInput(8),
  quickGelu: perInput(3),
  quickGeluGradient: perOutput(7),
  linear: ({ inputs, outputs }) =>
    sizeOf(outputs[0]!.shape) * (2 * inputs[1]!.shape[1]! + (inputs.length === 3 ? 1 : 0)),
  adamw: perInput(14),
}

/** Operations and traffic of some nodes of a graph. */
export interface PartCost {
  readonly flops: number
  /** Bytes read and written if every op reads its operands from memory and writes its outputs to it. Views move nothing. */
  readonly bytes: number
  /** Number of nodes, without constants. */
  readonly operators: number
}

/** Operations and traffic of a graph. */
export interface Cost extends PartCost {
  /** The same for each part of the training step that the graph has nodes of. */
  readonly parts: Readonly<Partial<Record<Part, PartCost>>>
}

/** Counts the operations and traffic of a graph as it stands: give it the graph that a backend executes (`Executable.graph`). */
export function cost(graph: Graph): Cost {
  const typesOf = (values: readonly ValueId[]) => values.map((value) => graph.types[value]!)
  const parts: Partial<Record<Part, PartCost>> = {}
  for (const node of graph.nodes) {
    const [inputs, outputs] = [typesOf(node.inputs), typesOf(node.outputs)]
    const count = flops[node.op] as Flops<OpName>
    const moved = hasTrait(node.op, 'view') ? [] : [...inputs, ...outputs]
    const { part } = node.place
    parts[part] = plus(parts[part] ?? nothing, {
      flops: count({ inputs, outputs, attrs: node.attrs }),
      bytes: moved.reduce((total, type) => total + bytesOf(type), 0),
      operators: isRun(node) ? 1 : 0,
    })
  }
  return { ...Object.values(parts).reduce(plus, nothing), parts }
}

/** Numbers of nodes by part of the training step and phase. */
export type OperatorCounts = Readonly<
  Partial<Record<Part, Readonly<Partial<Record<Phase, number>>>>>
>

/** Counts the nodes of a graph, without constants. */
export function countOperators(graph: Graph): OperatorCounts {
  const counts: Partial<Record<Part, Partial<Record<Phase, number>>>> = {}
  for (const node of graph.nodes) {
    if (!isRun(node)) continue
    const { part, phase } = node.place
    const ofPart = (counts[part] ??= {})
    ofPart[phase] = (ofPart[phase] ?? 0) + 1
  }
  return counts
}

const isRun = (node: Node): boolean => !hasTrait(node.op, 'source')

const nothing: PartCost = { flops: 0, bytes: 0, operators: 0 }

const plus = (a: PartCost, b: PartCost): PartCost => ({
  flops: a.flops + b.flops,
  bytes: a.bytes + b.bytes,
  operators: a.operators + b.operators,
})
