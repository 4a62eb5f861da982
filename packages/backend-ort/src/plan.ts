// Plans how a lowered graph runs on a device: which nodes join, and which outputs are written over donated inputs.
import type { Graph, Node } from '@embed-kd/core'
import { overwritten } from './donation.js'
import { absorbFactors, type FactoredGraph } from './onnx/factors.js'

export interface Plan extends FactoredGraph {
  /** Names of the donated inputs whose memory the outputs of the same name take. */
  readonly overwritten: ReadonlySet<string>
}

/** Properties of a device that a plan depends on. */
export interface Planned {
  /** Returns whether the operator of a matrix product multiplies by a factor too. */
  absorbs(node: Node, graph: Graph): boolean
  /** Whether an output can be written to the memory of an input. */
  readonly writesOver: boolean
}

export function planRun(lowered: Graph, device: Planned): Plan {
  const factored = absorbFactors(lowered, (node, graph) => device.absorbs(node, graph))
  return {
    ...factored,
    overwritten: device.writesOver ? overwritten(factored.graph) : new Set(),
  }
}
