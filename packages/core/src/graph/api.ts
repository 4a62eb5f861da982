// The ops as functions on symbolic tensors, exported as `op`. A number may stand for a scalar if another operand is a tensor.
// Each function adds one node of the op table to the graph, or a short composition that several callers share.
import { hostScalar, sameShape, type DType, type Shape } from '../tensor/tensor.js'
import type { OpName } from './ops.js'
import { Tensor } from './trace.js'

type Operand = Tensor | number

const unary =
  (
    op:
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
      | 'not'
      | 'quickGelu',
  ) =>
  (x: Tensor): Tensor =>
    x.tracer.emit(op, [x], {})[0]!

type BinaryName = Extract<
  OpName,
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
>

/** Makes a function of two operands; a number becomes a scalar constant of the other operand's dtype. */
const binary =
  (op: BinaryName) =>
  (a: Operand, b: Operand): Tensor => {
    const tensor = a instanceof Tensor ? a : b
    if (!(tensor instanceof Tensor)) throw new Error(`${op}: one operand must be a tensor`)
    const { tracer, type } = tensor
    const lift = (x: Operand) =>
      x instanceof Tensor ? x : tracer.constant(hostScalar(x, type.dtype))
    return tracer.emit(op, [lift(a), lift(b)], {})[0]!
  }

export const neg = unary('neg')
export const exp = unary('exp')
export const log = unary('log')
export const sqrt = unary('sqrt')
export const rsqrt = unary('rsqrt')
export const tanh = unary('tanh')
export const sigmoid = unary('sigmoid')
export const erf = unary('erf')
export const sin = unary('sin')
export const cos = unary('cos')
export const not = unary('not')
export const quickGelu = unary('quickGelu')
export const add = binary('add')
export const sub = binary('sub')
export const mul = binary('mul')
export const div = binary('div')
export const maximum = binary('maximum')
export const minimum = binary('minimum')
export const equal = binary('equal')
export const less = binary('less')
export const lessEqual = binary('lessEqual')
export const and = binary('and')
export const or = binary('or')

export const gelu = (x: Tensor, approximate: 'none' | 'tanh' = 'none'): Tensor =>
  x.tracer.emit('gelu', [x], { approximate })[0]!

/** Takes each element of `a` if `condition` is true there, else of `b`. A number has the other branch's dtype, or float32. */
export function select(condition: Tensor, a: Operand, b: Operand): Tensor {
  const dtype = a instanceof Tensor ? a.type.dtype : b instanceof Tensor ? b.type.dtype : 'float32'
  const lift = (x: Operand) =>
    x instanceof Tensor ? x : condition.tracer.constant(hostScalar(x, dtype))
  return condition.tracer.emit('select', [condition, lift(a), lift(b)], {})[0]!
}

export const cast = (x: Tensor, dtype: DType): Tensor =>
  x.type.dtype === dtype ? x : x.tracer.emit('cast', [x], { dtype })[0]!

export const reshape = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : x.tracer.emit('reshape', [x], { shape })[0]!

export const transpose = (x: Tensor, permutation: readonly number[]): Tensor =>
  x.tracer.emit('transpose', [x], { permutation })[0]!

export const broadcastTo = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : x.tracer.emit('broadcastTo', [x], { shape })[0]!

export const slice = (x: Tensor, starts: readonly number[], sizes: readonly number[]): Tensor =>
  sameShape(x.shape, sizes) &&
  sameShape(
    starts,
    x.shape.map(() => 0),
  )
    ? x
    : x.tracer.emit('slice', [x], { starts, sizes })[0]!

/** Cuts [start, start + size) out of one axis. */
export const sliceAxis = (x: Tensor, axis: number, start: number, size: number): Tensor =>
  slice(
    x,
    x.shape.map((_, i) => (i === axis ? start : 0)),
    x.shape.map((n, i) => (i === axis ? size : n)),
  )

export const pad = (x: Tensor, low: readonly number[], high: readonly number[]): Tensor =>
  x.tracer.emit('pad', [x], { low, high })[0]!

export const concat = (inputs: readonly [Tensor, ...Tensor[]], axis: number): Tensor =>
  inputs.length === 1 ? inputs[0] : inputs[0].tracer.emit('concat', inputs, { axis })[0]!

/** Cuts a tensor along one axis into parts of these sizes, which add up to the size of the axis. */
export const split = (x: Tensor, axis: number, sizes: readonly number[]): Tensor[] =>
  sizes.length === 1 && sizes[0] === x.shape[axis]
    ? [x]
    : x.tracer.emit('split', [x], { axis, sizes })

export interface ReduceOptions {
  /** Default: all axes. */
  readonly axes?: readonly number[]
  /** Default: false. */
  readonly keepDims?: boolean
}

const allAxes = (x: Tensor) => x.shape.map((_, axis) => axis)

export const sum = (x: Tensor, { axes = allAxes(x), keepDims = false }: ReduceOptions = {}) =>
  x.tracer.emit('sum', [x], { axes, keepDims })[0]!

export const max = (x: Tensor, { axes = allAxes(x), keepDims = false }: ReduceOptions = {}) =>
  x.tracer.emit('max', [x], { axes, keepDims })[0]!

export const mean = (x: Tensor, { axes = allAxes(x), keepDims = false }: ReduceOptions = {}) =>
  x.tracer.emit('mean', [x], { axes, keepDims })[0]!

export const argmax = (x: Tensor, axis: number): Tensor =>
  x.tracer.emit('argmax', [x], { axis })[0]!

export interface MatmulOptions {
  readonly transposeA?: boolean
  readonly transposeB?: boolean
}

export const matmul = (
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false }: MatmulOptions = {},
): Tensor => a.tracer.emit('matmul', [a, b], { transposeA, transposeB })[0]!

/** Returns x · weightᵀ + bias [..., out], as torch.nn.Linear; x: [..., in], weight: [out, in], bias: [out]. */
export const linear = (x: Tensor, weight: Tensor, bias?: Tensor): Tensor =>
  x.tracer.emit('linear', bias ? [x, weight, bias] : [x, weight], {})[0]!

export const softmax = (x: Tensor, axis = x.rank - 1): Tensor =>
  x.tracer.emit('softmax', [x], { axis })[0]!

export const logSoftmax = (x: Tensor, axis = x.rank - 1): Tensor =>
  x.tracer.emit('logSoftmax', [x], { axis })[0]!

/** Normalises along the last axis as torch.nn.LayerNorm; x: [..., d], scale and bias: [d]. */
export const layerNorm = (x: Tensor, scale: Tensor, bias: Tensor, epsilon: number): Tensor =>
  x.tracer.emit('layerNorm', [x, scale, bias], { epsilon })[0]!

/** Draws uniforms in [0, 1); key: int32[2] (seed, step). Draws of one step differ by their `stream`. */
export const randomUniform = (key: Tensor, shape: Shape, stream: number): Tensor =>
  key.tracer.emit('randomUniform', [key], { shape, stream })[0]!

/** Draws float32 numbers that are 1 with the given probability, else 0; key and `stream` are those of `randomUniform`. */
export const bernoulli = (key: Tensor, shape: Shape, stream: number, probability: number): Tensor =>
  key.tracer.emit('bernoulli', [key], { shape, stream, probability })[0]!

/** Returns float32[..., depth]: 1 at the index of the label, else 0. Labels: int32[...]. */
export const oneHot = (labels: Tensor, depth: number): Tensor =>
  cast(equal(reshape(labels, [...labels.shape, 1]), labels.tracer.iota(depth)), 'float32')
