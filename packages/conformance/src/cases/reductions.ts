// Cases of reductions and matrix products: every set of axes, long sums, ties, and every layout of the operands.
import { hostTensor, type Shape } from '@embed-kd/core'
import { exactly, floats, ints, label, numeric, rows, type NumericDefinition } from './define.js'

const reductions: readonly (readonly [Shape, readonly number[]])[] = [
  [[], []],
  [[5], [0]],
  [[5], []],
  [[1], [0]],
  [[3, 4], [0]],
  [[3, 4], [1]],
  [
    [3, 4],
    [0, 1],
  ],
  [[1, 4], [0]],
  [[2, 3, 4], [1]],
  [
    [2, 3, 4],
    [0, 2],
  ],
  [
    [2, 3, 4],
    [2, 0],
  ],
  [
    [2, 3, 4, 5],
    [1, 2],
  ],
  [
    [2, 3, 4, 5],
    [0, 3],
  ],
  [
    [2, 3, 1, 4, 2],
    [1, 3],
  ],
  [
    [2, 3, 1, 4, 2],
    [0, 1, 2, 3, 4],
  ],
  [[0, 3], [1]],
]

function reductionCases(): NumericDefinition[] {
  const everyAxes = (['sum', 'max'] as const).flatMap((op) =>
    reductions.flatMap(([shape, axes]) =>
      [false, true].map((keepDims) =>
        numeric(
          `reduce/${op}/${label(shape)} over ${label(axes)}${keepDims ? ' kept' : ''}`,
          `${op} C2`,
          { x: floats(shape) },
          ({ x }) => x.tracer.emit(op, [x], { axes, keepDims }),
        ),
      ),
    ),
  )
  const all = (op: 'sum' | 'max', variant: string, shape: Shape, low: number, high: number) =>
    numeric(`reduce/${op}/${variant}`, op, { x: floats(shape, low, high) }, ({ x }) =>
      x.tracer.emit(op, [x], { axes: x.shape.map((_, axis) => axis), keepDims: false }),
    )
  const special = (op: 'sum' | 'max') =>
    numeric(
      `special/${op}`,
      op,
      {
        x: rows(
          [1, NaN, 2],
          [NaN, 1, 5],
          [1, 2, NaN],
          [Infinity, -1, 3],
          [-Infinity, -Infinity, -Infinity],
          [Infinity, -Infinity, 0],
        ),
      },
      ({ x }) => x.tracer.emit(op, [x], { axes: [1], keepDims: false }),
    )
  return [
    ...everyAxes,
    ...[
      [[0], [0]],
      [[2, 0], [1]],
      [
        [3, 0, 2],
        [0, 1],
      ],
    ].map(([shape, axes]) =>
      numeric(`reduce/sum/${label(shape!)} of nothing`, 'sum', { x: floats(shape!) }, ({ x }) =>
        x.tracer.emit('sum', [x], { axes: axes!, keepDims: false }),
      ),
    ),
    all('sum', '100,003 terms', [100_003], -1, 1),
    all('sum', '100,003 terms of one sign', [100_003], 0, 1),
    all('sum', '1,100,000 terms in a matrix', [1000, 1100], -1, 1),
    all('max', '100,003 elements', [100_003], -1, 1),
    all('max', 'negative elements', [129], -9, -1),
    special('sum'),
    special('max'),
  ]
}

function argmaxCases(): NumericDefinition[] {
  const argmax = (name: string, x: Parameters<typeof numeric>[2][string], axis: number) =>
    numeric(name, 'argmax C2', { x }, ({ x }) => x!.tracer.emit('argmax', [x!], { axis }))
  const everyAxis = (
    [[5], [1], [3, 4], [2, 3, 4], [2, 3, 1, 4], [2, 3, 1, 4, 2], [0, 3]] as Shape[]
  ).flatMap((shape) =>
    shape.flatMap((size, axis) =>
      size === 0
        ? []
        : [argmax(`reduce/argmax/${label(shape)} along ${axis}`, floats(shape), axis)],
    ),
  )
  return [
    ...everyAxis,
    argmax('reduce/argmax/1,000 elements', floats([3, 1000]), 1),
    argmax(
      'reduce/argmax/the first of equals',
      hostTensor('float32', [4, 3], [1, 1, 1, 0, 2, 2, 3, 0, 3, -1, -1, -2]),
      1,
    ),
    argmax(
      'special/argmax/infinities',
      hostTensor('float32', [3, 2], [-Infinity, -Infinity, -Infinity, 0, 1, Infinity]),
      1,
    ),
  ]
}

