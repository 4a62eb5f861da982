// Reverse-mode differentiation: one pass over the trace, from the loss back, by the rules of vjps.ts.
import * as op from '../graph/api.js'
import type { Node, ValueId } from '../graph/graph.js'
import type { AttrsOf, OpName } from '../graph/ops.js'
import type { Tensor } from '../graph/trace.js'
import { formatType, sameShape } from '../tensor/tensor.js'
import { onesLike, vjps } from './vjps.js'

/**
 * Returns the gradients of a float32 scalar `loss` with respect to each tensor of `wrt`, traced into the same graph. A gradient is
 * undefined if the loss does not depend on its tensor.
 * @throws if the loss is not a float32 scalar, or a tensor belongs to another trace.
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): (Tensor | undefined)[] {
  if (loss.rank !== 0 || loss.type.dtype !== 'float32')
    throw new Error(`gradients: the loss must be a float scalar, got ${formatType(loss.type)}`)
  const { tracer } = loss
  if (wrt.some((x) => x.tracer !== tracer))
    throw new Error('gradients: a tensor belongs to another trace than the loss')
  const nodes = tracer.nodes.slice()

  // Only values between `wrt` and the loss need gradients.
  const dependent = new Set<ValueId>(wrt.map((x) => x.id))
  for (const node of nodes)
    if (node.inputs.some((id) => dependent.has(id)))
      for (const id of node.outputs) dependent.add(id)

  const known = new Map<ValueId, Tensor>([[loss.id, onesLike(loss)]])
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((id) => known.has(id) && dependent.has(id))) continue
    tracer.at({ ...node.place, phase: 'backward' }, () => {
      const contributions = applyVjp(node, tracer.tensor.bind(tracer), known)
      node.inputs.forEach((id, i) => {
        const contribution = contributions[i]
        if (!contribution || !dependent.has(id)) return
        const gradient = unbroadcast(contribution, tracer.tensor(id))
        const sum = known.get(id)
        known.set(id, sum ? accumulate(sum, gradient) : gradient)
      })
    })
  }
  return wrt.map((x) => (dependent.has(loss.id) ? known.get(x.id) : undefined))
}

function applyVjp(node: Node, tensor: (id: ValueId) => Tensor, known: Map<ValueId, Tensor>) {
  const gradients = node.outputs.map((id) => known.get(id))
  const outputs = node.outputs.map(tensor)
  const rule = vjps[node.op] as (context: object) => readonly (Tensor | undefined)[]
  const attrs = node.attrs as AttrsOf<OpName>
  return rule({ inputs: node.inputs.map(tensor), outputs, attrs, g: gradients[0], gradients })
}

/**
 * Adds two contributions to a gradient. Contributions of adjacent slices, zero outside of their slice, are put side by side:
 * the gradient of a tensor that is read slice after slice is then one copy of the gradients of its slices.
 */
function accumulate(sum: Tensor, gradient: Tensor): Tensor {
  return adjacent(sum, gradient) ?? adjacent(gradient, sum) ?? op.add(sum, gradient)
}

/** Returns the sum of two padded tensors if `second` begins, on one axis, right after `first` ends; else undefined. */
function adjacent(first: Tensor, second: Tensor): Tensor | undefined {
  const [a, b] = [first, second].map((x) => x.tracer.producer(x))
  if (a?.op !== 'pad' || b?.op !== 'pad') return undefined
  const [x, y] = [a, b].map(({ inputs: [id] }) => first.tracer.tensor(id!)) as [Tensor, Tensor]
  const { low, high } = a.attrs
  const axes = low.flatMap((n, axis) =>
    n === b.attrs.low[axis] && high[axis] === b.attrs.high[axis] ? [] : [axis],
  )
  const [axis] = axes
  if (axes.length !== 1 || axis === undefined) return undefined
  if (low[axis]! + x.shape[axis]! !== b.attrs.low[axis]) return undefined
  const parts = [...partsOf(x, axis), ...partsOf(y, axis)] as unknown as [Tensor, ...Tensor[]]
  const joined = op.concat(parts, axis)
  const rest = high.with(axis, b.attrs.high[axis]!)
  return [...low, ...rest].every((n) => n === 0) ? joined : op.pad(joined, low, rest)
}

/** Returns the tensors that `concat` along an axis made a tensor of, or the tensor itself. */
function partsOf(x: Tensor, axis: number): Tensor[] {
  const node = x.tracer.producer(x)
  return node?.op === 'concat' && node.attrs.axis === axis
    ? node.inputs.map((id) => x.tracer.tensor(id))
    : [x]
}

/** Sums a gradient over the axes along which its input was broadcast. */
function unbroadcast(gradient: Tensor, input: Tensor): Tensor {
  if (sameShape(gradient.shape, input.shape)) return gradient
  const lead = gradient.rank - input.rank
  const axes = gradient.shape.flatMap((n, axis) =>
    axis < lead || (input.shape[axis - lead] === 1 && n !== 1) ? [axis] : [],
  )
  // A gradient smaller than its input (a scalar seed, say) is spread over it.
  if (axes.length === 0) return op.broadcastTo(gradient, input.shape)
  const sum = op.sum(gradient, { axes, keepDims: lead === 0 })
  return op.broadcastTo(op.reshape(sum, input.shape), input.shape)
}
