// Rows of matrix products less their mean.
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { sizeOf } from '../tensor/tensor.js'
import { madeBy, sourceOf } from './producers.js'

const lessMean = (x: Tensor): Tensor =>
  op.sub(x, op.mean(x, { axes: [x.rank - 1], keepDims: true }))

/**
 * Returns the rows of `x` less their means. If `x` is a product with a smaller matrix, the rows of that matrix are centred instead:
 * A·B less the means of its rows is A·(B less the means of its rows). The product `x` then need not be computed, so nothing else
 * should read it.
 */
export function centredRows(x: Tensor): Tensor {
  const view = madeBy(x, 'reshape')
  const product = view ? sourceOf(x, view) : x
  const node = madeBy(product, 'matmul')
  if (!node || node.attrs.transposeB) return lessMean(x)
  const [a, b] = node.inputs.map((id) => x.tracer.tensor(id)) as [Tensor, Tensor]
  if (product.shape.at(-1) !== x.shape.at(-1) || sizeOf(b.shape) >= sizeOf(x.shape))
    return lessMean(x)
  return op.reshape(op.matmul(a, lessMean(b), node.attrs), x.shape)
}
