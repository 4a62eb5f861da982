// The closed table of ops: for each its contract (signature and numbered constraints) and its shape rule. Those of composites are in
// composites.ts.
// Its meaning is in reference/, its gradient in grad/, its decomposition in lower/, its cost in cost.ts, its traits in traits.ts.
// All of these are total tables over the names here, so that an op without a rule does not compile.
import {
  ContractError,
  primitive,
  isAxis,
  areAxes,
  areSizes,
  unary,
  binary,
  reduction,
  numbers,
  floats,
  bools,
  dtypes,
  type OpDefinition,
} from './contracts.js'
import { composites } from './composites.js'
import { formatAttrs } from './format-attrs.js'
import {
  broadcastShapes,
  formatType,
  isFloat,
  sameShape,
  sizeOf,
  type DType,
  type HostTensor,
  type Shape,
  type TensorType,
} from '../tensor/tensor.js'

/** Number of float16 terms above which a sum or product adds up in float32: in float16, a sum of ones stops growing at 2048. */
export const longestFloat16Sum = 1024

export const ops = {
  // ---- sources -------------------------------------------------------------------------------------------------
  constant: primitive<{ readonly value: HostTensor }>({
    signature: '-> y = value',
    constraints: [],
    arity: 0,
    infer: (_, { value }) => [{ dtype: value.dtype, shape: value.shape }],
  }),
  iota: primitive<{ readonly size: number }>({
    signature: '-> y: int32[size] = 0, 1, …, size - 1',
    constraints: ['size is a non-negative integer'],
    arity: 0,
    infer: (_, { size }, check) => {
      check(areSizes([size]), 1)
      return [{ dtype: 'int32', shape: [size] }]
    },
  }),
  /** Independent uniforms in [0, 1). A pure function of key and stream on one backend, device and version. */
  randomUniform: primitive<{ readonly shape: Shape; readonly stream: number }>({
    signature: 'key: int32[2] (seed, step) -> y: float32[shape] in [0, 1)',
    constraints: [
      'key is int32[2]',
      'the sizes are non-negative integers',
      'stream, which tells the draws of one step apart, is a non-negative integer',
    ],
    arity: 1,
    infer: ([key], { shape, stream }, check) => {
      check(key!.dtype === 'int32' && sameShape(key!.shape, [2]), 1)
      check(areSizes(shape), 2)
      check(areSizes([stream]), 3)
      return [{ dtype: 'float32', shape }]
    },
  }),

  // ---- elementwise ---------------------------------------------------------------------------------------------
  neg: unary('-x'),
  exp: unary('e^x'),
  log: unary('ln x'),
  sqrt: unary('√x'),
  rsqrt: unary('1/√x'),
  tanh: unary('tanh x'),
  sigmoid: unary('1/(1 + e^-x)'),
  erf: unary('erf x'),
  sin: unary('sin x'),
  cos: unary('cos x'),
  add: binary('a + b', numbers),
  sub: binary('a - b', numbers),
  mul: binary('a · b', numbers),
  div: binary('a / b', floats),
  maximum: binary('the greater of a and b, NaN if either is', numbers),
  minimum: binary('the lesser of a and b, NaN if either is', numbers),
  equal: binary('a = b', numbers, 'bool'),
  less: binary('a < b', numbers, 'bool'),
  lessEqual: binary('a ≤ b', numbers, 'bool'),
  and: binary('a and b', bools),
  or: binary('a or b', bools),
  not: primitive({
    signature: 'x: bool -> y = not x',
    constraints: ['x is bool'],
    arity: 1,
    infer: ([x], _, check) => {
      check(x!.dtype === 'bool', 1)
      return [x!]
    },
  }),
  select: primitive({
    signature: 'condition: bool, a, b -> y = a where condition, else b',
    constraints: [
      'condition is bool',
      'a and b have the same dtype',
      'the three shapes broadcast together',
    ],
    arity: 3,
    infer: ([condition, a, b], _, check) => {
      check(condition!.dtype === 'bool', 1)
      check(a!.dtype === b!.dtype, 2)
      const branches = broadcastShapes(a!.shape, b!.shape)
      const shape = branches && broadcastShapes(condition!.shape, branches)
      check(shape !== undefined, 3)
      return [{ dtype: a!.dtype, shape: shape! }]
    },
  }),
  /** float -> int32 truncates towards zero (out of range: undefined); to bool: not equal to zero, so NaN is true. */
  cast: primitive<{ readonly dtype: DType }>({
    signature: 'x -> y: dtype',
    constraints: [`dtype is one of ${dtypes.join(', ')}`],
    arity: 1,
    infer: ([x], { dtype }, check) => {
      check(dtypes.includes(dtype), 1)
      return [{ dtype, shape: x!.shape }]
    },
  }),

  // ---- layout --------------------------------------------------------------------------------------------------
  reshape: primitive<{ readonly shape: Shape }>({
    signature: 'x -> y: the same elements in row-major order, as shape',
    constraints: ['the sizes are non-negative integers', 'the number of elements stays the same'],
    arity: 1,
    infer: ([x], { shape }, check) => {
      check(areSizes(shape), 1)
      check(sizeOf(x!.shape) === sizeOf(shape), 2)
      return [{ dtype: x!.dtype, shape }]
    },
  }),
  transpose: primitive<{ readonly permutation: readonly number[] }>({
    signature: 'x -> y: axis i of y is axis permutation[i] of x',
    constraints: ['permutation is a permutation of 0 … rank - 1'],
    arity: 1,
    infer: ([x], { permutation }, check) => {
      check(permutation.length === x!.shape.length && areAxes(permutation, x!.shape.length), 1)
      return [{ dtype: x!.dtype, shape: permutation.map((axis) => x!.shape[axis]!) }]
    },
  }),
  broadcastTo: primitive<{ readonly shape: Shape }>({
    signature: 'x -> y: x repeated along axes of size 1 and new leading axes',
    constraints: ['the sizes are non-negative integers', 'x broadcasts to exactly shape'],
    arity: 1,
    infer: ([x], { shape }, check) => {
      check(areSizes(shape), 1)
      const joint = broadcastShapes(x!.shape, shape)
      check(joint !== undefined && sameShape(joint, shape), 2)
      return [{ dtype: x!.dtype, shape }]
    },
  }),
  slice: primitive<{ readonly starts: readonly number[]; readonly sizes: readonly number[] }>({
    signature: 'x -> y: the block of sizes that begins at starts',
    constraints: [
      'starts and sizes have one non-negative integer for each axis',
      'the block lies inside x',
    ],
    arity: 1,
    infer: ([x], { starts, sizes }, check) => {
      const rank = x!.shape.length
      check(starts.length === rank && sizes.length === rank && areSizes([...starts, ...sizes]), 1)
      check(
        x!.shape.every((n, axis) => starts[axis]! + sizes[axis]! <= n),
        2,
      )
      return [{ dtype: x!.dtype, shape: sizes }]
    },
  }),
  pad: primitive<{ readonly low: readonly number[]; readonly high: readonly number[] }>({
    signature: 'x: number -> y: x with low and high zeros before and after it along each axis',
    constraints: ['x is a number', 'low and high have one non-negative integer for each axis'],
    arity: 1,
    infer: ([x], { low, high }, check) => {
      const rank = x!.shape.length
      check(x!.dtype !== 'bool', 1)
      check(low.length === rank && high.length === rank && areSizes([...low, ...high]), 2)
      return [{ dtype: x!.dtype, shape: x!.shape.map((n, axis) => low[axis]! + n + high[axis]!) }]
    },
  }),
  concat: primitive<{ readonly axis: number }>({
    signature: 'x0, x1, … -> y: the tensors one after another along axis',
    constraints: [
      'all have the same dtype and rank',
      'axis is between 0 and rank - 1',
      'all sizes but that of axis agree',
    ],
    arity: 'variadic',
    infer: (inputs, { axis }, check) => {
      const [first] = inputs
      const { dtype, shape } = first!
      check(
        inputs.every((x) => x.dtype === dtype && x.shape.length === shape.length),
        1,
      )
      check(isAxis(axis, shape.length), 2)
      check(
        inputs.every((x) => x.shape.every((n, i) => i === axis || n === shape[i])),
        3,
      )
      const size = inputs.reduce((sum, x) => sum + x.shape[axis]!, 0)
      return [{ dtype, shape: shape.map((n, i) => (i === axis ? size : n)) }]
    },
  }),

  // ---- reductions and products ---------------------------------------------------------------------------------
  sum: reduction('sum', true),
  max: reduction('greatest element (NaN if any is)', false),
  argmax: primitive<{ readonly axis: number }>({
    signature:
      'x: float -> y: int32, first index of the greatest element along axis (any where one is NaN), axis removed',
    constraints: ['x is a float', 'axis is between 0 and rank - 1', 'that axis is not empty'],
    arity: 1,
    infer: ([x], { axis }, check) => {
      check(isFloat(x!.dtype), 1)
      check(isAxis(axis, x!.shape.length), 2)
      check(x!.shape[axis]! > 0, 3)
      return [{ dtype: 'int32', shape: x!.shape.filter((_, i) => i !== axis) }]
    },
  }),
  matmul: primitive<{ readonly transposeA: boolean; readonly transposeB: boolean }>({
    signature:
      'a: float[…,m,k], b: float[…,k,n] -> y: float[…,m,n] (a, b transposed first if asked)',
    constraints: [
      'a and b are floats of one dtype and of rank 2 or more',
      'the inner sizes k agree',
      'the batch axes broadcast together',
    ],
    arity: 2,
    infer: ([a, b], { transposeA, transposeB }, check) => {
      check(
        isFloat(a!.dtype) &&
          a!.dtype === b!.dtype &&
          [a!, b!].every(({ shape }) => shape.length >= 2),
        1,
      )
      const [m, k] = transposeA ? [a!.shape.at(-1)!, a!.shape.at(-2)!] : a!.shape.slice(-2)
      const [inner, n] = transposeB ? [b!.shape.at(-1)!, b!.shape.at(-2)!] : b!.shape.slice(-2)
      check(k === inner, 2)
      const batch = broadcastShapes(a!.shape.slice(0, -2), b!.shape.slice(0, -2))
      check(batch !== undefined, 3)
      return [{ dtype: a!.dtype, shape: [...batch!, m!, n!] }]
    },
  }),

  ...composites,
} satisfies Record<string, { readonly composite: boolean; readonly signature: string }>

