// A compiled graph: a flat list of kernel calls in the graph's order, each tensor freed at its last use.
// It knows nothing of buffers and their owners (backend.ts), nor which kernels an op takes (kernels.ts).
import {
  isComposite,
  lastUses,
  printNode,
  type CompositeName,
  type Graph,
  type HostTensor,
  type Node,
  type OpName,
  type ValueId,
} from '@embed-kd/core'
import type { Device } from './devices/device.js'
import { isEmpty, type Rule, type Rules, type Run } from './kernels.js'
import type { TfDType, TfTensor, Workspace } from './workspace.js'

/** The composites that a device has a rule for, hence runs itself. */
export const nativeComposites = (rules: Rules): CompositeName[] =>
  (Object.keys(rules) as OpName[]).filter((op) => isComposite(op))

interface Step {
  readonly node: Node
  readonly run: Run
  /** Values that nothing reads after this node. */
  readonly spent: readonly ValueId[]
}

/** The schedule of a lowered graph on one device. */
export class Schedule {
  readonly #graph: Graph
  readonly #workspace: Workspace
  readonly #steps: readonly Step[]
  readonly #constants: TfTensor[] = []

  constructor(graph: Graph, device: Device, workspace: Workspace) {
    this.#graph = graph
    this.#workspace = workspace
    const last = lastUses(graph)
    // What the caller keeps is never spent, whoever reads it last.
    const held = new Set([
      ...graph.inputs.filter((input) => !input.donated).map((input) => input.value),
      ...graph.outputs.map((output) => output.value),
    ])
    const constant = (value: HostTensor): TfTensor => {
      const { dtype, shape } = value
      const dataId = device.upload(value)
      const resident = { dataId, shape: shape as number[], dtype: dtype as TfDType }
      this.#constants.push(resident)
      return resident
    }
    this.#steps = graph.nodes.map((node, index) => {
      const isSpent = (value: ValueId) => last[value]! <= index && !held.has(value)
      return {
        node,
        run: prepare(graph, node, device, workspace, constant),
        spent: [...new Set([...node.inputs, ...node.outputs])].filter(isSpent),
      }
    })
  }

  /**
   * Runs the graph on its inputs, in the order of `graph.inputs`; outputs come in that of `graph.outputs`. Takes one
   * reference to each donated input over, whether it succeeds or throws; keeps none to the others.
   */
  run(inputs: readonly TfTensor[]): TfTensor[] {
    const workspace = this.#workspace
    const live = new Map<ValueId, TfTensor>()
    const release = (value: ValueId) => {
      const tensor = live.get(value)
      if (tensor) workspace.free(tensor)
      live.delete(value)
    }
    this.#graph.inputs.forEach(({ value, donated }, i) => {
      live.set(value, donated ? inputs[i]! : workspace.retain(inputs[i]!))
    })
    const outputs: TfTensor[] = []
    try {
      for (const { node, run, spent } of this.#steps) {
        const operands = node.inputs.map((value) => live.get(value)!)
        workspace
          .scope(() => [run(operands)].flat())
          .forEach((tensor, i) => live.set(node.outputs[i]!, tensor))
        spent.forEach(release)
      }
      for (const { value } of this.#graph.outputs) outputs.push(workspace.retain(live.get(value)!))
      return outputs
    } catch (error) {
      outputs.forEach((tensor) => workspace.free(tensor))
      throw error
    } finally {
      for (const value of live.keys()) release(value)
    }
  }

  /** Frees the constants. */
  dispose(): void {
    for (const tensor of this.#constants.splice(0)) this.#workspace.free(tensor)
  }
}

/** A node with its rule applied. Tensors without elements never reach a kernel: tf's disagree about them. */
function prepare(
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
  const rule = device.rules[node.op] as Rule<OpName> | undefined
  if (!rule) throw new Error(`tfjs has no rule for ${printNode(graph, node)}`)
  return rule({ attrs: node.attrs, inputs, outputs, constant }, workspace)
}
