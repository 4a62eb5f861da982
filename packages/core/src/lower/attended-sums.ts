// Sums of the rows of a matrix product that an earlier product knows.
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { findNode, madeBy, sourceOf } from './producers.js'

/** How much smaller the other sum must be, since it may have to be transposed. */
const WORTH_AN_OPERATOR = 4

/**
 * Returns the sums of the rows of `x` as [..., 1] if they cost less than a sum over all of `x`.
 *
 * The rows of (A·Bᵀ) ∘ P have the same sums as those of A ∘ (P·B). If P·B is there, the second is the smaller one: so the gradient of
 * attention's softmax takes its sums from the attended values (Dao et al. 2022, "FlashAttention").
 */
export function sumOfRows(x: Tensor): Tensor | undefined {
  const { tracer } = x
  const factors = factorsOf(x)
  const product = factors
    .map((factor) => madeBy(factor, 'matmul'))
    .find((node) => node !== undefined)
  if (!product || factors.length < 2 || product.attrs.transposeA || !product.attrs.transposeB)
    return undefined
  const [a, b] = product.inputs.map((id) => tracer.tensor(id)) as [Tensor, Tensor]
  if (a.shape.at(-1)! > x.shape.at(-1)! / WORTH_AN_OPERATOR) return undefined
  const others = idsOf(factors.filter(({ id }) => id !== product.outputs[0]))
  const twin = findNode(
    x,
    'matmul',
    ({ inputs, attrs }) =>
      inputs[1] === b.id &&
      !attrs.transposeA &&
      !attrs.transposeB &&
      idsOf(factorsOf(tracer.tensor(inputs[0]!))) === others,
  )
  if (!twin) return undefined
  const known = tracer.tensor(twin.outputs[0]!)
  return sumOfTransposed(a, known) ?? dotOfRows(a, known)
}

const dotOfRows = (a: Tensor, b: Tensor) =>
  op.sum(op.mul(a, b), { axes: [a.rank - 1], keepDims: true })

/** Computes the sums before `a` is transposed if `b` is there in that order too; `b` itself need then not be kept. */
function sumOfTransposed(a: Tensor, b: Tensor): Tensor | undefined {
  const transposed = madeBy(a, 'transpose')
  if (!transposed) return undefined
  const { permutation } = transposed.attrs
  const back = permutation.map((_, axis) => permutation.indexOf(axis))
  const twin = findNode(
    b,
    'transpose',
    ({ inputs, attrs }) => inputs[0] === b.id && attrs.permutation.join() === back.join(),
  )
  if (!twin || permutation.at(-1) !== a.rank - 1) return undefined
  return op.transpose(
    dotOfRows(sourceOf(a, transposed), a.tracer.tensor(twin.outputs[0]!)),
    permutation,
  )
}

/** The tensors that `x` is an element-wise product of: `x` itself if it is none. */
function factorsOf(x: Tensor): Tensor[] {
  const node = madeBy(x, 'mul')
  return node ? node.inputs.flatMap((id) => factorsOf(x.tracer.tensor(id))) : [x]
}

const idsOf = (tensors: readonly Tensor[]) =>
  tensors
    .map(({ id }) => id)
    .toSorted((a, b) => a - b)
    .join()
