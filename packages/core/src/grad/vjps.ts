// The gradient rule of every op: gradients of its outputs become gradients of its inputs (vector-Jacobian products).
// Rules may return gradients of the broadcast shape; `gradients` sums them back to the input's shape in one place.
import * as op from '../graph/api.js'
import { asMatrix } from '../graph/as-matrix.js'
import type { AttrsOf, OpName } from '../graph/ops.js'
import type { Tensor } from '../graph/trace.js'
import { hostTensor, isFloat, sizeOf } from '../tensor/tensor.js'

interface Context<K extends OpName> {
  readonly inputs: readonly Tensor[]
  readonly outputs: readonly Tensor[]
  readonly attrs: AttrsOf<K>
  /** The gradient of the first output. */
  readonly g: Tensor
  /** The gradients of all outputs; undefined for an output that the loss does not depend on. */
  readonly gradients: readonly (Tensor | undefined)[]
}

/** One gradient for each input; undefined is zero. */
type Vjp<K extends OpName> = (context: Context<K>) => readonly (Tensor | undefined)[]

/** No gradient flows through: integer, boolean and random results. */
const none: Vjp<OpName> = () => []

/** Elementwise: the derivative of y = f(x), given x and y, times g. */
const unary =
  (derivative: (x: Tensor, y: Tensor, g: Tensor) => Tensor): Vjp<OpName> =>
  ({ inputs, outputs, g }) => [derivative(inputs[0]!, outputs[0]!, g)]

/** maximum and minimum: the chosen side gets g, a tie is shared. */
const extremum =
  (chosen: (a: Tensor, b: Tensor) => Tensor): Vjp<OpName> =>
  ({ inputs, g }) => {
    const [a, b] = inputs as [Tensor, Tensor]
    const share = op.select(op.equal(a, b), 0.5, op.cast(chosen(a, b), g.type.dtype))
    return [op.mul(g, share), op.mul(g, op.sub(1, share))]
  }

/** A reduced tensor with its reduced axes back, of size 1. */
const restored = (x: Tensor, reduced: Tensor, axes: readonly number[]) =>
  op.reshape(
    reduced,
    x.shape.map((n, axis) => (axes.includes(axis) ? 1 : n)),
  )

