// A translated graph: a flat list of kernel calls in the graph's order, each tensor freed at its last use. It knows nothing of
// buffers and their owners (executable.ts), nor which kernels an op takes (emitters.ts).
import {
  bytesOf,
  lastUses,
  type Graph,
  type RunMemory,
  type TensorType,
  type ValueId,
} from '@embed-kd/core'
import type { Run } from './emitters.js'
import { planRun, type PlannedStep } from './plan-memory.js'
import type { TfTensor, Workspace } from './workspace.js'

export interface Step extends PlannedStep {
  readonly run: Run
}

/** A tensor that an executable keeps between runs. */
export type Constant = TfTensor & TensorType

/** Plans the frees of a run: for each node, the values to free after it. The caller's values are never freed. */
export function planFrees(graph: Graph): readonly (readonly ValueId[])[] {
  const last = lastUses(graph)
  const held = new Set([
    ...graph.inputs.filter((input) => !input.donated).map((input) => input.value),
    ...graph.outputs.map((output) => output.value),
  ])
  return graph.nodes.map(({ inputs, outputs }, index) =>
    [...new Set([...inputs, ...outputs])].filter(
      (value) => last[value]! <= index && !held.has(value),
    ),
  )
}

export class Schedule {
  readonly #graph: Graph
  readonly #workspace: Workspace
  readonly #steps: readonly Step[]
  readonly #constants: Constant[]

  /** @param constants tensors that the steps read; the schedule frees them in the end. */
  constructor(
    graph: Graph,
    workspace: Workspace,
    steps: readonly Step[],
    constants: readonly Constant[],
  ) {
    this.#graph = graph
    this.#workspace = workspace
    this.#steps = steps
    this.#constants = [...constants]
  }

  /** Bytes of the constants. */
  get constantBytes(): number {
    return this.#constants.reduce((sum, constant) => sum + bytesOf(constant), 0)
  }

  /** Plans the memory of a run, with the tensors that emitters announced beside their outputs. */
  planMemory(): RunMemory {
    return planRun(this.#graph, this.#steps, this.constantBytes)
  }

  /**
   * Runs the graph. Inputs are in the order of `graph.inputs`, outputs in the order of `graph.outputs`. The schedule takes over
   * one reference to each donated input, whether it succeeds or throws, and keeps none to the others.
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
