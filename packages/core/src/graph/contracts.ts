// How an op declares its contract: a signature, numbered constraints, and the shape rule that checks them. The ops
// themselves are in ops.ts.
import {
  broadcastShapes,
  isFloat,
  type DType,
  type Shape,
  type TensorType,
} from '../tensor/tensor.js'

/** A broken contract: which op, which numbered constraint, and what was given. */
export class ContractError extends Error {
  override name = 'ContractError'
}

type Check = (condition: boolean, constraint: number) => void

export interface OpDefinition<A> {
  /** Inputs and outputs by name, for people. */
  readonly signature: string
  /** Constraints C1, C2, …; the shape rule checks each of them. */
  readonly constraints: readonly string[]
  /** How many tensors it takes: exactly n, or at least one. */
  readonly arity: number | readonly number[] | 'variadic'
  /** Output types from input types; `check` reports a broken constraint by its number. */
  infer(inputs: readonly TensorType[], attrs: A, check: Check): TensorType[]
}

type NoAttrs = Record<never, never>

/** An op that every backend must run. */
export const primitive = <A = NoAttrs>(definition: OpDefinition<A>) => ({
  ...definition,
  composite: false as const,
})

/** An op with a decomposition into primitives, which a backend may run natively. */
export const composite = <A = NoAttrs>(definition: OpDefinition<A>) => ({
  ...definition,
  composite: true as const,
})

export const isAxis = (axis: number, rank: number) =>
  Number.isInteger(axis) && axis >= 0 && axis < rank
export const areAxes = (axes: readonly number[], rank: number) =>
  axes.every((axis) => isAxis(axis, rank)) && new Set(axes).size === axes.length
export const areSizes = (shape: Shape) => shape.every((n) => Number.isInteger(n) && n >= 0)

export const unary = (meaning: string) =>
  primitive({
    signature: `x: float -> y = ${meaning}`,
    constraints: ['x is a float'],
    arity: 1,
    infer: ([x], _, check) => {
      check(isFloat(x!.dtype), 1)
      return [x!]
    },
  })

/** Elementwise over operands of one dtype (out of `dtypes`), broadcast as NumPy does. */
export const binary = (meaning: string, dtypes: readonly DType[], result?: DType) =>
  primitive({
    signature: `a, b: ${dtypes.join('|')} -> y${result ? `: ${result}` : ''} = ${meaning}`,
    constraints: [
      'a and b have the same dtype',
      `the dtype is one of ${dtypes.join(', ')}`,
      'the shapes of a and b broadcast together',
    ],
    arity: 2,
    infer: ([a, b], _, check) => {
      check(a!.dtype === b!.dtype, 1)
      check(dtypes.includes(a!.dtype), 2)
      const shape = broadcastShapes(a!.shape, b!.shape)
      check(shape !== undefined, 3)
      return [{ dtype: result ?? a!.dtype, shape: shape! }]
    },
  })

export const reduction = (meaning: string, emptyAllowed: boolean) =>
  primitive<{ readonly axes: readonly number[]; readonly keepDims: boolean }>({
    signature: `x: float -> y = ${meaning} over axes`,
    constraints: [
      'x is a float',
      'axes are distinct and between 0 and rank - 1',
      ...(emptyAllowed ? [] : ['no reduced axis has size 0']),
    ],
    arity: 1,
    infer: ([x], { axes, keepDims }, check) => {
      check(isFloat(x!.dtype), 1)
      check(areAxes(axes, x!.shape.length), 2)
      if (!emptyAllowed)
        check(
          axes.every((axis) => x!.shape[axis] !== 0),
          3,
        )
      const shape = x!.shape.flatMap((n, axis) =>
        axes.includes(axis) ? (keepDims ? [1] : []) : [n],
      )
      return [{ dtype: x!.dtype, shape }]
    },
  })

/** A composite that maps every vector along one axis. */
export const alongAxis = (meaning: string) =>
  composite<{ readonly axis: number }>({
    signature: `x: float -> y = ${meaning} along axis`,
    constraints: ['x is a float', 'axis is between 0 and rank - 1', 'that axis is not empty'],
    arity: 1,
    infer: ([x], { axis }, check) => {
      check(isFloat(x!.dtype), 1)
      check(isAxis(axis, x!.shape.length), 2)
      check(x!.shape[axis]! > 0, 3)
      return [x!]
    },
  })

export const numbers: readonly DType[] = ['float32', 'float16', 'int32']
export const floats: readonly DType[] = ['float32', 'float16']
export const bools: readonly DType[] = ['bool']
export const dtypes: readonly DType[] = [...numbers, ...bools]
