// Cases of constants and of ops that only move elements. Nothing may be rounded, so results must be equal to the bit.
import type { AttrsOf, OpName } from '@embed-kd/core'
import type { Tensor } from '@embed-kd/core'
import { hostScalar, hostTensor, type HostTensor, type Shape } from '@embed-kd/core'
import { bools, exactly, floats, ints, label, numeric, type NumericDefinition } from './define.js'

const draws = { float32: floats, int32: ints, bool: bools }
const dtypes = ['float32', 'int32', 'bool'] as const

const one =
  <K extends OpName>(op: K, attrs: AttrsOf<K>) =>
  ({ x }: { x: Tensor }) =>
    x.tracer.emit(op, [x], attrs)[0]!

/** Returns the cases of an op on one tensor, for each dtype that the op takes. */
const moves = <K extends OpName>(
  op: K,
  contract: string,
  table: readonly (readonly [Shape, AttrsOf<K>, string])[],
  takes: readonly (typeof dtypes)[number][] = dtypes,
): NumericDefinition[] =>
  table.flatMap(([shape, attrs, variant]) =>
    takes.map((dtype) =>
      numeric(
        `layout/${op}/${dtype} ${label(shape)} ${variant}`,
        contract,
        { x: draws[dtype](shape) },
        one(op, attrs),
      ),
    ),
  )

const constants: readonly (readonly [string, HostTensor])[] = [
  ['a float scalar', hostScalar(0.1)],
  ['an int32 scalar', hostScalar(-7, 'int32')],
  ['a bool scalar', hostScalar(1, 'bool')],
  ['no elements', hostTensor('float32', [0, 3])],
  ['a matrix', hostTensor('float32', [2, 3], [1, 2, 3, 4, 5, 6])],
  ['int32', hostTensor('int32', [2, 2], [1, -2, 2 ** 31 - 1, -(2 ** 31)])],
  ['bool', hostTensor('bool', [3], [1, 0, 1])],
  ['special values', exactly(0, -0, Infinity, -Infinity, NaN, 2 ** 127)],
  ['rank 5', hostTensor('float32', [1, 2, 1, 2, 1], [1, 2, 3, 4])],
]

const sources = (): NumericDefinition[] => [
  ...constants.map(([variant, value]) =>
    numeric(`layout/constant/${variant}`, 'constant', {}, (_, tracer) => tracer.constant(value)),
  ),
  ...[0, 1, 5, 1000].map((size) =>
    numeric(`layout/iota/${size}`, 'iota C1', {}, (_, tracer) => tracer.iota(size)),
  ),
]

const reshapes: readonly (readonly [Shape, Shape])[] = [
  [[], [1]],
  [[1], []],
  [[1, 1, 1], []],
  [[6], [2, 3]],
  [
    [2, 3],
    [3, 2],
  ],
  [
    [2, 3, 4],
    [4, 6],
  ],
  [[24], [2, 1, 3, 4, 1]],
  [[0], [3, 0]],
  [[2, 0, 5], [0]],
]

const permutations: readonly (readonly [Shape, readonly number[]])[] = [
  [[], []],
  [[5], [0]],
  [
    [3, 5],
    [0, 1],
  ],
  [
    [3, 5],
    [1, 0],
  ],
  [
    [1, 5],
    [1, 0],
  ],
  [
    [2, 0],
    [1, 0],
  ],
  ...[
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ].map((p) => [[2, 3, 5], p] as const),
  ...[
    [0, 2, 1, 3],
    [3, 1, 2, 0],
    [1, 3, 0, 2],
    [0, 1, 3, 2],
  ].map((p) => [[2, 3, 5, 4], p] as const),
  ...[
    [4, 3, 2, 1, 0],
    [0, 2, 4, 1, 3],
    [1, 0, 3, 4, 2],
  ].map((p) => [[2, 3, 1, 4, 3], p] as const),
  [
    [2, 3, 2, 4, 2, 4],
    [0, 2, 4, 1, 3, 5],
  ],
]

const broadcasts: readonly (readonly [Shape, Shape])[] = [
  [[], [1]],
  [[], [2, 3]],
  [[1], [5]],
  [[3], [3]],
  [[3], [3, 3]],
  [[3], [4, 3]],
  [
    [4, 1],
    [4, 3],
  ],
  [
    [1, 3],
    [4, 3],
  ],
  [
    [2, 1, 3],
    [2, 4, 3],
  ],
  [
    [1, 4, 1],
    [2, 3, 4, 5],
  ],
  [
    [3, 1, 2],
    [2, 1, 3, 4, 2],
  ],
  [[1], [0]],
  [
    [0, 1],
    [2, 0, 3],
  ],
]

