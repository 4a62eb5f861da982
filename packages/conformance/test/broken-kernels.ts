// Kernels with one mistake each, of kinds that have been made: the reference's, one of them changed.
import { fromFloat16, sizeOf, toFloat16, type AttrsOf, type OpName } from '@embed-kd/core'
import { binary, unary } from '@embed-kd/core/reference'
import type { Kernel, Kernels } from '@embed-kd/core/reference'
import { kernels } from '@embed-kd/core/reference'
import { referenceTensor, type ReferenceData, type ReferenceTensor } from '@embed-kd/core/reference'

type Inputs = readonly ReferenceTensor[]

/** The kernels with some replaced. */
const withKernels = (broken: Partial<Kernels<OpName>>): Kernels<OpName> => ({
  ...kernels,
  ...broken,
})

/** One op given other attributes than it should be. */
const attrs = <K extends OpName>(
  name: K,
  change: (attrs: AttrsOf<K>, inputs: Inputs) => AttrsOf<K>,
) =>
  withKernels({
    [name]: ((inputs, given, outputs) =>
      (kernels[name] as Kernel<K>)(inputs, change(given, inputs), outputs)) as Kernel<K>,
  })

/** One op given other inputs than it should be. */
const inputs = <K extends OpName>(name: K, change: (inputs: Inputs) => Inputs) =>
  withKernels({
    [name]: ((given, attrs, outputs) =>
      (kernels[name] as Kernel<K>)(change(given), attrs, outputs)) as Kernel<K>,
  })

/** One op whose result is changed, element by element. */
const result = <K extends OpName>(name: K, change: (y: number, i: number) => number) =>
  withKernels({
    [name]: ((given, attrs, outputs) =>
      (kernels[name] as Kernel<K>)(given, attrs, outputs).map((data) =>
        data.map(change),
      )) as Kernel<K>,
  })

const withData = (tensor: ReferenceTensor, data: ReferenceData) => referenceTensor(tensor, data)
const mapped = (tensor: ReferenceTensor, f: (x: number) => number) =>
  withData(tensor, tensor.data.map(f) as ReferenceData)

/** Rounded to so many significant bits. */
const coarse = (bits: number) => (x: number) => {
  if (!Number.isFinite(x) || x === 0) return x
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(x))) - bits + 1)
  return Math.round(x / unit) * unit
}

const softmaxWithoutMax =
  (logarithm: boolean): Kernel<'softmax'> =>
  ([x], { axis }, [output]) => {
    const over = { axes: [axis], keepDims: true }
    const reduced = {
      dtype: 'float32',
      shape: x!.shape.map((n, i) => (i === axis ? 1 : n)),
    } as const
    // Exponentials as float32 has them.
    const e = mapped(x!, (value) => Math.fround(Math.exp(value)))
    const sum = referenceTensor(reduced, kernels.sum([e], over, [reduced])[0]!)
    const [y] = kernels.div([e, sum], {}, [output!])
    return [logarithm ? y!.map(Math.log) : y!] as ReferenceData[]
  }

const layerNorm =
  (
    invStdOf: (variance: number, epsilon: number, d: number, mean: number) => number,
  ): Kernel<'layerNorm'> =>
  (given, { epsilon }, outputs) => {
    const [x, scale, bias] = given as [ReferenceTensor, ReferenceTensor, ReferenceTensor]
    const d = x.shape.at(-1)!
    const [, mean, right] = kernels.layerNorm(given, { epsilon }, outputs) as Float64Array[]
    const invStd = right!.map((value, row) =>
      invStdOf(1 / value ** 2 - epsilon, epsilon, d, mean![row]!),
    )
    const y = Float64Array.from(x.data, (value, i) => {
      const row = Math.floor(i / d)
      return (value - mean![row]!) * invStd[row]! * scale.data[i % d]! + bias.data[i % d]!
    })
    return [y, mean!, invStd]
  }

