// Lowers a graph to the ops that ONNX Runtime has operators for on a device.
import { lower, verify, type CompositeName, type Graph } from '@embed-kd/core'

/**
 * Returns a graph of the same inputs, outputs and results, in primitives and those composites that run as one operator.
 * @param composites those that the device has operators for.
 */
export function lowerForRuntime(graph: Graph, composites: readonly CompositeName[]): Graph {
  // The gradient of QuickGELU shares the parts of its decomposition, which saves more than one operator does.
  const isTrained = graph.nodes.some(({ op }) => op === 'quickGeluGradient')
  const native = composites.filter((name) => !(name === 'quickGelu' && isTrained))
  return verify(lower(graph, { composites: native }))
}
