// Cases of the gradient of every op, on shapes for which un-broadcasting, transposes and ties matter. core's own tests compare the
// gradient rules with finite differences.
import { gradients } from '@embed-kd/core'
import { op } from '@embed-kd/core'
import type { AttrsOf, OpName } from '@embed-kd/core'
import type { Tensor } from '@embed-kd/core'
import { hostTensor, type HostTensor, type Shape } from '@embed-kd/core'
import {
  bools,
  drawInputs,
  floats,
  label,
  numeric,
  type Draw,
  type NumericDefinition,
} from './define.js'

type Inputs = Readonly<Record<string, HostTensor | Draw>>

/** Returns a case of the gradients of Σ weights · body(inputs) with respect to all float inputs, with random weights. */
function gradient(
  name: string,
  contract: string,
  inputs: Inputs,
  body: (operands: readonly Tensor[]) => Tensor,
): NumericDefinition {
  // The body is traced once to get the shape of its result.
  const { graph } = numeric(name, contract, inputs, (symbols) => body(Object.values(symbols)))
  const { shape } = graph.types[graph.outputs[0]!.value]!
  return numeric(
    name,
    contract,
    { ...drawInputs(name, inputs), weights: floats(shape) },
    ({ weights, ...symbols }) => {
      const operands = Object.values<Tensor>(symbols)
      const loss = op.sum(op.mul(body(operands), weights!))
      const wrt = operands.filter(({ type }) => type.dtype === 'float32')
      return gradients(loss, wrt).filter((g) => g !== undefined)
    },
  )
}

const of = <K extends OpName>(
  name: K,
  variant: string,
  inputs: Inputs,
  attrs: AttrsOf<K>,
): NumericDefinition =>
  gradient(
    `gradient/${name}/${variant}`,
    name,
    inputs,
    (operands) => operands[0]!.tracer.emit(name, operands, attrs)[0]!,
  )

const ranges = {
  neg: [-2, 2],
  exp: [-3, 3],
  log: [0.1, 5],
  sqrt: [0.1, 5],
  rsqrt: [0.1, 5],
  tanh: [-3, 3],
  sigmoid: [-5, 5],
  erf: [-2, 2],
  sin: [-3, 3],
  cos: [-3, 3],
  quickGelu: [-4, 4],
} as const

const unaries = Object.entries(ranges).flatMap(([name, [low, high]]) =>
  ([[], [5], [3, 4]] as Shape[]).map((shape) =>
    of(name as keyof typeof ranges, label(shape), { x: floats(shape, low, high) }, {}),
  ),
)

/** Pairs of shapes for un-broadcasting: to a scalar, over leading axes, over axes of size 1, on both sides at once. */
const pairs: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [
    [3, 4],
    [3, 4],
  ],
  [[3, 4], []],
  [[], [3, 4]],
  [[3, 4], [4]],
  [[4], [3, 4]],
  [
    [3, 1],
    [1, 4],
  ],
  [
    [2, 3, 4],
    [3, 1],
  ],
  [
    [2, 1, 4],
    [1, 3, 1],
  ],
  [[1, 1], [2]],
  [
    [2, 1, 3, 1],
    [4, 1, 5],
  ],
]

const binaries = (['add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const).flatMap((name) => [
  ...pairs.map(([a, b]) =>
    of(name, `${label(a)} ${label(b)}`, { a: floats(a), b: floats(b, 0.5, 2) }, {}),
  ),
  gradient(
    `gradient/${name}/with itself`,
    name,
    { x: floats([3, 4], 0.5, 2) },
    ([x]) => x!.tracer.emit(name, [x!, x!], {})[0]!,
  ),
])

const ties = (['maximum', 'minimum'] as const).map((name) =>
  of(
    name,
    'ties',
    {
      a: hostTensor('float32', [4], [1, 2, 3, 0]),
      b: hostTensor('float32', [4], [1, 3, 2, -0]),
    },
    {},
  ),
)

const selects = [
  [
    [3, 4],
    [3, 4],
    [3, 4],
  ],
  [[3, 1], [4], []],
  [[4], [3, 1], [3, 4]],
].map(([condition, a, b]) =>
  of(
    'select',
    `${label(condition!)} ${label(a!)} ${label(b!)}`,
    { condition: bools(condition!), a: floats(a!), b: floats(b!) },
    {},
  ),
)

