// Mixed precision (Micikevicius et al. 2018): the models' products of matrices in float16, and what only passes their results on.
// Everything else stays float32: parameters and optimizer, norms, softmax, sums, and the losses. It sees places and ops only.
import type { Graph, Node, ValueId } from '../graph/graph.js'
import { Tracer, type Tensor } from '../graph/trace.js'
import { hasTrait } from '../graph/traits.js'
import * as op from '../graph/api.js'
import { hostTensor, sizeOf } from '../tensor/tensor.js'

/** Whether a node belongs to the forward or backward pass of a student or teacher; the loss does not. */
const isModel = ({ place: { part } }: Node): boolean => part === 'student' || part === 'teacher'

/** Whether only products of models read a value, as it is or reshaped. */
const feedsProducts = (graph: Graph, value: ValueId): boolean =>
  graph.nodes
    .filter(({ inputs }) => inputs.includes(value))
    .every(
      (node) =>
        isModel(node) &&
        (hasTrait(node.op, 'product') ||
          (hasTrait(node.op, 'view') && feedsProducts(graph, node.outputs[0]!))),
    )

/**
 * An equal graph but for rounding, with the casts that it takes. Its interface stays the same, except that weights of a teacher
 * which only products read are float16: they never change.
 */
export function mixedPrecision(graph: Graph): Graph {
  const tracer = new Tracer()
  const values = new Map<ValueId, Tensor>()
  /** Values that were made in float16. */
  const halves = new Set<ValueId>()
  /** Constants, which take the dtype of what they meet; the elements of scalars. */
  const numbers = new Map<ValueId, number>()
  for (const { name, value, role, donated } of graph.inputs) {
    const type = graph.types[value]!
    const half = role === 'teacher' && feedsProducts(graph, value)
    if (half) halves.add(value)
    const dtype = half ? 'float16' : type.dtype
    values.set(value, tracer.input(name, { ...type, dtype, role, donated }))
  }

  /** A value in the dtype it has in `graph`. */
  const asIs = (value: ValueId) => op.cast(values.get(value)!, graph.types[value]!.dtype)
  const asHalf = (value: ValueId) => {
    const number = numbers.get(value)
    return number === undefined
      ? op.cast(values.get(value)!, 'float16')
      : tracer.constant(hostTensor('float16', graph.types[value]!.shape, [number]))
  }
  const inHalf = (node: Node): boolean => {
    if (!isModel(node) || graph.types[node.outputs[0]!]!.dtype !== 'float32') return false
    if (hasTrait(node.op, 'product')) return true
    const tensors = node.inputs.filter((value) => !numbers.has(value))
    return (
      hasTrait(node.op, 'followsFloat16') &&
      tensors.length > 0 &&
      tensors.every((value) => halves.has(value))
    )
  }

  for (const node of graph.nodes)
    tracer.at(node.place, () => {
      const half = inHalf(node)
      const outputs = tracer.emit(node.op, node.inputs.map(half ? asHalf : asIs), node.attrs)
      node.outputs.forEach((value, i) => {
        values.set(value, outputs[i]!)
        if (half) halves.add(value)
      })
      if (node.op !== 'constant') return
      const { dtype, shape, data } = node.attrs.value
      if (dtype === 'float32' && sizeOf(shape) === 1) numbers.set(node.outputs[0]!, data[0]!)
    })
  return tracer.finish(
    graph.name,
    new Map(graph.outputs.map(({ name, value }) => [name, asIs(value)])),
  )
}