const gaussian = (x: Tensor) =>
  op.mul(op.exp(op.mul(op.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI))

export const vjps: { [K in OpName]: Vjp<K> } = {
  constant: none,
  iota: none,
  randomUniform: none,
  bernoulli: none,

  neg: unary((_x, _y, g) => op.neg(g)),
  exp: unary((_x, y, g) => op.mul(g, y)),
  log: unary((x, _y, g) => op.div(g, x)),
  sqrt: unary((_x, y, g) => op.div(op.mul(g, 0.5), y)),
  rsqrt: unary((x, y, g) => op.mul(op.mul(g, -0.5), op.div(y, x))),
  tanh: unary((_x, y, g) => op.mul(g, op.sub(1, op.mul(y, y)))),
  sigmoid: unary((_x, y, g) => op.mul(g, op.mul(y, op.sub(1, y)))),
  erf: unary((x, _y, g) => op.mul(g, op.mul(op.exp(op.neg(op.mul(x, x))), 2 / Math.sqrt(Math.PI)))),
  sin: unary((x, _y, g) => op.mul(g, op.cos(x))),
  cos: unary((x, _y, g) => op.neg(op.mul(g, op.sin(x)))),
  add: ({ g }) => [g, g],
  sub: ({ g }) => [g, op.neg(g)],
  mul: ({ inputs: [a, b], g }) => [op.mul(g, b!), op.mul(g, a!)],
  div: ({ inputs: [, b], outputs: [y], g }) => {
    const quotient = op.div(g, b!)
    return [quotient, op.neg(op.mul(quotient, y!))]
  },
  maximum: extremum((a, b) => op.less(b, a)),
  minimum: extremum((a, b) => op.less(a, b)),
  equal: none,
  less: none,
  lessEqual: none,
  and: none,
  or: none,
  not: none,
  select: ({ inputs: [condition], g }) => [
    undefined,
    op.select(condition!, g, 0),
    op.select(condition!, 0, g),
  ],
  cast: ({ inputs: [x], attrs, g }) =>
    isFloat(x!.type.dtype) && isFloat(attrs.dtype) ? [op.cast(g, x!.type.dtype)] : [],

  reshape: ({ inputs: [x], g }) => [op.reshape(g, x!.shape)],
  transpose: ({ attrs: { permutation }, g }) => [
    op.transpose(
      g,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  broadcastTo: ({ g }) => [g],
  slice: ({ inputs: [x], attrs: { starts, sizes }, g }) => [
    op.pad(
      g,
      starts,
      x!.shape.map((n, axis) => n - starts[axis]! - sizes[axis]!),
    ),
  ],
  pad: ({ inputs: [x], attrs: { low }, g }) => [op.slice(g, low, x!.shape)],
  concat: ({ inputs, attrs: { axis }, g }) => {
    let start = 0
    return inputs.map((x) => {
      const part = op.sliceAxis(g, axis, start, x.shape[axis]!)
      start += x.shape[axis]!
      return part
    })
  },
  split: ({ outputs, attrs: { axis }, gradients }) => {
    const parts = outputs.map((y, i) => gradients[i] ?? zerosLike(y))
    return [op.concat(parts as [Tensor, ...Tensor[]], axis)]
  },

  sum: ({ inputs: [x], attrs: { axes }, g }) => [op.broadcastTo(restored(x!, g, axes), x!.shape)],
  max: ({ inputs: [x], outputs: [y], attrs: { axes }, g }) => {
    // As torch.amax: a tie is shared evenly.
    const hits = op.cast(op.equal(x!, restored(x!, y!, axes)), x!.type.dtype)
    const share = op.div(restored(x!, g, axes), op.sum(hits, { axes, keepDims: true }))
    return [op.mul(hits, share)]
  },
  argmax: none,
  matmul: ({ inputs: [a, b], attrs: { transposeA, transposeB }, g }) => [
    transposeA
      ? op.matmul(b!, g, { transposeA: transposeB, transposeB: true })
      : op.matmul(g, b!, { transposeB: !transposeB }),
    transposeB
      ? op.matmul(g, a!, { transposeA: true, transposeB: transposeA })
      : op.matmul(a!, g, { transposeA: !transposeA }),
  ],

  mean: ({ inputs: [x], outputs: [y], attrs: { axes }, g }) => {
    const share = op.mul(restored(x!, g, axes), sizeOf(y!.shape) / sizeOf(x!.shape))
    return [op.broadcastTo(share, x!.shape)]
  },
  softmax: ({ outputs: [y], attrs, g }) => y!.tracer.emit('softmaxGradient', [y!, g], attrs),
  softmaxGradient: ({ inputs, attrs, g: h }) => {
    const [y, g] = inputs as [Tensor, Tensor]
    const along = (x: Tensor) => op.sum(op.mul(x, y), { axes: [attrs.axis], keepDims: true })
    return [
      op.sub(op.mul(h, op.sub(g, along(g))), op.mul(g, along(h))),
      ...y.tracer.emit('softmaxGradient', [y, h], attrs),
    ]
  },
  logSoftmax: ({ outputs: [y], attrs: { axis }, g }) => [
    op.sub(g, op.mul(op.exp(y!), op.sum(g, { axes: [axis], keepDims: true }))),
  ],
  layerNorm: ({ inputs, outputs, gradients }) => {
    const [x, scale] = inputs as [Tensor, Tensor]
    const [, mean, invStd] = outputs as [Tensor, Tensor, Tensor]
    const [g, gMean, gInvStd] = gradients
    if (gMean || gInvStd)
      throw new Error(
        'layerNorm: its mean and invStd are for its own gradient; do not differentiate them',
      )
    if (!g) return []
    const standardized = op.mul(op.sub(x, mean), invStd)
    const rows = x.shape.slice(0, -1).map((_, axis) => axis)
    return [
      ...x.tracer.emit('standardizeGradient', [standardized, invStd, op.mul(g, scale)], {}),
      op.sum(op.mul(g, standardized), { axes: rows }),
      op.sum(g, { axes: rows }),
    ]
  },
  standardizeGradient: () => {
    throw new Error('layerNorm: its gradient is not differentiable here')
  },
  gelu: ({ inputs, attrs: { approximate }, g }) => {
    const x = inputs[0]!
    if (approximate === 'none') {
      const cumulative = op.mul(op.add(op.erf(op.mul(x, Math.SQRT1_2)), 1), 0.5)
      return [op.mul(g, op.add(cumulative, op.mul(x, gaussian(x))))]
    }
    const c = Math.sqrt(2 / Math.PI)
    const square = op.mul(x, x)
    const t = op.tanh(op.mul(op.mul(x, op.add(op.mul(square, 0.044715), 1)), c))
    const slope = op.mul(op.sub(1, op.mul(t, t)), op.add(op.mul(square, 3 * 0.044715 * c), c))
    return [op.mul(g, op.mul(op.add(op.add(t, 1), op.mul(x, slope)), 0.5))]
  },
  quickGelu: ({ inputs: [x], g }) => x!.tracer.emit('quickGeluGradient', [x!, g], {}),
  quickGeluGradient: ({ inputs, g: h }) => {
    const [x, g] = inputs as [Tensor, Tensor]
    const scaled = op.mul(x, 1.702)
    const s = op.sigmoid(scaled)
    const curvature = op.mul(
      op.mul(s, op.sub(1, s)),
      op.add(op.mul(scaled, op.sub(1, op.mul(s, 2))), 2),
    )
    return [
      op.mul(op.mul(h, g), op.mul(curvature, 1.702)),
      ...x.tracer.emit('quickGeluGradient', [x, h], {}),
    ]
  },
  linear: ({ inputs: [x, weight, bias], g }) => {
    if (x!.rank === 1) {
      const column = op.reshape(g, [g.shape[0]!, 1])
      return [op.sum(op.mul(column, weight!), { axes: [0] }), op.mul(column, x!), bias && g]
    }
    const rows = asMatrix(g)
    return [
      op.reshape(op.matmul(rows, weight!), x!.shape),
      op.matmul(rows, asMatrix(x!), { transposeA: true }),
      bias && op.sum(rows, { axes: [0] }),
    ]
  },
  adamw: () => {
    throw new Error('adamw: an optimizer step is not differentiable here')
  },
}

const zerosLike = (x: Tensor): Tensor =>
  op.broadcastTo(op.cast(x.tracer.constant(hostTensor('float32', [], [0])), x.type.dtype), x.shape)

/** float32 ones of a shape: the gradient a scalar loss starts from. */
export const onesLike = (x: Tensor): Tensor =>
  op.broadcastTo(x.tracer.constant(hostTensor('float32', [], [1])), x.shape)
