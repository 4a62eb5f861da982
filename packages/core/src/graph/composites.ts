// The part of the table of ops (ops.ts) for composites: ops that have a decomposition into others.
import {
  alongAxis,
  areSizes,
  binary,
  composite,
  floats,
  isAxis,
  reduction,
  unary,
} from './contracts.js'
import { isFloat, sameShape, sameType, type Shape, type TensorType } from '../tensor/tensor.js'

export const composites = {
  /** Independent booleans as floats. A pure function of key and stream on one backend, device and version. */
  bernoulli: composite<{
    readonly shape: Shape
    readonly stream: number
    readonly probability: number
  }>({
    signature: 'key: int32[2] (seed, step) -> y: float32[shape], 1 with the probability, else 0',
    constraints: [
      'key is int32[2]',
      'the sizes are non-negative integers',
      'stream, which tells the draws of one step apart, is a non-negative integer',
      'probability is between 0 and 1, both excluded',
    ],
    arity: 1,
    infer: ([key], { shape, stream, probability }, check) => {
      check(key!.dtype === 'int32' && sameShape(key!.shape, [2]), 1)
      check(areSizes(shape), 2)
      check(areSizes([stream]), 3)
      check(probability > 0 && probability < 1, 4)
      return [{ dtype: 'float32', shape }]
    },
  }),
  split: composite<{ readonly axis: number; readonly sizes: readonly number[] }>({
    signature: 'x -> y0, y1, …: the parts of x along axis, of the given sizes; undoes concat',
    constraints: [
      'axis is between 0 and rank - 1',
      'there is a size, and the sizes are non-negative integers',
      'the sizes add up to the size of axis',
    ],
    arity: 1,
    infer: ([x], { axis, sizes }, check) => {
      const { dtype, shape } = x!
      check(isAxis(axis, shape.length), 1)
      check(sizes.length > 0 && areSizes(sizes), 2)
      check(sizes.reduce((sum, size) => sum + size, 0) === shape[axis], 3)
      return sizes.map((size) => ({ dtype, shape: shape.with(axis, size) }))
    },
  }),
  mean: composite(reduction('mean', false)),
  softmax: alongAxis('exp(x - max) / Σ exp(x - max)'),
  /** The gradient of softmax's x, from softmax's output y and the gradient g of y. */
  softmaxGradient: composite<{ readonly axis: number }>({
    signature: 'y, g: float[…] -> y · (g - Σ y · g) along axis',
    constraints: [
      'y and g are floats of one dtype and shape',
      'axis is between 0 and rank - 1',
      'that axis is not empty',
    ],
    arity: 2,
    infer: ([y, g], { axis }, check) => {
      check(isFloat(y!.dtype) && sameType(y!, g!), 1)
      check(isAxis(axis, y!.shape.length), 2)
      check(y!.shape[axis]! > 0, 3)
      return [y!]
    },
  }),
  logSoftmax: alongAxis('x - max - ln Σ exp(x - max)'),
  /** As torch.nn.LayerNorm over the last axis; mean and 1/√(variance + epsilon) are kept for the gradient. */
  layerNorm: composite<{ readonly epsilon: number }>({
    signature:
      'x: float32[…,d], scale, bias: float32[d] -> y: float32[…,d], mean, invStd: float32[…,1]',
    constraints: [
      'x is float32 of rank 1 or more',
      'd > 0',
      'scale and bias are float32[d]',
      'epsilon is at least 0',
    ],
    arity: 3,
    infer: ([x, scale, bias], { epsilon }, check) => {
      check(x!.dtype === 'float32' && x!.shape.length >= 1, 1)
      const d = x!.shape.at(-1)!
      check(d > 0, 2)
      check(
        [scale!, bias!].every((v) => v.dtype === 'float32' && sameShape(v.shape, [d])),
        3,
      )
      check(epsilon >= 0, 4)
      const statistics: TensorType = { dtype: 'float32', shape: [...x!.shape.slice(0, -1), 1] }
      return [x!, statistics, statistics]
    },
  }),
  /**
   * The gradient of the rows x that layerNorm standardizes to y = (x - mean) · invStd, before it scales and shifts them. g is the
   * gradient of y; c is g less its mean.
   */
  standardizeGradient: composite({
    signature:
      'y: float32[…,d], invStd: float32[…,1], g: float32[…,d] -> (c - y · mean(y · c)) · invStd',
    constraints: [
      'y is float32 of rank 1 or more',
      'd > 0',
      'invStd is float32[…,1]',
      'g has the type of y',
    ],
    arity: 3,
    infer: ([y, invStd, g], _, check) => {
      check(y!.dtype === 'float32' && y!.shape.length >= 1, 1)
      check(y!.shape.at(-1)! > 0, 2)
      const statistics: TensorType = { dtype: 'float32', shape: [...y!.shape.slice(0, -1), 1] }
      check(sameType(invStd!, statistics), 3)
      check(sameType(g!, y!), 4)
      return [y!]
    },
  }),
  /** As torch.nn.functional.gelu; `tanh` is its approximation. */
  gelu: composite<{ readonly approximate: 'none' | 'tanh' }>({
    signature: 'x: float -> y = x · Φ(x)',
    constraints: ['x is a float', 'approximate is none or tanh'],
    arity: 1,
    infer: ([x], { approximate }, check) => {
      check(isFloat(x!.dtype), 1)
      check(approximate === 'none' || approximate === 'tanh', 2)
      return [x!]
    },
  }),
  /** x · sigmoid(1.702 x), as in OpenAI's CLIP. */
  quickGelu: composite(unary('x · sigmoid(1.702 x)')),
  /** The gradient b of quickGelu's output times the slope at its input a. */
  quickGeluGradient: composite(
    binary('b · (s + 1.702 a · s · (1 - s)), s = sigmoid(1.702 a)', floats),
  ),
  /** As torch.nn.Linear, weight in its layout [out, in]. */
  linear: composite({
    signature: 'x: float[…,in], weight: float[out,in], bias?: float[out] -> y = x · weightᵀ + bias',
    constraints: [
      'x is a float of rank 1 or more',
      'weight is [out,in], of the dtype of x',
      'bias, where given, is [out], of the dtype of x',
    ],
    arity: [2, 3],
    infer: ([x, weight, bias], _, check) => {
      const { dtype, shape } = x!
      check(isFloat(dtype) && shape.length >= 1, 1)
      check(
        weight!.dtype === dtype && weight!.shape.length === 2 && weight!.shape[1] === shape.at(-1),
        2,
      )
      const out = weight!.shape[0]!
      check(bias === undefined || (bias.dtype === dtype && sameShape(bias.shape, [out])), 3)
      return [{ dtype, shape: [...shape.slice(0, -1), out] }]
    },
  }),
  /**
   * One step of AdamW (Loshchilov & Hutter 2019; torch.optim.AdamW) for one parameter. `correction1` and
   * `correction2` are the bias corrections 1 - β₁ᵗ and 1 - β₂ᵗ of this step.
   */
  adamw: composite<{
    readonly beta1: number
    readonly beta2: number
    readonly epsilon: number
    readonly weightDecay: number
  }>({
    signature:
      'parameter, gradient, m, v: float32[…], learningRate, correction1, correction2: float32[] -> parameter, m, v',
    constraints: [
      'parameter, gradient, m and v are float32 of one shape',
      'learningRate, correction1 and correction2 are float32 scalars',
      'beta1 and beta2 are in [0, 1), epsilon and weightDecay are at least 0',
    ],
    arity: 7,
    infer: (inputs, { beta1, beta2, epsilon, weightDecay }, check) => {
      const parameter = inputs[0]!
      check(
        inputs
          .slice(0, 4)
          .every((x) => x.dtype === 'float32' && sameShape(x.shape, parameter.shape)),
        1,
      )
      check(
        inputs.slice(4).every((x) => x.dtype === 'float32' && x.shape.length === 0),
        2,
      )
      check(
        [beta1, beta2].every((beta) => beta >= 0 && beta < 1),
        3,
      )
      check(epsilon >= 0 && weightDecay >= 0, 3)
      return [parameter, parameter, parameter]
    },
  }),
}
