// Rows of matrix products less their mean.
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { sameShape, sizeOf } from '../tensor/tensor.js'

const lessMean = (x: Tensor): Tensor =>
  op.sub(x, op.mean(x, { axes: [x.rank - 1], keepDims: true }))

/**
 * Returns `x` with each run of `length` elements along its last axis less the run's mean (default: each row). If `x` is made of
 * products with smaller matrices, the rows of those are centred instead: A·B less the means of its rows is A·(B less the means of its
 * rows). The products of `x` then need not be computed, so nothing else should read them.
 */
export const centredRows = (x: Tensor): Tensor => throughProducts(x, x.shape.at(-1)!) ?? lessMean(x)

function throughProducts(x: Tensor, length: number): Tensor | undefined {
  const { tracer } = x
  const node = tracer.producer(x)
  const [a, b] = (node?.inputs ?? []).map((id) => tracer.tensor(id)) as [Tensor, Tensor]
  switch (node?.op) {
    case 'matmul':
      return !node.attrs.transposeB &&
        b.shape.at(-1) === length &&
        sizeOf(b.shape) < sizeOf(x.shape)
        ? op.matmul(a, lessMean(b), node.attrs)
        : undefined
    case 'add': {
      if (!sameShape(a.shape, b.shape)) return undefined
      const [left, right] = [throughProducts(a, length), throughProducts(b, length)]
      return left && right && op.add(left, right)
    }
    case 'reshape': {
      const source = throughProducts(a, length)
      return source && op.reshape(source, x.shape)
    }
    case 'pad': {
      const { low, high } = node.attrs
      const source = low.at(-1)! % length === 0 ? throughProducts(a, length) : undefined
      return source && op.pad(source, low, high)
    }
    default:
      return undefined
  }
}
