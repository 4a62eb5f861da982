// Finds the node at which a wrong result begins: runs the graph again with every value as an output, in the order of the nodes.
import type { Backend } from '@embed-kd/core'
import type { Graph } from '@embed-kd/core'
import { printNode, scopeOf } from '@embed-kd/core'
import { lower } from '@embed-kd/core'
import type { NumericCase } from './case.js'
import { numericCase, observe } from './numeric.js'

/** Returns a description of the first node with a wrong result in a failed case. Never throws. */
export async function locate(
  backend: Backend,
  { name, contract, graph, inputs }: NumericCase,
): Promise<string> {
  const { capabilities } = backend
  const open = withEveryOutput(lower(graph, capabilities))
  try {
    const definition = { name, contract, graph: open, inputs }
    const { failure, output } = await observe(backend, numericCase(definition, capabilities))
    const wrong = open.outputs.find((candidate) => candidate.name === output)
    const node = open.nodes.find(({ outputs }) => wrong && outputs.includes(wrong.value))
    if (!failure || !node)
      return 'no node is wrong where all values are outputs: look at what the backend joins or reuses between nodes'
    return `the first wrong node${scopeOf(node.place) && ` (in ${scopeOf(node.place)})`}: ${printNode(open, node)}\n  ${failure}`
  } catch (error) {
    return `with all values as outputs it does not run at all: ${(error as Error).message}`
  }
}

/** Returns the graph with every node's results as outputs called `%id`, and with no donated inputs. */
const withEveryOutput = (graph: Graph): Graph => ({
  ...graph,
  inputs: graph.inputs.map((input) => ({ ...input, donated: false })),
  outputs: graph.nodes.flatMap(({ outputs }) =>
    outputs.map((value) => ({ name: `%${value}`, value })),
  ),
})
