// Tolerances: the maximum difference between a correct device and the exact result. Rounding errors are modelled as independent
// random numbers, and propagated through the graph to first order for every element (Hull & Swenson 1966, "Tests of probabilistic
// models for propagation of roundoff errors"). Tolerances depend only on the graph, its inputs and the device's declared precision.
// Interval arithmetic, which adds up worst cases, would be useless: after a few layers its bounds allow any result.
import type { Graph } from '@embed-kd/core'
import { longestFloat16Sum, type AttrsOf, type PrimitiveName } from '@embed-kd/core'
import { lower } from '@embed-kd/core'
import { byKernels, interpret } from '@embed-kd/core/reference'
import { erf } from '@embed-kd/core/reference'
import { sigmoid } from '@embed-kd/core/reference'
import type { Kernel } from '@embed-kd/core/reference'
import { kernels } from '@embed-kd/core/reference'
import { broadcast, referenceTensor, type ReferenceTensor } from '@embed-kd/core/reference'
import { isFloat, sizeOf, type FloatType, type HostTensor, type Shape } from '@embed-kd/core'
import { formats, precisionIn, type Precision } from './formats.js'

/** Tensor with the maximum error of a correct device for each element. The error is Infinity if any value is correct. */
export interface Bounded {
  readonly tensor: ReferenceTensor
  readonly error: Float64Array
}

/**
 * Tolerance as a multiple of the expected error. Every rounding error is taken to be as large as the declared precision, which is
 * the maximum, so that a factor of 4 is about seven standard deviations.
 */
const confidence = 4

/** Errors of a result: errors propagated from the inputs, and the op's own rounding, `unit` relative to `magnitude` (default: |y|). */
interface Spread {
  readonly arriving: Float64Array
  readonly unit?: number
  readonly magnitude?: ArrayLike<number>
  /** Whether the op may lose denormals inside, even if the device keeps denormals in arithmetic. */
  readonly flushes?: boolean
}

type Rule<K extends PrimitiveName> = (
  inputs: readonly Bounded[],
  attrs: AttrsOf<K>,
  y: ReferenceTensor,
  device: Precision,
) => Spread

/** Returns values and errors of the inputs, broadcast to `shape`. */
const operands = (inputs: readonly Bounded[], shape: Shape) =>
  inputs.map(({ tensor, error }) => ({
    x: broadcast(tensor.data, tensor.shape, shape),
    e: broadcast(error, tensor.shape, shape),
  })) as readonly Operand[] as [Operand, Operand, Operand]

interface Operand {
  readonly x: ArrayLike<number>
  readonly e: Float64Array
}

function elements(y: ReferenceTensor, arrivingAt: (i: number) => number): Float64Array {
  const errors = new Float64Array(y.data.length)
  for (let i = 0; i < errors.length; i++) errors[i] = arrivingAt(i)
  return errors
}

/** Bounds |f(x ± e) - f(x)| for a monotone f. The bound is Infinity if x ± e is on another side of f's domain than x. */
function reach(f: (x: number) => number, x: number, e: number, y: number): number {
  if (e === 0 || !Number.isFinite(x)) return 0
  const ends = [f(x - e), f(x + e)]
  if (!Number.isFinite(y)) return ends.every((end) => Object.is(end, y)) ? 0 : Infinity
  const distance = Math.max(...ends.map((end) => Math.abs(end - y)))
  return Number.isNaN(distance) ? Infinity : distance
}

/**
 * Returns the rule of a monotone function. A device computes f(x(1 + δ₁))(1 + δ₂): δ₁ is an error of arithmetic, since the argument
 * is reduced first, and δ₂ is an error of transcendental functions.
 */
const transcendental =
  (f: (x: number) => number): Rule<'exp'> =>
  (inputs, _, y, { precision }) => {
    const [{ x, e }] = operands(inputs, y.shape)
    return {
      arriving: elements(y, (i) =>
        reach(f, x[i]!, Math.hypot(e[i]!, confidence * precision.arithmetic * x[i]!), y.data[i]!),
      ),
      unit: precision.transcendental,
      flushes: true,
    }
  }

/** Returns the rule of a monotone function bounded by 1. The error is relative to 1: common kernels cut off tails, or fit near zero. */
const bounded =
  (f: (x: number) => number): Rule<'tanh'> =>
  (inputs, attrs, y, device) => ({
    ...transcendental(f)(inputs, attrs, y, device),
    magnitude: ones(y),
  })

