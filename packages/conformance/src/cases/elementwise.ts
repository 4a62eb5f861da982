// Cases of elementwise ops: shapes around block sizes, every kind of broadcasting, whole ranges, and special values.
import type { AttrsOf, OpName } from '@embed-kd/core'
import type { Tensor } from '@embed-kd/core'
import { hostTensor, type HostTensor, type Shape } from '@embed-kd/core'
import {
  bools,
  exactly,
  floats,
  ints,
  label,
  numeric,
  range,
  type NumericDefinition,
} from './define.js'

const shapes: readonly Shape[] = [
  [],
  [0],
  [1],
  [7],
  [3, 5],
  [2, 0, 3],
  [1, 65, 1],
  [2, 3, 1, 5],
  [2, 1, 3, 2, 2],
]

/** Pairs that broadcast: equal, scalar, leading axes, axes of size 1 on either side or on both, and no elements. */
const pairs: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [[5], [5]],
  [[4, 3], [3]],
  [[3, 3], [3]],
  [[3], [4, 3]],
  [[], [2, 3]],
  [[2, 3], []],
  [
    [4, 1],
    [1, 3],
  ],
  [
    [3, 1, 5],
    [4, 1],
  ],
  [
    [2, 3, 4],
    [1, 3, 1],
  ],
  [
    [2, 3, 4, 5],
    [2, 1, 4, 1],
  ],
  [
    [2, 1, 3, 1, 2],
    [4, 1, 5, 2],
  ],
  [[0], [1]],
  [
    [2, 0, 3],
    [1, 3],
  ],
]

type Unary = 'neg' | 'exp' | 'log' | 'sqrt' | 'rsqrt' | 'tanh' | 'sigmoid' | 'erf' | 'sin' | 'cos'

/** Range of random arguments for each function, and a sweep over its whole domain. */
const unaries: Record<Unary, readonly [low: number, high: number, sweep: HostTensor]> = {
  neg: [-9, 9, range(-1e6, 1e6, 33)],
  exp: [-5, 5, range(-87, 88, 1001)],
  log: [0.01, 9, range(1e-37, 1e38, 1001, 'log')],
  sqrt: [0, 9, range(1e-37, 1e38, 1001, 'log')],
  rsqrt: [0.01, 9, range(1e-37, 1e38, 1001, 'log')],
  tanh: [-3, 3, range(-20, 20, 1001)],
  sigmoid: [-5, 5, range(-100, 100, 1001)],
  erf: [-2, 2, range(-7, 7, 1001)],
  sin: [-3, 3, range(-50, 50, 1001)],
  cos: [-3, 3, range(-50, 50, 1001)],
}

/** Both zeros, both infinities, NaN, and the ends of float32's range. */
const specials = exactly(
  0,
  -0,
  1,
  -1,
  0.5,
  -2.5,
  Infinity,
  -Infinity,
  NaN,
  (2 - 2 ** -23) * 2 ** 127,
  -(2 ** 127),
  2 ** -126,
  1e-40,
  -1e-40,
)
const column = hostTensor('float32', [specials.shape[0]!, 1], [...specials.data])

const arithmetic = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const
const comparisons = ['equal', 'less', 'lessEqual'] as const
const integer = ['add', 'sub', 'mul', 'maximum', 'minimum', ...comparisons] as const

const emit =
  <K extends OpName>(op: K, attrs: AttrsOf<K>) =>
  (inputs: Record<string, Tensor>) => {
    const operands = Object.values(inputs)
    return operands[0]!.tracer.emit(op, operands, attrs)[0]!
  }

function unaryCases(): NumericDefinition[] {
  return Object.entries(unaries).flatMap(([name, [low, high, sweep]]) => {
    const op = name as Unary
    return [
      ...shapes.map((shape) =>
        numeric(
          `elementwise/${op}/${label(shape)}`,
          op,
          { x: floats(shape, low, high) },
          emit(op, {}),
        ),
      ),
      numeric(`elementwise/${op}/range`, op, { x: sweep }, emit(op, {})),
      numeric(`special/${op}`, op, { x: specials }, emit(op, {})),
    ]
  })
}

