// Composites as primitives. A backend that runs a composite natively must give the same numbers as these.
import * as op from '../graph/api.js'
import { asMatrix } from '../graph/as-matrix.js'
import type { AttrsOf, CompositeName } from '../graph/ops.js'
import type { Tensor } from '../graph/trace.js'
import { sizeOf } from '../tensor/tensor.js'
import { centredRows } from './centred.js'

type Decompositions = {
  [K in CompositeName]: (inputs: readonly Tensor[], attrs: AttrsOf<K>) => Tensor[]
}

/** x - max(x) along one axis: what keeps exp from overflowing. */
const shifted = (x: Tensor, axis: number) => op.sub(x, op.max(x, { axes: [axis], keepDims: true }))

export const decompositions: Decompositions = {
  mean: ([x], attrs) => [
    op.mul(op.sum(x!, attrs), 1 / sizeOf(attrs.axes.map((axis) => x!.shape[axis]!))),
  ],
  bernoulli: ([key], { shape, stream, probability }) => [
    op.cast(op.less(op.randomUniform(key!, shape, stream), probability), 'float32'),
  ],
  split: ([x], { axis, sizes }) => {
    let next = 0
    return sizes.map((size) => op.sliceAxis(x!, axis, (next += size) - size, size))
  },
  softmax: ([x], { axis }) => {
    const e = op.exp(shifted(x!, axis))
    return [op.div(e, op.sum(e, { axes: [axis], keepDims: true }))]
  },
  softmaxGradient: ([y, g], { axis }) => {
    const sums = op.sum(op.mul(g!, y!), { axes: [axis], keepDims: true })
    return [op.mul(y!, op.sub(g!, sums))]
  },
  logSoftmax: ([x], { axis }) => {
    const s = shifted(x!, axis)
    return [op.sub(s, op.log(op.sum(op.exp(s), { axes: [axis], keepDims: true })))]
  },
  layerNorm: ([x, scale, bias], { epsilon }) => {
    const over = { axes: [x!.rank - 1], keepDims: true }
    const mean = op.mean(x!, over)
    const centred = op.sub(x!, mean)
    const invStd = op.rsqrt(op.add(op.mean(op.mul(centred, centred), over), epsilon))
    return [op.add(op.mul(op.mul(centred, invStd), scale!), bias!), mean, invStd]
  },
  standardizeGradient: ([y, invStd, g]) => {
    const centred = centredRows(g!)
    const share = op.mean(op.mul(centred, y!), { axes: [y!.rank - 1], keepDims: true })
    return [op.mul(op.sub(centred, op.mul(y!, share)), invStd!)]
  },
  gelu: ([x], { approximate }) => {
    if (approximate === 'none')
      return [op.mul(op.mul(x!, 0.5), op.add(op.erf(op.mul(x!, Math.SQRT1_2)), 1))]
    const cubic = op.mul(x!, op.add(op.mul(op.mul(x!, x!), 0.044715), 1))
    return [op.mul(op.mul(x!, 0.5), op.add(op.tanh(op.mul(cubic, Math.sqrt(2 / Math.PI))), 1))]
  },
  quickGelu: ([x]) => {
    // In parts that its gradient shares.
    const scaled = op.mul(x!, 1.702)
    return [op.div(op.mul(scaled, op.sigmoid(scaled)), 1.702)]
  },
  quickGeluGradient: ([x, g]) => {
    const scaled = op.mul(x!, 1.702)
    const s = op.sigmoid(scaled)
    return [op.mul(g!, op.add(s, op.mul(op.mul(scaled, s), op.sub(1, s))))]
  },
  linear: ([x, weight, bias]) => {
    const y = op.matmul(asMatrix(x!), weight!, { transposeB: true })
    return [op.reshape(bias ? op.add(y, bias) : y, [...x!.shape.slice(0, -1), weight!.shape[0]!])]
  },
  adamw: (inputs, { beta1, beta2, epsilon, weightDecay }) => {
    const [parameter, gradient, m, v, learningRate, correction1, correction2] = inputs as [
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
      Tensor,
    ]
    const nextM = op.add(op.mul(m, beta1), op.mul(gradient, 1 - beta1))
    const nextV = op.add(op.mul(v, beta2), op.mul(op.mul(gradient, gradient), 1 - beta2))
    const decayed =
      weightDecay === 0
        ? parameter
        : op.mul(parameter, op.sub(1, op.mul(learningRate, weightDecay)))
    // √v̂ = √v / √correction2, with the scalar brought where it costs no pass over the parameter.
    const root = op.sqrt(correction2)
    const denominator = op.add(op.sqrt(nextV), op.mul(root, epsilon))
    const rate = op.mul(op.div(learningRate, correction1), root)
    const update = op.mul(op.div(nextM, denominator), rate)
    return [op.sub(decayed, update), nextM, nextV]
  },
}
