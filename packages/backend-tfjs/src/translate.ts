// Translates a lowered graph to calls of tf's kernels on one device. Which kernels an op takes is in emitters.ts and devices/.
import {
  bytesOf,
  isComposite,
  printNode,
  type CompositeName,
  type Graph,
  type HostTensor,
  type Node,
  type OpName,
  type TensorType,
} from '@embed-kd/core'
import type { Device } from './devices/device.js'
import { isEmpty, type Emitter, type Emitters } from './emitters.js'
import { planFrees, Schedule, type Constant, type Step } from './schedule.js'
import type { TfDType, TfTensor, Workspace } from './workspace.js'

/** Returns the composites that a device has an emitter for, and therefore runs itself. */
export const nativeComposites = (emitters: Emitters): CompositeName[] =>
  (Object.keys(emitters) as OpName[]).filter((op) => isComposite(op))

/** @throws if an op of the graph has no emitter. */
export function translate(graph: Graph, device: Device, workspace: Workspace): Schedule {
  const constants: Constant[] = []
  const constant = (value: HostTensor): TfTensor => {
    const { dtype, shape } = value
    const dataId = device.upload(value)
    const resident = { dataId, shape: shape as number[], dtype: dtype as TfDType }
    constants.push(resident)
    return resident
  }
  const spent = planFrees(graph)
  const steps = graph.nodes.map((node, index) => ({
    node,
    ...emit(graph, node, device, workspace, constant),
    spent: spent[index]!,
  }))
  return new Schedule(graph, workspace, steps, constants)
}

/** Applies a node's emitter. Tensors without elements never reach a kernel, since tf's kernels disagree about them. */
function emit(
  graph: Graph,
  node: Node,
  device: Device,
  workspace: Workspace,
  constant: (value: HostTensor) => TfTensor,
): Pick<Step, 'run' | 'memory'> {
  const inputs = node.inputs.map((value) => graph.types[value]!)
  const outputs = node.outputs.map((value) => graph.types[value]!)
  const nothingToRead = inputs.length > 0 && inputs.every(isEmpty)
  if (outputs.every(isEmpty) || nothingToRead)
    // Sums over nothing, and padding around it, are zeros.
    return {
      run: () => outputs.map(({ dtype, shape }) => workspace.zeros(dtype, shape)),
      memory: { temporaryBytes: 0, sharedOperand: undefined },
    }
  const emitter = device.emitters[node.op] as Emitter<OpName> | undefined
  if (!emitter) throw new Error(`tfjs has no emitter for ${printNode(graph, node)}`)
  let temporaryBytes = 0
  let sharedOperand: number | undefined
  const temporary = (type: TensorType) => void (temporaryBytes += bytesOf(type))
  const share = (operand: number) => void (sharedOperand = operand)
  const application = { attrs: node.attrs, inputs, outputs, constant, temporary, share }
  const run = emitter(application, workspace)
  return { run, memory: { temporaryBytes, sharedOperand } }
}