export type OpName = keyof typeof ops
export type AttrsOf<K extends OpName> = Parameters<(typeof ops)[K]['infer']>[1]

export const opNames = Object.keys(ops) as readonly OpName[]
export const isComposite = (op: OpName): op is CompositeName => ops[op].composite

/** Ops with a decomposition. */
export type CompositeName = {
  [K in OpName]: (typeof ops)[K]['composite'] extends true ? K : never
}[OpName]
/** Ops that every backend must run. */
export type PrimitiveName = Exclude<OpName, CompositeName>

/**
 * Returns the output types of an op.
 * @throws ContractError naming the op, the constraint by number and text, and the types given.
 */
export function inferTypes<K extends OpName>(
  op: K,
  inputs: readonly TensorType[],
  attrs: AttrsOf<K>,
): TensorType[] {
  if (!Object.hasOwn(ops, op)) throw new ContractError(`there is no op ${String(op)}`)
  const { constraints, arity, infer } = ops[op] as unknown as OpDefinition<AttrsOf<K>>
  const given = () =>
    `given ${inputs.map(formatType).join(', ') || 'no inputs'} ${formatAttrs(attrs)}`.trimEnd()
  const fits =
    arity === 'variadic'
      ? inputs.length > 0
      : typeof arity === 'number'
        ? inputs.length === arity
        : arity.includes(inputs.length)
  if (!fits) throw new ContractError(`${op} C0: takes ${arity} inputs; ${given()}`)
  return infer(inputs, attrs, (condition, constraint) => {
    if (!condition)
      throw new ContractError(`${op} C${constraint}: ${constraints[constraint - 1]}; ${given()}`)
  })
}