/** Matrices [m, k] · [k, n]: ones, odd sizes, sizes around a block, a long inner axis, and empty ones. */
const sizes: readonly (readonly [m: number, k: number, n: number])[] = [
  [1, 1, 1],
  [1, 5, 1],
  [3, 1, 4],
  [1, 7, 5],
  [4, 6, 1],
  [2, 3, 4],
  [7, 5, 3],
  [16, 16, 16],
  [17, 33, 15],
  [65, 64, 66],
  [2, 4096, 3],
  [0, 3, 2],
  [2, 3, 0],
  [2, 0, 3],
]

const batches: readonly (readonly [Shape, Shape])[] = [
  [[2], [2]],
  [[2], []],
  [[], [3]],
  [[1], [4]],
  [[3, 1], [2]],
  [
    [2, 3],
    [2, 3],
  ],
  [
    [2, 1],
    [1, 3],
  ],
  [
    [2, 1, 3],
    [2, 1],
  ],
  [[0], [1]],
]

const transposes = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const

function matmulCases(): NumericDefinition[] {
  const product = (
    variant: string,
    contract: string,
    [aBatch, bBatch]: readonly [Shape, Shape],
    [m, k, n]: readonly [number, number, number],
    [transposeA, transposeB]: readonly [boolean, boolean],
  ) => {
    const marks = `${transposeA ? ' A' : ''}${transposeB ? ' B' : ''}`
    return numeric(
      `matmul/${variant}${marks && ` transposed${marks}`}`,
      contract,
      {
        a: floats([...aBatch, ...(transposeA ? [k, m] : [m, k])]),
        b: floats([...bBatch, ...(transposeB ? [n, k] : [k, n])]),
      },
      ({ a, b }) => a.tracer.emit('matmul', [a, b], { transposeA, transposeB }),
    )
  }
  const itself = (shape: Shape, transposeA: boolean, transposeB: boolean) =>
    numeric(
      `matmul/${label(shape)} with itself${transposeA ? ' A' : ''}${transposeB ? ' B' : ''}`,
      'matmul',
      { x: floats(shape) },
      ({ x }) => x.tracer.emit('matmul', [x, x], { transposeA, transposeB }),
    )
  return [
    ...sizes.flatMap((size) =>
      transposes.map((t) => product(size.join('x'), 'matmul C2', [[], []], size, t)),
    ),
    ...batches.flatMap(([a, b]) =>
      transposes.map((t) =>
        product(`batch ${label(a)} ${label(b)}`, 'matmul C3', [a, b], [3, 5, 4], t),
      ),
    ),
    itself([4, 4], false, false),
    itself([3, 5], false, true),
    itself([2, 3, 5], true, false),
    numeric(
      'special/matmul',
      'matmul',
      {
        a: hostTensor('float32', [4, 2], [1, NaN, Infinity, 1, 0, 1, -Infinity, 2]),
        b: hostTensor('float32', [2, 2], [1, 0, 0, 1]),
      },
      ({ a, b }) => a.tracer.emit('matmul', [a, b], { transposeA: false, transposeB: false }),
    ),
    numeric(
      'matmul/exact in whole numbers',
      'matmul',
      { a: ints([9, 31]), b: ints([31, 10]) },
      ({ a, b }) => {
        const [x, y] = [a, b].map((t) => t.tracer.emit('cast', [t], { dtype: 'float32' })[0]!)
        return a.tracer.emit('matmul', [x!, y!], { transposeA: false, transposeB: false })
      },
    ),
  ]
}

export const reductionFamilies = (): NumericDefinition[] => [
  ...reductionCases(),
  ...argmaxCases(),
  ...matmulCases(),
  numeric('special/max/of zeros', 'max', { x: exactly(-0, 0) }, ({ x }) =>
    x.tracer.emit('max', [x], { axes: [0], keepDims: false }),
  ),
]