/** The rule of sin and cos, whose slope is at most 1. Their error is at most 2. */
const wave: Rule<'sin'> = (inputs, _, y, { precision }) => {
  const [{ x, e }] = operands(inputs, y.shape)
  return {
    arriving: elements(y, (i) =>
      Number.isFinite(x[i]!)
        ? Math.min(Math.hypot(e[i]!, confidence * precision.arithmetic * x[i]!), 2)
        : 0,
    ),
    unit: precision.transcendental,
    magnitude: ones(y),
    flushes: true,
  }
}

/** Returns the rule of an op with two operands whose result is rounded once. */
const rounded =
  (arriving: (a: number, b: number, ea: number, eb: number, y: number) => number): Rule<'add'> =>
  (inputs, _, y, { precision }) => {
    const [a, b] = operands(inputs, y.shape)
    return {
      arriving: elements(y, (i) => arriving(a.x[i]!, b.x[i]!, a.e[i]!, b.e[i]!, y.data[i]!)),
      unit: precision.arithmetic,
    }
  }

const either: Rule<'maximum'> = (inputs, _, y) => {
  const [a, b] = operands(inputs, y.shape)
  return { arriving: elements(y, (i) => Math.max(a.e[i]!, b.e[i]!)) }
}

/** The rule of comparisons. Any result is correct if the errors of the operands could change the result. */
const comparison: Rule<'less'> = (inputs, _, y) => {
  const [a, b] = operands(inputs, y.shape)
  return {
    arriving: elements(y, (i) => {
      const e = a.e[i]! + b.e[i]!
      return e > 0 && Math.abs(a.x[i]! - b.x[i]!) <= e ? Infinity : 0
    }),
  }
}

/** Returns the rule of a layout op, which moves errors as it moves elements. */
const moved =
  <K extends 'reshape' | 'transpose' | 'broadcastTo' | 'slice' | 'pad' | 'concat'>(
    name: K,
  ): Rule<K> =>
  (inputs, attrs, y) => ({
    arriving: onFloats(
      name,
      inputs.map(({ tensor, error }) => [tensor.shape, error] as const),
      attrs,
      y.shape,
    ),
  })

/** Runs a reference kernel on other floats than the graph's, such as errors. */
const onFloats = <K extends PrimitiveName>(
  name: K,
  inputs: readonly (readonly [Shape, Float64Array])[],
  attrs: AttrsOf<K>,
  shape: Shape,
): Float64Array =>
  (kernels[name] as Kernel<K>)(
    inputs.map(([shape, data]) => referenceTensor({ dtype: 'float32', shape }, data)),
    attrs,
    [{ dtype: 'float32', shape }],
  )[0] as Float64Array

function squares(data: ArrayLike<number>): Float64Array {
  const squared = new Float64Array(data.length)
  for (let i = 0; i < squared.length; i++) squared[i] = data[i]! ** 2
  return squared
}

/** Returns the expected size of partial sums, if the device may add the terms in any order. */
const partialSums = (y: ReferenceTensor, sumOfSquares: Float64Array): Float64Array =>
  sumOfSquares.map((square, i) => Math.abs(y.data[i]!) + Math.sqrt(square))

/** Returns the number of terms that are added up in the dtype of the result. Long sums in float16 must use a wider type. */
const addedUp = (terms: number, { dtype }: ReferenceTensor): number =>
  dtype === 'float16' ? Math.min(terms, longestFloat16Sum) : terms

const ones = (y: ReferenceTensor) => new Float64Array(y.data.length).fill(1)

const exact: Rule<'iota'> = (_, __, y) => ({ arriving: new Float64Array(y.data.length) })

/** Whether a constant was rounded to its dtype, as 0.1 was. Constants such as 0.5 or 3 are exact. */
const isRoundedNumber = ({ dtype, data: [value] }: HostTensor): boolean =>
  dtype === 'float16'
    ? (value! & 0xf) !== 0
    : (new Uint32Array(Float32Array.of(value!).buffer)[0]! & 0xfff) !== 0

