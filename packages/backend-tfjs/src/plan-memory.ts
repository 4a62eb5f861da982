// Plans the memory of a run tensor by tensor, in the order in which a schedule makes and frees them. TensorFlow.js keeps no memory
// of its own beside the tensors, so a counted peak (tensor-bytes.ts) equals this plan.
import {
  bytesOf,
  hasTrait,
  type Graph,
  type Node,
  type RunMemory,
  type ValueId,
} from '@embed-kd/core'

/** What an emitter makes beside, or instead of, its outputs. */
export interface StepMemory {
  /** Bytes of tensors that are freed when the step ends. */
  readonly temporaryBytes: number
  /** Index of the operand whose data the output shares; undefined if the output has data of its own. */
  readonly sharedOperand: number | undefined
}

/** One node of a schedule. */
export interface PlannedStep {
  readonly node: Node
  readonly memory: StepMemory
  /** Values that no later node reads. */
  readonly spent: readonly ValueId[]
}

/** Data of one or several values. */
interface Data {
  readonly bytes: number
  references: number
}

/** @param constantBytes bytes of the tensors that the executable keeps between runs. */
export function planRun(
  graph: Graph,
  steps: readonly PlannedStep[],
  constantBytes: number,
): RunMemory {
  const bytes = (value: ValueId) => bytesOf(graph.types[value]!)
  const dataOf = new Map<ValueId, Data>()
  const constants: Data = { bytes: 0, references: Infinity }
  let live = constantBytes
  const hold = (value: ValueId, data: Data) => {
    if (data.references === 0) live += data.bytes
    data.references++
    dataOf.set(value, data)
  }
  const release = (value: ValueId) => {
    const data = dataOf.get(value)
    dataOf.delete(value)
    if (data && --data.references === 0) live -= data.bytes
  }

  for (const { value } of graph.inputs) hold(value, { bytes: bytes(value), references: 0 })
  let peak = live
  for (const { node, memory, spent } of steps) {
    const { sharedOperand } = memory
    const shared = sharedOperand === undefined ? undefined : dataOf.get(node.inputs[sharedOperand]!)
    const kept = hasTrait(node.op, 'source') ? constants : shared
    for (const value of node.outputs) hold(value, kept ?? { bytes: bytes(value), references: 0 })
    peak = Math.max(peak, live + memory.temporaryBytes)
    for (const value of spent) release(value)
  }
  return { residentBytes: constantBytes, peakBytes: peak }
}
