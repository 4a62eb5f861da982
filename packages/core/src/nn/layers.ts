// The layers a vision transformer is made of, as functions of their parameters.
import { checkInteger, fail } from '../check.js'
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { formatType, hostScalar, sameShape } from '../tensor/tensor.js'

/** Draws dropout masks: one key (seed, step) for the whole graph, one stream for each place that drops. */
export class Dropout {
  readonly #key: Tensor
  readonly #rate: number
  #streams = 0

  /** @param key int32[2] (seed, step); @param rate probability in [0, 1) that an element becomes zero. */
  constructor(key: Tensor, rate: number) {
    this.#key = key
    this.#rate = rate
  }

  /** Zeroes elements at random and scales the others by 1 / (1 - rate), as torch.nn.Dropout in training. */
  apply(x: Tensor): Tensor {
    const share = 1 - this.#rate
    const kept = op.bernoulli(this.#key, x.shape, this.#streams++, share)
    return op.mul(op.mul(x, kept), 1 / share)
  }
}

/** (x - mean) / √(variance + epsilon) along the last axis: a layer norm without scale and bias. */
export function standardize(x: Tensor, epsilon: number): Tensor {
  const everywhere = (value: number) =>
    op.broadcastTo(x.tracer.constant(hostScalar(value)), [x.shape.at(-1)!])
  // Adding -0 is what changes nothing.
  return op.layerNorm(x, everywhere(1), everywhere(-0), epsilon)
}

export interface AffineParameters {
  readonly weight: Tensor
  readonly bias: Tensor
}

/**
 * A linear layer of a layer norm's output, as one of the standardized input: W·(s ∘ x + b) + c = (W ∘ s)·x + (W·b + c).
 * Scale and bias then get their gradients from small matrices, not from sums over [B,T,D].
 */
export function absorbNorm(norm: AffineParameters, { weight, bias }: AffineParameters) {
  return { weight: op.mul(weight, norm.weight), bias: op.linear(norm.bias, weight, bias) }
}

export interface AttentionParameters {
  /** Query, key and value projections stacked: [3·width, width], [3·width]. */
  readonly in_proj_weight: Tensor
  readonly in_proj_bias: Tensor
  readonly out_proj: { readonly weight: Tensor; readonly bias: Tensor }
}

/** Rotation angles of rotary positions: cosines and sines [T, headWidth], one row for each token. */
export interface Rotation {
  readonly cos: Tensor
  readonly sin: Tensor
}

export interface AttentionOptions {
  /** Number of images, B. */
  readonly batch: number
  readonly heads: number
  readonly dropout?: Dropout | undefined
  /** Rotates queries and keys by the positions of their tokens (Su 2021, "RoFormer"). Queries are the first tokens. */
  readonly rotation?: Rotation | undefined
  /** Added to the scores: [heads, T, T], of which queries are the first rows. */
  readonly bias?: Tensor | undefined
}

/**
 * Multi-head attention as torch.nn.MultiheadAttention: queries from `x` [B·Q,D], keys and values from `context` [B·T,D]; result
 * [B·Q,D]. Tokens of an image follow each other.
 */
export function attention(
  { in_proj_weight, in_proj_bias, out_proj }: AttentionParameters,
  x: Tensor,
  context: Tensor,
  { batch, heads, dropout, rotation, bias }: AttentionOptions,
): Tensor {
  const [rows, width] = x.shape as [number, number]
  const [queries, headWidth] = [rows / batch, width / heads]
  /** Projects tokens by one product and returns `parts` tensors [B,heads,T,headWidth]. */
  const project = (tokens: Tensor, weight: Tensor, bias: Tensor, parts: number) => {
    const split = [batch, tokens.shape[0]! / batch, parts * heads, headWidth]
    const projected = op.reshape(op.linear(tokens, weight, bias), split)
    return op.split(op.transpose(projected, [0, 2, 1, 3]), 1, new Array<number>(parts).fill(heads))
  }
  const projectApart = () => {
    const [weight, weights] = op.split(in_proj_weight, 0, [width, 2 * width])
    const [bias, biases] = op.split(in_proj_bias, 0, [width, 2 * width])
    return [...project(x, weight!, bias!, 1), ...project(context, weights!, biases!, 2)]
  }
  const [q, k, v] = (
    x.id === context.id ? project(x, in_proj_weight, in_proj_bias, 3) : projectApart()
  ) as [Tensor, Tensor, Tensor]
  const turned = (x: Tensor) => (rotation ? rotate(x, rotation) : x)
  const scores = op.matmul(op.mul(turned(q), headWidth ** -0.5), turned(k), { transposeB: true })
  const probabilities = op.softmax(
    bias ? op.add(scores, op.sliceAxis(bias, 1, 0, queries)) : scores,
  )
  const mixed = op.matmul(dropout ? dropout.apply(probabilities) : probabilities, v)
  const joined = op.reshape(op.transpose(mixed, [0, 2, 1, 3]), [rows, width])
  return op.linear(joined, out_proj.weight, out_proj.bias)
}

/** Turns the two halves of each head's channels against each other: [B,H,T,headWidth]. */
function rotate(x: Tensor, { cos, sin }: Rotation): Tensor {
  const [, , tokens, width] = x.shape as [number, number, number, number]
  const half = width / 2
  const turned = op.concat([op.neg(op.sliceAxis(x, 3, half, half)), op.sliceAxis(x, 3, 0, half)], 3)
  const rows = (table: Tensor) => op.sliceAxis(table, 0, 0, tokens)
  return op.add(op.mul(x, rows(cos)), op.mul(turned, rows(sin)))
}

/**
 * Cuts images [B,C,H,W] into patches of height p and width q, without overlap, and returns them as vectors
 * [B, H/p · W/q, C·p·q] in the layout of a p×q convolution's weight.
 * @param size p; @param breadth q (default: p).
 * @throws UserError if the images have another rank, or the patches do not divide them.
 */
export function patches(images: Tensor, size: number, breadth = size): Tensor {
  if (images.rank !== 4) fail(`images must be [B,C,H,W], got ${formatType(images.type)}`)
  checkInteger('patches: size', size)
  checkInteger('patches: breadth', breadth)
  const [batch, channels, height, width] = images.shape as [number, number, number, number]
  const [rows, columns] = [height / size, width / breadth]
  if (!Number.isInteger(rows) || !Number.isInteger(columns))
    fail(`patches of ${size}x${breadth} pixels do not divide images of ${height}x${width}`)
  const split = op.reshape(images, [batch, channels, rows, size, columns, breadth])
  return op.reshape(op.transpose(split, [0, 2, 4, 1, 3, 5]), [
    batch,
    rows * columns,
    channels * size * breadth,
  ])
}

/** x / ‖x‖₂ along the last axis, as torch.nn.functional.normalize; zeros stay zeros. */
export const l2Normalize = (x: Tensor): Tensor => {
  const squared = op.sum(op.mul(x, x), { axes: [x.rank - 1], keepDims: true })
  return op.mul(x, op.rsqrt(op.add(squared, 1e-24)))
}

/**
 * Returns the mean over rows of -Σ targets · log softmax(scores), a scalar; scores and targets: [N, classes].
 * As torch.nn.functional.cross_entropy with class probabilities as targets.
 * @throws UserError if the shapes differ or are not of rank 2.
 */
export function crossEntropy(scores: Tensor, targets: Tensor): Tensor {
  if (scores.rank !== 2 || !sameShape(scores.shape, targets.shape))
    fail(
      `crossEntropy: scores and targets must be [N, classes], got ${formatType(scores.type)} and ${formatType(targets.type)}`,
    )
  return op.mul(op.sum(op.mul(targets, op.logSoftmax(scores))), -1 / scores.shape[0]!)
}
