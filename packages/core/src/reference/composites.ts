// Reference kernels of the composites. Each follows the composite's definition, not its decomposition, so that a comparison of
// the two can find a mistake in either.
import type { CompositeName } from '../graph/ops.js'
import { sizeOf, stridesOf, type Shape } from '../tensor/tensor.js'
import { binary, sigmoid } from './elementwise.js'
import { erf } from './erf.js'
import type { Kernels } from './kernel.js'
import { reductions } from './reductions.js'
import { allocate, gather, type ReferenceData, type ReferenceTensor } from './tensor.js'
import { uniform } from './threefry.js'

const map = (f: (x: number) => number, { data }: ReferenceTensor): ReferenceData[] => {
  const y = allocate('float32', data.length)
  for (let i = 0; i < y.length; i++) y[i] = f(data[i]!)
  return [y]
}

/** Calls `visit` for every vector along `axis`: with the offset of its first element, the offset behind its last, and the step. */
function alongAxis(
  shape: Shape,
  axis: number,
  visit: (start: number, end: number, step: number) => void,
): void {
  const length = shape[axis]!
  const step = sizeOf(shape.slice(axis + 1))
  for (let block = 0; block < sizeOf(shape); block += length * step)
    for (let start = block; start < block + step; start++) visit(start, start + length * step, step)
}

/** Returns the maximum of a vector, and the logarithm of Σ exp(x - maximum). */
function logSumExp(x: ReferenceData, start: number, end: number, step: number) {
  let greatest = -Infinity
  for (let i = start; i < end; i += step) greatest = Math.max(greatest, x[i]!)
  let sum = 0
  for (let i = start; i < end; i += step) sum += Math.exp(x[i]! - greatest)
  return { greatest, logSum: Math.log(sum) }
}

export const composites: Kernels<CompositeName> = {
  bernoulli: ([key], { shape, stream, probability }) => {
    const [seed, step] = key!.data
    const y = allocate('float32', sizeOf(shape))
    for (let i = 0; i < y.length; i++) y[i] = Number(uniform(seed!, step!, stream, i) < probability)
    return [y]
  },
  split: ([x], { axis }, outputs) => {
    const strides = stridesOf(x!.shape)
    let start = 0
    return outputs.map(({ shape }) => {
      const part = gather(x!.data, shape, strides, start)
      start += shape[axis]! * strides[axis]!
      return part
    })
  },
  mean: (inputs, attrs, outputs) => {
    const [sum] = reductions.sum(inputs, attrs, outputs) as [ReferenceData]
    const count = inputs[0]!.data.length / sum.length
    return [sum.map((x: number) => x / count)]
  },
  softmax: ([x], { axis }) => {
    const y = allocate('float32', x!.data.length)
    alongAxis(x!.shape, axis, (start, end, step) => {
      const { greatest, logSum } = logSumExp(x!.data, start, end, step)
      for (let i = start; i < end; i += step) y[i] = Math.exp(x!.data[i]! - greatest - logSum)
    })
    return [y]
  },
  softmaxGradient: ([y, g], { axis }) => {
    const gradient = allocate('float32', y!.data.length)
    alongAxis(y!.shape, axis, (start, end, step) => {
      let expected = 0
      for (let i = start; i < end; i += step) expected += y!.data[i]! * g!.data[i]!
      for (let i = start; i < end; i += step) gradient[i] = y!.data[i]! * (g!.data[i]! - expected)
    })
    return [gradient]
  },
  logSoftmax: ([x], { axis }) => {
    const y = allocate('float32', x!.data.length)
    alongAxis(x!.shape, axis, (start, end, step) => {
      const { greatest, logSum } = logSumExp(x!.data, start, end, step)
      for (let i = start; i < end; i += step) y[i] = x!.data[i]! - greatest - logSum
    })
    return [y]
  },
  layerNorm: ([x, scale, bias], { epsilon }) => {
    const d = x!.shape.at(-1)!
    const rows = x!.data.length / d
    const y = allocate('float32', x!.data.length)
    const means = allocate('float32', rows)
    const invStds = allocate('float32', rows)
    for (let row = 0; row < rows; row++) {
      const values = x!.data.subarray(row * d, (row + 1) * d)
      let mean = 0
      for (const value of values) mean += value / d
      let variance = 0
      for (const value of values) variance += (value - mean) ** 2 / d
      const invStd = 1 / Math.sqrt(variance + epsilon)
      for (let i = 0; i < d; i++)
        y[row * d + i] = (values[i]! - mean) * invStd * scale!.data[i]! + bias!.data[i]!
      means[row] = mean
      invStds[row] = invStd
    }
    return [y, means, invStds]
  },
  standardizeGradient: ([y, invStd, g]) => {
    const d = y!.shape.at(-1)!
    const gradient = allocate('float32', y!.data.length)
    alongAxis(y!.shape, y!.shape.length - 1, (start, end) => {
      let [mean, projection] = [0, 0]
      for (let i = start; i < end; i++) mean += g!.data[i]! / d
      for (let i = start; i < end; i++) projection += (y!.data[i]! * (g!.data[i]! - mean)) / d
      for (let i = start; i < end; i++)
        gradient[i] = (g!.data[i]! - mean - y!.data[i]! * projection) * invStd!.data[start / d]!
    })
    return [gradient]
  },
  gelu: ([x], { approximate }) =>
    map(
      approximate === 'none'
        ? (x) => x * 0.5 * (1 + erf(x * Math.SQRT1_2))
        : (x) => x * 0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
      x!,
    ),
  quickGelu: ([x]) => map((x) => x * sigmoid(1.702 * x), x!),
  quickGeluGradient: binary((x, g) => {
    const s = sigmoid(1.702 * x)
    return g * s * (1 + 1.702 * x * (1 - s))
  }),
  linear: ([x, weight, bias]) => {
    const [features, inner] = weight!.shape as [number, number]
    const rows = sizeOf(x!.shape.slice(0, -1))
    const y = allocate('float32', rows * features)
    for (let row = 0; row < rows; row++)
      for (let feature = 0; feature < features; feature++) {
        let sum = bias ? bias.data[feature]! : 0
        for (let i = 0; i < inner; i++)
          sum += x!.data[row * inner + i]! * weight!.data[feature * inner + i]!
        y[row * features + feature] = sum
      }
    return [y]
  },
  // The order and the names are those of torch.optim.AdamW's documentation.
  adamw: (inputs, { beta1, beta2, epsilon, weightDecay }) => {
    const [parameter, gradient, m, v] = inputs.slice(0, 4).map((x) => x.data) as ReferenceData[]
    const [learningRate, correction1, correction2] = inputs.slice(4).map((x) => x.data[0]!)
    const size = parameter!.length
    const [nextParameter, nextM, nextV] = [0, 1, 2].map(() => allocate('float32', size))
    for (let i = 0; i < size; i++) {
      const g = gradient![i]!
      nextM![i] = beta1 * m![i]! + (1 - beta1) * g
      nextV![i] = beta2 * v![i]! + (1 - beta2) * g * g
      const decayed = parameter![i]! * (1 - learningRate! * weightDecay)
      const meanHat = nextM![i]! / correction1!
      const varianceHat = nextV![i]! / correction2!
      nextParameter![i] = decayed - (learningRate! * meanHat) / (Math.sqrt(varianceHat) + epsilon)
    }
    return [nextParameter!, nextM!, nextV!]
  },
}