const layouts = [
  of('reshape', '[2,3] to [6]', { x: floats([2, 3]) }, { shape: [6] }),
  of('transpose', '[2,3,4]', { x: floats([2, 3, 4]) }, { permutation: [2, 0, 1] }),
  of('broadcastTo', '[] to [2,3]', { x: floats([]) }, { shape: [2, 3] }),
  of('broadcastTo', '[3,1] to [2,3,4]', { x: floats([3, 1]) }, { shape: [2, 3, 4] }),
  of('slice', '[4,6]', { x: floats([4, 6]) }, { starts: [1, 2], sizes: [2, 3] }),
  of('pad', '[2,3]', { x: floats([2, 3]) }, { low: [1, 0], high: [0, 2] }),
  of('concat', 'three', { a: floats([2, 1]), b: floats([2, 3]), c: floats([2, 2]) }, { axis: 1 }),
  gradient('gradient/split/all parts', 'split', { x: floats([2, 6]) }, ([x]) => {
    const [a, b, c] = op.split(x!, 1, [1, 2, 3]) as [Tensor, Tensor, Tensor]
    return op.add(op.add(op.mul(a, 2), op.sum(b)), op.sum(op.mul(c, c)))
  }),
  gradient('gradient/split/one part', 'split', { x: floats([2, 6]) }, ([x]) =>
    op.sin(op.split(x!, 1, [1, 2, 3])[1]!),
  ),
  gradient(
    'gradient/concat/with itself',
    'concat',
    { x: floats([2, 3]) },
    ([x]) => x!.tracer.emit('concat', [x!, x!], { axis: 0 })[0]!,
  ),
]

const reductions = (['sum', 'max'] as const).flatMap((name) =>
  (
    [
      [[5], [0]],
      [[3, 4], [0]],
      [[3, 4], [1]],
      [
        [2, 3, 4],
        [0, 2],
      ],
      [[3, 4], []],
    ] as const
  ).flatMap(([shape, axes]) =>
    [false, true].map((keepDims) =>
      of(
        name,
        `${label(shape)} over ${label(axes)}${keepDims ? ' kept' : ''}`,
        { x: floats(shape) },
        { axes, keepDims },
      ),
    ),
  ),
)

const maxTies = of(
  'max',
  'ties',
  { x: hostTensor('float32', [3, 3], [1, 1, 0, 2, 2, 2, 0, -1, 0]) },
  { axes: [1], keepDims: false },
)

const matmuls = [false, true].flatMap((transposeA) =>
  [false, true].flatMap((transposeB) =>
    (
      [
        [[], []],
        [[2], [2]],
        [[2], []],
        [[], [3]],
        [
          [2, 1],
          [1, 3],
        ],
      ] as (readonly [Shape, Shape])[]
    ).map(([a, b]) =>
      of(
        'matmul',
        `batch ${label(a)} ${label(b)}${transposeA ? ' A' : ''}${transposeB ? ' B' : ''}`,
        {
          a: floats([...a, ...(transposeA ? [4, 3] : [3, 4])]),
          b: floats([...b, ...(transposeB ? [5, 4] : [4, 5])]),
        },
        { transposeA, transposeB },
      ),
    ),
  ),
)

const composites = [
  ...(['softmax', 'logSoftmax'] as const).flatMap((name) => [
    of(name, '[5]', { x: floats([5]) }, { axis: 0 }),
    of(name, '[2,3,4] along 1', { x: floats([2, 3, 4]) }, { axis: 1 }),
    of(name, '[2,3,4] along 2', { x: floats([2, 3, 4]) }, { axis: 2 }),
  ]),
  ...[[6], [3, 5], [2, 3, 8]].map((shape) =>
    of(
      'layerNorm',
      label(shape),
      { x: floats(shape), scale: floats(shape.slice(-1)), bias: floats(shape.slice(-1)) },
      { epsilon: 1e-5 },
    ),
  ),
  ...(['none', 'tanh'] as const).flatMap((approximate) =>
    [[], [3, 7]].map((shape) =>
      of('gelu', `${approximate} ${label(shape)}`, { x: floats(shape, -4, 4) }, { approximate }),
    ),
  ),
  ...[[4], [3, 4], [2, 3, 4]].flatMap((shape) => {
    const inputs = { x: floats(shape), weight: floats([5, 4]) }
    return [
      of('linear', label(shape), inputs, {}),
      of('linear', `${label(shape)} with bias`, { ...inputs, bias: floats([5]) }, {}),
    ]
  }),
]

/** Programs in which gradients are summed: a value that is used several times, and a chain of all kinds of ops. */
const chains = [
  gradient('gradient/chain/fan-out', 'add', { x: floats([3, 4]) }, ([x]) =>
    op.add(
      op.mul(x!, op.sum(x!, { axes: [1], keepDims: true })),
      op.transpose(op.reshape(x!, [4, 3]), [1, 0]),
    ),
  ),
  gradient(
    'gradient/chain/attention',
    'softmax',
    { x: floats([2, 5, 4]), weight: floats([12, 4]), scale: floats([4]), bias: floats([4]) },
    ([x, weight, scale, bias]) => {
      const stacked = op.linear(op.layerNorm(x!, scale!, bias!, 1e-5), weight!)
      const part = (i: number) => op.sliceAxis(stacked, 2, 4 * i, 4)
      const scores = op.mul(op.matmul(part(0), part(1), { transposeB: true }), 0.5)
      return op.add(x!, op.matmul(op.softmax(scores), part(2)))
    },
  ),
]

export const gradientCases = (): NumericDefinition[] => [
  ...unaries,
  ...binaries,
  ...ties,
  ...selects,
  ...layouts,
  ...reductions,
  maxTies,
  ...matmuls,
  ...composites,
  ...chains,
]
