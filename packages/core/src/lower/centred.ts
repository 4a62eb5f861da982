// Rows of matrix products less their mean.
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { sameShape, sizeOf } from '../tensor/tensor.js'

const lessMean = (x: Tensor): Tensor =>
  op.sub(x, op.mean(x, { axes: [x.rank - 1], keepDims: true }))

/**
 * Returns the rows of `x` less their means. If `x` is made of products with matrices smaller than itself, the rows of those are centred
 * instead: A·B less the means of its rows is A·(B less the means of its rows). The products of `x` then need not be computed, so
 * nothing else should read them.
 */
export const centredRows = (x: Tensor): Tensor =>
  throughProducts(x, x.shape.at(-1)!, sizeOf(x.shape)) ?? lessMean(x)

/** Centres each run of `length` elements along the last axis by products with fewer than `most` elements. */
function throughProducts(x: Tensor, length: number, most: number): Tensor | undefined {
  const { tracer } = x
  const node = tracer.producer(x)
  const [a, b] = (node?.inputs ?? []).map((id) => tracer.tensor(id)) as [Tensor, Tensor]
  const through = (operand: Tensor) => throughProducts(operand, length, most)
  switch (node?.op) {
    case 'matmul':
      return !node.attrs.transposeB && b.shape.at(-1) === length && sizeOf(b.shape) < most
        ? op.matmul(a, lessMean(b), node.attrs)
        : undefined
    case 'add': {
      if (!sameShape(a.shape, b.shape)) return undefined
      const [left, right] = [through(a), through(b)]
      return left && right && op.add(left, right)
    }
    case 'reshape': {
      const source = through(a)
      return source && op.reshape(source, x.shape)
    }
    case 'pad': {
      const { low, high } = node.attrs
      const source = low.at(-1)! % length === 0 ? through(a) : undefined
      return source && op.pad(source, low, high)
    }
    default:
      return undefined
  }
}