export const brokenKernels: Record<string, Kernels<OpName>> = {
  'softmax along the last axis': attrs('softmax', (_, [x]) => ({ axis: x!.shape.length - 1 })),
  'softmax without subtracting the maximum': withKernels({ softmax: softmaxWithoutMax(false) }),
  'logSoftmax as the logarithm of softmax': withKernels({ logSoftmax: softmaxWithoutMax(true) }),
  'layerNorm with the unbiased variance': withKernels({
    layerNorm: layerNorm(
      (variance, epsilon, d) => 1 / Math.sqrt((variance * d) / Math.max(d - 1, 1) + epsilon),
    ),
  }),
  'layerNorm with epsilon outside the root': withKernels({
    layerNorm: layerNorm((variance, epsilon) => 1 / (Math.sqrt(Math.max(variance, 0)) + epsilon)),
  }),
  'layerNorm with the mean of squares less the square of the mean': withKernels({
    layerNorm: layerNorm((variance, epsilon, _, mean) => {
      const ofSquares = Math.fround(Math.fround(variance + mean ** 2) - Math.fround(mean ** 2))
      return 1 / Math.sqrt(Math.max(ofSquares, 0) + epsilon)
    }),
  }),
  'exact gelu as the tanh approximation': attrs('gelu', () => ({ approximate: 'tanh' })),
  'quickGelu with 1.7': withKernels({ quickGelu: unary((x) => x / (1 + Math.exp(-1.7 * x))) }),
  'linear without its bias in rank 3': withKernels({
    linear: (given, a, outputs) =>
      kernels.linear(given[0]!.shape.length > 2 ? given.slice(0, 2) : given, a, outputs),
  }),
  'adamw with L2 instead of decoupled decay': withKernels({
    adamw: (given, a, outputs) => {
      const gradient = given[1]!.data.map((g, i) => g + a.weightDecay * given[0]!.data[i]!)
      const changed = given.with(1, withData(given[1]!, gradient as ReferenceData))
      return kernels.adamw(changed, { ...a, weightDecay: 0 }, outputs)
    },
  }),
  'adamw without bias correction': inputs('adamw', (given) => [
    ...given.slice(0, 5),
    ...given.slice(5).map((x) => mapped(x, () => 1)),
  ]),
  'adamw with epsilon in the root': withKernels({
    adamw: (given, a, outputs) =>
      kernels.adamw(given, { ...a, epsilon: Math.sqrt(a.epsilon) }, outputs),
  }),
  'erf to four digits': result('erf', (y) => Math.round(y * 1e4) / 1e4),
  'tanh cut off at 3': withKernels({
    tanh: unary((x) => (Math.abs(x) > 3 ? Math.sign(x) : Math.tanh(x))),
  }),
  'exp cut off at 80': withKernels({ exp: unary((x) => Math.exp(Math.min(x, 80))) }),
  'exp to half precision': result('exp', coarse(11)),
  'log of zero finite': withKernels({ log: unary((x) => Math.log(Math.max(x, 1e-30))) }),
  'rsqrt with an epsilon': withKernels({ rsqrt: unary((x) => 1 / Math.sqrt(x + 1e-7)) }),
  'division by zero gives zero': withKernels({ div: binary((a, b) => (b === 0 ? 0 : a / b)) }),
  'division through the reciprocal to 12 bits': withKernels({
    div: binary((a, b) => a * coarse(12)(1 / b)),
  }),
  'maximum ignores NaN': withKernels({
    maximum: binary((a, b) => (a > b || Number.isNaN(b) ? a : b)),
  }),
  'minimum ignores a NaN on the left': withKernels({ minimum: binary((a, b) => (a < b ? a : b)) }),
  'max ignores NaN': inputs('max', ([x]) => [
    mapped(x!, (value) => (Number.isNaN(value) ? -Infinity : value)),
  ]),
  'max starts from zero': result('max', (y) => Math.max(y, 0)),
  'argmax takes the last of equals': withKernels({
    argmax: ([x], { axis }, outputs) => {
      const length = x!.shape[axis]!
      const reverse = (data: ReferenceData) => data.toReversed() as ReferenceData
      const [index] = kernels.argmax([withData(x!, reverse(x!.data))], { axis }, outputs)
      return [reverse(index!).map((i) => length - 1 - i) as ReferenceData]
    },
  }),
  'equal finds NaN equal to itself': withKernels({ equal: binary(Object.is) }),
  'less as lessEqual': withKernels({ less: binary((a, b) => a <= b) }),
  'select by arithmetic': withKernels({
    select: (given, a, outputs) => {
      const [y] = kernels.select(given, a, outputs)
      const other = kernels.select(
        [mapped(given[0]!, (x) => 1 - x), given[1]!, given[2]!],
        a,
        outputs,
      )[0]!
      return [y!.map((x, i) => x + (other[i]! - other[i]!)) as ReferenceData]
    },
  }),
  'cast to float16 keeps what float16 has no number for': attrs('cast', ({ dtype }) => ({
    dtype: dtype === 'float16' ? 'float32' : dtype,
  })),
  'sums of float16 are added up in float16': withKernels({
    sum: (given, a, outputs) => {
      const [x] = given
      const [rows, columns] = x!.shape
      if (outputs[0]!.dtype !== 'float16' || x!.shape.length !== 2 || a.axes.join() !== '1')
        return kernels.sum(given, a, outputs)
      const half = (sum: number, term: number) => fromFloat16(toFloat16(sum + term))
      return [
        Float64Array.from({ length: rows! }, (_, row) =>
          (x!.data as Float64Array).slice(row * columns!, (row + 1) * columns!).reduce(half, 0),
        ),
      ]
    },
  }),
  'cast rounds to the nearest': withKernels({
    cast: (given, a, outputs) =>
      kernels.cast(
        a.dtype === 'int32' ? given.map((x) => mapped(x, Math.round)) : given,
        a,
        outputs,
      ),
  }),
  'int32 arithmetic in float32': withKernels({
    mul: binary(
      (a, b) => a * b,
      (a, b) => Math.fround(a * b) | 0,
    ),
  }),
  'int32 saturates': withKernels({
    add: binary(
      (a, b) => a + b,
      (a, b) => Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, a + b)),
    ),
  }),
  'transpose by the inverse': attrs('transpose', ({ permutation }, [x]) => {
    const inverse = permutation.map((_, axis) => permutation.indexOf(axis))
    return x!.shape.length < 3 ? { permutation } : { permutation: inverse }
  }),
  'broadcast aligned on the left': withKernels({
    broadcastTo: ([x], { shape }, outputs) => {
      const fits = x!.shape.every((n, i) => n === 1 || n === shape[i])
      const left = [...x!.shape, ...Array.from({ length: shape.length - x!.shape.length }, () => 1)]
      return kernels.broadcastTo(
        [fits ? referenceTensor({ dtype: x!.dtype, shape: left }, x!.data) : x!],
        { shape },
        outputs,
      )
    },
  }),
  'slice that starts at zero in the last axis': attrs('slice', ({ starts, sizes }) => ({
    starts: starts.map((start, i) => (i === starts.length - 1 ? 0 : start)),
    sizes,
  })),
  'pad with low and high swapped': attrs('pad', ({ low, high }) => ({ low: high, high: low })),
  'concat of more than two in reverse': inputs('concat', (given) =>
    given.length > 2 ? given.toReversed() : given,
  ),
  'sum over leading axes takes the first row (a missing un-broadcast)': withKernels({
    sum: ([x], a, outputs) => {
      const leading = a.axes.includes(0) && !a.axes.includes(x!.shape.length - 1)
      if (!leading || x!.shape[0] === 0) return kernels.sum([x!], a, outputs)
      const sizes = x!.shape.with(0, 1)
      const starts = sizes.map(() => 0)
      const first = { dtype: x!.dtype, shape: sizes }
      const [data] = kernels.slice([x!], { starts, sizes }, [first])
      return kernels.sum([referenceTensor(first, data!)], a, outputs)
    },
  }),
  'sum in half precision': inputs('sum', ([x]) => [mapped(x!, coarse(11))]),
  'sum of nothing is NaN': withKernels({
    sum: ([x], a, outputs) =>
      kernels
        .sum([x!], a, outputs)
        .map((y) => (x!.data.length === 0 ? y.map(() => NaN) : y)) as ReferenceData[],
  }),
  'matmul in TF32': inputs('matmul', (given) => given.map((x) => mapped(x, coarse(11)))),
  'matmul that ignores transposeB of square matrices': attrs('matmul', (a, [, b]) => ({
    ...a,
    transposeB: b!.shape.at(-1) === b!.shape.at(-2) ? false : a.transposeB,
  })),
  'matmul that skips zeros': withKernels({
    matmul: (given, a, outputs) => {
      const finite = given.map((x) => mapped(x, (value) => (Number.isFinite(value) ? value : 0)))
      return kernels.matmul(finite, a, outputs)
    },
  }),
  'matmul with the first matrix of a broadcast batch': withKernels({
    matmul: (given, a, outputs) => {
      const [left, right] = given as [ReferenceTensor, ReferenceTensor]
      const size = sizeOf(right.shape.slice(-2))
      const repeated = right.shape.length < left.shape.length && right.data.length > size
      const first = right.data.map((_, i) => right.data[i % size]!) as ReferenceData
      return kernels.matmul(repeated ? [left, withData(right, first)] : given, a, outputs)
    },
  }),
  'constants rounded to half precision': result('constant', coarse(11)),
  'randomUniform without its stream': attrs('randomUniform', (a) => ({ ...a, stream: 0 })),
  'randomUniform without the step': inputs('randomUniform', ([key]) => [
    withData(key!, Int32Array.of(key!.data[0]!, 0)),
  ]),
  'randomUniform with 8 bits': result('randomUniform', (y) => Math.floor(y * 256) / 256),
  'randomUniform that reaches 1': result('randomUniform', (y) => Math.round(y * 2 ** 12) / 2 ** 12),
  'randomUniform whose steps overlap': withKernels({
    randomUniform: ([key], { shape, stream }, outputs) => {
      // Element i of a step is element i + 1 of the step before.
      const longer = { dtype: 'float32', shape: [sizeOf(shape) + 64] } as const
      const [seed, step] = key!.data
      const fixed = withData(key!, Int32Array.of(seed!, 0))
      const [all] = kernels.randomUniform([fixed], { shape: longer.shape, stream }, [longer])
      return [all!.slice(step! & 63, (step! & 63) + sizeOf(outputs[0]!.shape))]
    },
  }),
  'randomUniform squared': result('randomUniform', (y) => y * y),
}
