// Translates a lowered graph to calls of tf's kernels on one device. Which kernels an op takes is in emitters.ts and devices/.
import {
  isComposite,
  printNode,
  type CompositeName,
  type Graph,
  type HostTensor,
  type Node,
  type OpName,
} from '@embed-kd/core'
import type { Device } from './devices/device.js'
import { isEmpty, type Emitter, type Emitters, type Run } from './emitters.js'
import { planFrees, Schedule } from './schedule.js'
import type { TfDType, TfTensor, Workspace } from './workspace.js'

/** Returns the composites that a device has an emitter for, and therefore runs itself. */
export const nativeComposites = (emitters: Emitters): CompositeName[] =>
  (Object.keys(emitters) as OpName[]).filter((op) => isComposite(op))

/** @throws if an op of the graph has no emitter. */
export function translate(graph: Graph, device: Device, workspace: Workspace): Schedule {
  const constants: TfTensor[] = []
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
    run: emit(graph, node, device, workspace, constant),
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
): Run {
  const inputs = node.inputs.map((value) => graph.types[value]!)
  const outputs = node.outputs.map((value) => graph.types[value]!)
  const nothingToRead = inputs.length > 0 && inputs.every(isEmpty)
  if (outputs.every(isEmpty) || nothingToRead)
    // Sums over nothing, and padding around it, are zeros.
    return () => outputs.map(({ dtype, shape }) => workspace.zeros(dtype, shape))
  const emitter = device.emitters[node.op] as Emitter<OpName> | undefined
  if (!emitter) throw new Error(`tfjs has no emitter for ${printNode(graph, node)}`)
  return emitter({ attrs: node.attrs, inputs, outputs, constant }, workspace)
}
