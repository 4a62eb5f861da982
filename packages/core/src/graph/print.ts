// Graphs as text: stable, typed, one node a line. Snapshots, error messages and reports show this form.
import { formatType } from '../tensor/tensor.js'
import { scopeOf, type Graph, type Node, type ValueId } from './graph.js'
import { formatAttrs } from './format-attrs.js'

const typed = (graph: Graph, value: ValueId) => `%${value}: ${formatType(graph.types[value]!)}`

/** Returns a node as text: `%3: f32[64,65,256] = matmul %1 %2 {transposeB}`. */
export function printNode(graph: Graph, node: Node): string {
  const outputs = node.outputs.map((value) => typed(graph, value)).join(', ')
  const inputs = node.inputs.map((value) => ` %${value}`).join('')
  const attrs = formatAttrs(node.attrs)
  return `${outputs} = ${node.op}${inputs}${attrs && ` ${attrs}`}`
}

/** Returns a graph as text; a comment line names the place of the nodes below it. */
export function print(graph: Graph): string {
  const lines = [`graph ${graph.name}`]
  for (const { name, value, role, donated } of graph.inputs)
    lines.push(`  input ${typed(graph, value)} ${name} (${role}${donated ? ', donated' : ''})`)
  let scope = ''
  for (const node of graph.nodes) {
    const own = scopeOf(node.place)
    if (own !== scope) lines.push(`  # ${own || 'top'}`)
    scope = own
    lines.push(`  ${printNode(graph, node)}`)
  }
  for (const { name, value } of graph.outputs) lines.push(`  output ${name} = %${value}`)
  return lines.join('\n')
}