const rules: { readonly [K in PrimitiveName]: Rule<K> } = {
  constant: (_, { value }, y) => ({
    arriving: elements(y, (i) =>
      isFloat(value.dtype) && value.shape.length === 0 && isRoundedNumber(value)
        ? confidence * Math.abs(y.data[i]!) * formats[value.dtype].unit
        : 0,
    ),
  }),
  iota: exact,
  // Every backend draws its own random numbers, so any value in [0, 1) is correct.
  randomUniform: (_, __, y) => ({ arriving: elements(y, () => 1) }),

  neg: (inputs) => ({ arriving: inputs[0]!.error }),
  exp: transcendental(Math.exp),
  log: transcendental(Math.log),
  sqrt: transcendental(Math.sqrt),
  rsqrt: transcendental((x) => 1 / Math.sqrt(x)),
  tanh: bounded(Math.tanh),
  sigmoid: bounded(sigmoid),
  erf: bounded(erf),
  sin: wave,
  cos: wave,
  add: rounded((_, __, ea, eb) => Math.hypot(ea, eb)),
  sub: rounded((_, __, ea, eb) => Math.hypot(ea, eb)),
  mul: rounded((a, b, ea, eb) => Math.hypot(a * eb, b * ea, ea * eb)),
  div: rounded((a, b, ea, eb, y) => {
    const mayBeZero = (x: number, e: number) => e > 0 && Math.abs(x) <= e
    if (mayBeZero(b, eb) || (b === 0 && mayBeZero(a, ea))) return Infinity
    return Math.hypot(ea, y * eb) / (Math.abs(b) - eb)
  }),
  maximum: either,
  minimum: either,
  equal: comparison,
  less: comparison,
  lessEqual: comparison,
  and: either,
  or: either,
  not: (inputs) => ({ arriving: inputs[0]!.error }),
  select: (inputs, _, y) => {
    const [condition, a, b] = operands(inputs, y.shape)
    return {
      arriving: elements(y, (i) => {
        const chosen = condition.x[i] ? a.e[i]! : b.e[i]!
        if (condition.e[i] === 0) return chosen
        const distance = Math.abs(a.x[i]! - b.x[i]!)
        return a.x[i] === b.x[i] ? chosen : distance + Math.max(a.e[i]!, b.e[i]!)
      }),
    }
  },
  cast: ([input], { dtype }, y, { precision }) => {
    const { tensor, error } = input!
    const x = tensor.data
    if (tensor.dtype === 'bool') return { arriving: error.map((e) => (e > 0 ? 1 : 0)) }
    if (dtype === 'bool')
      return { arriving: error.map((e, i) => (e > 0 && Math.abs(x[i]!) <= e ? Infinity : 0)) }
    if (dtype === 'int32')
      return {
        arriving: error.map((e, i) =>
          Math.abs(x[i]!) < 2 ** 31 && Math.trunc(x[i]! + e) === Math.trunc(x[i]! - e)
            ? 0
            : Infinity,
        ),
      }
    if (dtype === 'float32' && isFloat(tensor.dtype)) return { arriving: error }
    // The interval in which a number may be rounded to the largest number or to infinity.
    const { greatest, unit } = formats[dtype]
    const arriving = error.map((e, i) =>
      e > 0 && Math.abs(Math.abs(x[i]!) - greatest * (1 + unit / 2)) <= e ? Infinity : e,
    )
    // Floats represent whole numbers exactly up to the number of their mantissa bits.
    const whole = tensor.dtype === 'int32' ? 1 / unit : 0
    return {
      arriving,
      unit: precision.arithmetic,
      magnitude: elements(y, (i) => (Math.abs(x[i]!) > whole ? Math.abs(x[i]!) : 0)),
    }
  },

  reshape: moved('reshape'),
  transpose: moved('transpose'),
  broadcastTo: moved('broadcastTo'),
  slice: moved('slice'),
  pad: moved('pad'),
  concat: moved('concat'),

  sum: ([input], attrs, y, { precision }) => {
    const { tensor, error } = input!
    const overSquares = (data: ArrayLike<number>) =>
      onFloats('sum', [[tensor.shape, squares(data)]], attrs, y.shape)
    const terms = sizeOf(attrs.axes.map((axis) => tensor.shape[axis]!))
    return {
      arriving: overSquares(error).map(Math.sqrt),
      unit: precision.arithmetic * Math.sqrt(addedUp(Math.max(terms - 1, 0), y)),
      magnitude: partialSums(y, overSquares(tensor.data)),
    }
  },
  max: ([input], attrs, y) => ({
    arriving: onFloats('max', [[input!.tensor.shape, input!.error]], attrs, y.shape),
  }),
  // Any result is correct if another element could be the maximum, or if there is a NaN.
  argmax: ([input], { axis }, y) => {
    const { tensor, error } = input!
    const length = tensor.shape[axis]!
    const step = sizeOf(tensor.shape.slice(axis + 1))
    return {
      arriving: elements(y, (i) => {
        const start = Math.floor(i / step) * length * step + (i % step)
        const best = start + y.data[i]! * step
        for (let rival = start; rival < start + length * step; rival += step) {
          const e = Math.hypot(error[rival]!, error[best]!)
          const closes = rival !== best && e > 0 && tensor.data[rival]! + e >= tensor.data[best]!
          if (closes || Number.isNaN(tensor.data[rival])) return Infinity
        }
        return 0
      }),
    }
  },
  matmul: ([a, b], attrs, y, { precision }) => {
    const overSquares = (left: ArrayLike<number>, right: ArrayLike<number>) =>
      onFloats(
        'matmul',
        [
          [a!.tensor.shape, squares(left)],
          [b!.tensor.shape, squares(right)],
        ],
        attrs,
        y.shape,
      )
    const fromA = overSquares(a!.error, b!.tensor.data)
    const fromB = overSquares(a!.tensor.data, b!.error)
    const terms = a!.tensor.shape.at(attrs.transposeA ? -2 : -1)!
    return {
      arriving: fromA.map((square, i) => Math.sqrt(square + fromB[i]!)),
      unit: precision.arithmetic * Math.sqrt(addedUp(terms, y)),
      magnitude: partialSums(y, overSquares(a!.tensor.data, b!.tensor.data)),
    }
  },
}

