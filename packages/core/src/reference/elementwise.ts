// Reference kernels of elementwise ops. Operands are broadcast to the shape of the result.
import { fromFloat16, toFloat16 } from '../tensor/float16.js'
import type { DType, TensorType } from '../tensor/tensor.js'
import { sizeOf } from '../tensor/tensor.js'
import { erf } from './erf.js'
import type { Kernels } from './kernel.js'
import { allocate, broadcast, type ReferenceData, type ReferenceTensor } from './tensor.js'

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

export const unary =
  (f: (x: number) => number) =>
  (inputs: readonly ReferenceTensor[], _: unknown, outputs: readonly TensorType[]) => {
    const x = inputs[0]!.data
    const y = allocate(outputs[0]!.dtype, x.length)
    for (let i = 0; i < y.length; i++) y[i] = f(x[i]!)
    return [y]
  }

/**
 * Returns the kernel of an op with two operands. Comparisons give booleans, which are stored as 0 and 1.
 * @param integer the function for int32 operands, if int32 arithmetic differs.
 */
export const binary =
  (f: (a: number, b: number) => number | boolean, integer = f) =>
  (inputs: readonly ReferenceTensor[], _: unknown, outputs: readonly TensorType[]) => {
    const { dtype, shape } = outputs[0]!
    const [a, b] = inputs.map((x) => broadcast(x.data, x.shape, shape)) as [
      ReferenceData,
      ReferenceData,
    ]
    const of = inputs[0]!.dtype === 'int32' ? integer : f
    const y = allocate(dtype, sizeOf(shape))
    for (let i = 0; i < y.length; i++) y[i] = of(a[i]!, b[i]!) as number
    return [y]
  }

/** Conversions of a number to each element type. Numbers out of float16's range become infinities. */
const casts: Record<DType, (x: number) => number> = {
  float32: (x) => x,
  float16: (x) => fromFloat16(toFloat16(x)),
  int32: Math.trunc,
  bool: (x) => Number(x !== 0),
}

export const elementwise: Kernels<
  | 'neg'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'rsqrt'
  | 'tanh'
  | 'sigmoid'
  | 'erf'
  | 'sin'
  | 'cos'
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'maximum'
  | 'minimum'
  | 'equal'
  | 'less'
  | 'lessEqual'
  | 'and'
  | 'or'
  | 'not'
  | 'select'
  | 'cast'
> = {
  neg: unary((x) => -x),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  rsqrt: unary((x) => 1 / Math.sqrt(x)),
  tanh: unary(Math.tanh),
  sigmoid: unary(sigmoid),
  erf: unary(erf),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  add: binary(
    (a, b) => a + b,
    (a, b) => (a + b) | 0,
  ),
  sub: binary(
    (a, b) => a - b,
    (a, b) => (a - b) | 0,
  ),
  mul: binary((a, b) => a * b, Math.imul),
  div: binary((a, b) => a / b),
  maximum: binary(Math.max),
  minimum: binary(Math.min),
  equal: binary((a, b) => a === b),
  less: binary((a, b) => a < b),
  lessEqual: binary((a, b) => a <= b),
  and: binary((a, b) => a & b),
  or: binary((a, b) => a | b),
  not: unary((x) => 1 - x),
  select: (inputs, _, [output]) => {
    const { dtype, shape } = output!
    const [condition, a, b] = inputs.map((x) => broadcast(x.data, x.shape, shape)) as [
      ReferenceData,
      ReferenceData,
      ReferenceData,
    ]
    const y = allocate(dtype, sizeOf(shape))
    for (let i = 0; i < y.length; i++) y[i] = condition[i] ? a[i]! : b[i]!
    return [y]
  },
  cast: (inputs, { dtype }, outputs) => unary(casts[dtype])(inputs, {}, outputs),
}
