// What rewrites ask of the nodes that made a tensor.
import type { Node } from '../graph/graph.js'
import type { OpName } from '../graph/ops.js'
import type { Tensor } from '../graph/trace.js'
import { valuesOf } from '../tensor/tensor.js'

/** Returns the node that made `x` if it applies the op `name`. */
export function madeBy<K extends OpName>(x: Tensor, name: K): Node<K> | undefined {
  const node = x.tracer.producer(x)
  return node?.op === name ? (node as Node<K>) : undefined
}

/** The input that made `x` through `name`. */
export const sourceOf = (x: Tensor, node: Node): Tensor => x.tracer.tensor(node.inputs[0]!)

/** Returns the number that all elements of a tensor are, if that is known. */
export function uniform(x: Tensor): number | undefined {
  const broadcast = madeBy(x, 'broadcastTo')
  if (broadcast) return uniform(sourceOf(x, broadcast))
  const value = madeBy(x, 'constant')?.attrs.value
  return value?.data.length === 1 ? valuesOf(value)[0] : undefined
}

/** Returns the first node of the trace so far that applies the op `name` and meets a condition. */
export function findNode<K extends OpName>(
  { tracer }: Tensor,
  name: K,
  isWanted: (node: Node<K>) => boolean,
): Node<K> | undefined {
  return tracer.nodes.find((node) => node.op === name && isWanted(node as Node<K>)) as
    | Node<K>
    | undefined
}