const slices: readonly (readonly [Shape, AttrsOf<'slice'>, string])[] = [
  [[], { starts: [], sizes: [] }, 'whole'],
  [[5], { starts: [0], sizes: [5] }, 'whole'],
  [[5], { starts: [3], sizes: [2] }, 'end'],
  [[5], { starts: [2], sizes: [1] }, 'one'],
  [[5], { starts: [5], sizes: [0] }, 'none'],
  [[4, 6], { starts: [1, 2], sizes: [2, 3] }, 'middle'],
  [[4, 6], { starts: [0, 5], sizes: [4, 1] }, 'last column'],
  [[3, 4, 5], { starts: [1, 0, 2], sizes: [2, 4, 2] }, 'block'],
  [[2, 3, 4, 5], { starts: [0, 1, 0, 3], sizes: [2, 1, 4, 2] }, 'rank 4'],
  [[2, 3, 1, 4, 3], { starts: [1, 0, 0, 2, 1], sizes: [1, 3, 1, 2, 2] }, 'rank 5'],
  [[2, 0, 3], { starts: [1, 0, 0], sizes: [1, 0, 2] }, 'of none'],
]

const pads: readonly (readonly [Shape, AttrsOf<'pad'>, string])[] = [
  [[], { low: [], high: [] }, 'nothing'],
  [[3], { low: [0], high: [0] }, 'nothing'],
  [[3], { low: [2], high: [0] }, 'before'],
  [[3], { low: [0], high: [2] }, 'after'],
  [[0], { low: [1], high: [2] }, 'around no elements'],
  [[2, 3], { low: [1, 0], high: [0, 2] }, 'a corner'],
  [[2, 3, 2], { low: [0, 1, 2], high: [3, 0, 1] }, 'rank 3'],
  [[2, 1, 3, 2], { low: [1, 0, 0, 1], high: [0, 2, 1, 0] }, 'rank 4'],
  [[2, 1, 2, 1, 2], { low: [0, 1, 0, 1, 0], high: [1, 0, 1, 0, 1] }, 'rank 5'],
]

const concats: readonly (readonly [axis: number, ...Shape[]])[] = [
  [0, [3]],
  [0, [2], [3]],
  [0, [2], [0], [3], [1], [1]],
  [0, [2, 3], [1, 3]],
  [1, [2, 3], [2, 1]],
  [1, [2, 1, 3], [2, 4, 3]],
  [2, [2, 2, 1], [2, 2, 3], [2, 2, 2]],
  [1, [2, 1, 3, 2], [2, 2, 3, 2]],
  [3, [1, 2, 1, 3, 2], [1, 2, 1, 1, 2]],
  [0, [0, 3], [0, 3]],
]

const splits: readonly (readonly [axis: number, Shape, ...number[]])[] = [
  [0, [3], 3],
  [0, [5], 2, 3],
  [0, [7], 2, 0, 3, 1, 1],
  [1, [2, 3], 1, 2],
  [1, [2, 5, 3], 4, 1],
  [2, [2, 2, 6], 1, 3, 2],
  [0, [3, 2, 4, 5, 2], 1, 1, 1],
  [1, [0, 3], 1, 2],
]

export const layoutCases = (): NumericDefinition[] => [
  ...sources(),
  ...moves(
    'reshape',
    'reshape C2',
    reshapes.map(([from, shape]) => [from, { shape }, `to ${label(shape)}`]),
  ),
  ...moves(
    'transpose',
    'transpose C1',
    permutations.map(([shape, permutation]) => [
      shape,
      { permutation },
      `by ${label(permutation)}`,
    ]),
  ),
  ...moves(
    'broadcastTo',
    'broadcastTo C2',
    broadcasts.map(([from, shape]) => [from, { shape }, `to ${label(shape)}`]),
  ),
  ...moves('slice', 'slice C2', slices),
  ...moves('pad', 'pad C2', pads, ['float32', 'int32']),
  ...concats.flatMap(([axis, ...shapes]) =>
    dtypes.map((dtype) =>
      numeric(
        `layout/concat/${dtype} ${shapes.map(label).join(' ')} along ${axis}`,
        'concat C3',
        Object.fromEntries(shapes.map((shape, i) => [`x${i}`, draws[dtype](shape)])),
        (inputs, tracer) => tracer.emit('concat', Object.values(inputs), { axis }),
      ),
    ),
  ),
  ...splits.flatMap(([axis, shape, ...sizes]) =>
    dtypes.map((dtype) =>
      numeric(
        `layout/split/${dtype} ${label(shape)} along ${axis} in ${label(sizes)}`,
        'split C3',
        { x: draws[dtype](shape) },
        ({ x }, tracer) => tracer.emit('split', [x], { axis, sizes }),
      ),
    ),
  ),
  numeric('layout/split/one part read', 'split C3', { x: floats([5]) }, ({ x }, tracer) => [
    tracer.emit('split', [x], { axis: 0, sizes: [2, 1, 2] })[1]!,
  ]),
  numeric('layout/concat/with itself', 'concat', { x: floats([2, 3]) }, ({ x }) =>
    x.tracer.emit('concat', [x, x, x], { axis: 1 }),
  ),
]