function binaryCases(): NumericDefinition[] {
  const floatOps = [...arithmetic, ...comparisons].flatMap((op) => [
    ...pairs.map(([a, b]) =>
      // Divisors are not close to zero.
      numeric(
        `elementwise/${op}/${label(a)} ${label(b)}`,
        `${op} C3`,
        { a: floats(a), b: floats(b, 0.5, 2) },
        emit(op, {}),
      ),
    ),
    numeric(`elementwise/${op}/with itself`, op, { x: floats([3, 4]) }, ({ x }) =>
      x.tracer.emit(op, [x, x], {}),
    ),
    // Small whole numbers, so that many pairs are equal.
    numeric(
      `elementwise/${op}/ties`,
      op,
      { a: ints([64], -1, 1), b: ints([64], 1, 2) },
      ({ a, b }) =>
        a.tracer.emit(
          op,
          [a, b].map((x) => x.tracer.emit('cast', [x], { dtype: 'float32' })[0]!),
          {},
        ),
    ),
    numeric(`special/${op}`, op, { a: column, b: specials }, emit(op, {})),
  ])
  const intOps = integer.flatMap((op) => [
    ...pairs.map(([a, b]) =>
      numeric(
        `elementwise/${op}/int32 ${label(a)} ${label(b)}`,
        `${op} C2`,
        { a: ints(a), b: ints(b) },
        emit(op, {}),
      ),
    ),
    numeric(
      `special/${op}/int32`,
      op,
      {
        a: hostTensor('int32', [5, 1], [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]),
        b: hostTensor('int32', [5], [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]),
      },
      emit(op, {}),
    ),
  ])
  return [...floatOps, ...intOps]
}

function logicCases(): NumericDefinition[] {
  const binary = (['and', 'or'] as const).flatMap((op) =>
    pairs.map(([a, b]) =>
      numeric(
        `elementwise/${op}/${label(a)} ${label(b)}`,
        `${op} C2`,
        { a: bools(a), b: bools(b) },
        emit(op, {}),
      ),
    ),
  )
  const not = shapes.map((shape) =>
    numeric(`elementwise/not/${label(shape)}`, 'not C1', { x: bools(shape) }, emit('not', {})),
  )
  return [...binary, ...not]
}

/** Condition and branches: equal shapes, each of the three broadcast, and no elements. */
const triples: readonly (readonly [Shape, Shape, Shape])[] = [
  [[], [], []],
  [[5], [5], [5]],
  [[4, 1], [3], [4, 3]],
  [[3], [4, 1], []],
  [[2, 1, 3], [], [1, 5, 1]],
  [[], [2, 3], [3]],
  [[2, 3], [1], [1]],
  [[0], [1], []],
]

function selectCases(): NumericDefinition[] {
  const draws = { float32: floats, int32: ints, bool: bools }
  return [
    ...triples.flatMap(([condition, a, b]) =>
      Object.entries(draws).map(([dtype, draw]) =>
        numeric(
          `elementwise/select/${dtype} ${label(condition)} ${label(a)} ${label(b)}`,
          'select C3',
          { condition: bools(condition), a: draw(a), b: draw(b) },
          emit('select', {}),
        ),
      ),
    ),
    // The branch that is not selected may hold any value, even NaN.
    numeric(
      'special/select',
      'select',
      {
        condition: hostTensor('bool', [2, 1], [0, 1]),
        a: specials,
        b: hostTensor('float32', [], [7]),
      },
      emit('select', {}),
    ),
  ]
}

function castCases(): NumericDefinition[] {
  const draws = { float32: floats, int32: ints, bool: bools }
  const dtypes = ['float32', 'int32', 'bool'] as const
  const everyPair = dtypes.flatMap((from) =>
    dtypes.flatMap((to) =>
      [[], [0], [7], [2, 3, 4]].map((shape) =>
        numeric(
          `elementwise/cast/${from} to ${to} ${label(shape)}`,
          'cast',
          { x: draws[from](shape) },
          emit('cast', { dtype: to }),
        ),
      ),
    ),
  )
  return [
    ...everyPair,
    numeric(
      'special/cast/truncates towards zero',
      'cast',
      { x: exactly(-2.9, -2, -0.9, -0, 0.9, 2, 2.9, 2 ** 24, -(2 ** 30)) },
      emit('cast', { dtype: 'int32' }),
    ),
    numeric('special/cast/to bool', 'cast', { x: specials }, emit('cast', { dtype: 'bool' })),
    numeric(
      'special/cast/great integers to float',
      'cast',
      { x: hostTensor('int32', [4], [2 ** 31 - 1, -(2 ** 31), 2 ** 24 + 1, -(2 ** 24) - 3]) },
      emit('cast', { dtype: 'float32' }),
    ),
  ]
}

/** A tensor with more elements than 65,535 workgroups of 64 invocations can process. */
const many = (): NumericDefinition =>
  numeric('elementwise/add/4.2 million elements', 'add', { x: floats([2051, 2049]) }, ({ x }) =>
    x.tracer.emit('add', [x, x], {}),
  )

export const elementwiseCases = (): NumericDefinition[] => [
  ...unaryCases(),
  ...binaryCases(),
  ...logicCases(),
  ...selectCases(),
  ...castCases(),
  many(),
]