/** Returns the maximum error of an element: the propagated error with rounding and underflow. */
function settle(y: number, spread: Spread, i: number, dtype: FloatType, device: Precision): number {
  const { greatest, leastNormal, least } = formats[dtype]
  const { arriving, unit = 0, magnitude, flushes = false } = spread
  // NaN and infinity must be met exactly, unless errors of the inputs could leave the function's domain.
  if (!Number.isFinite(y)) return arriving[i] === Infinity ? Infinity : 0
  const size = Math.abs(y)
  let error = Math.hypot(arriving[i]!, confidence * unit * (magnitude ? magnitude[i]! : size))
  if (flushes || (!device.denormals && size > 0 && size < leastNormal)) error += leastNormal
  else if (unit > 0 && size > 0 && size < leastNormal) error += least
  return Number.isNaN(error) || size + error > greatest ? Infinity : error
}

function applyRule(
  op: PrimitiveName,
  inputs: readonly Bounded[],
  attrs: AttrsOf<PrimitiveName>,
  tensor: ReferenceTensor,
  device: Precision,
): Bounded {
  const { dtype } = tensor
  const precision = precisionIn(dtype, device)
  const spread = (rules[op] as Rule<PrimitiveName>)(inputs, attrs, tensor, precision)
  const error = elements(tensor, (i) =>
    isFloat(dtype)
      ? settle(tensor.data[i]!, spread, i, dtype, precision)
      : spread.arriving[i]! > 0
        ? Infinity
        : 0,
  )
  return { tensor, error }
}

/** Returns an input with its error on the device, which is zero unless the device flushes denormals. */
function asInput(tensor: ReferenceTensor, device: Precision): Bounded {
  const { dtype } = tensor
  const flushed =
    isFloat(dtype) && !precisionIn(dtype, device).denormals ? formats[dtype].leastNormal : 0
  return {
    tensor,
    error: elements(tensor, (i) => {
      const size = Math.abs(tensor.data[i]!)
      return size < flushed ? size : 0
    }),
  }
}

/**
 * Returns the outputs of a graph with their error bounds, by name, for a device that runs the graph as primitives. A device that
 * runs composites natively must be as exact. `inputs` are exact tensors, or bounded outputs of another run.
 */
export function errorBounds(
  graph: Graph,
  inputs: Readonly<Record<string, ReferenceTensor | Bounded>>,
  device: Precision,
): Map<string, Bounded> {
  const primitives = lower(graph)
  const values = byKernels(primitives)
  const outputs = interpret<Bounded>(
    primitives,
    primitives.inputs.map(({ name }) => {
      const input = inputs[name]!
      return 'error' in input ? input : asInput(input, device)
    }),
    (node, given, types) => {
      const [tensor] = values(
        node,
        given.map((x) => x.tensor),
        types,
      )
      const op = node.op as PrimitiveName
      return [applyRule(op, given, node.attrs as AttrsOf<PrimitiveName>, tensor!, device)]
    },
  )
  return new Map(primitives.outputs.map(({ name }, i) => [name, outputs[i]!]))
}
