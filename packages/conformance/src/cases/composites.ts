// Cases of composites: natively if the backend runs them, and always decomposed.
import { op } from '@embed-kd/core'
import type { AttrsOf, CompositeName } from '@embed-kd/core'
import { hostTensor, type HostTensor, type Shape } from '@embed-kd/core'
import {
  exactly,
  floats,
  label,
  numeric,
  range,
  rows,
  type Draw,
  type NumericDefinition,
} from './define.js'

const emit = <K extends CompositeName>(
  name: K,
  variant: string,
  inputs: Readonly<Record<string, HostTensor | Draw>>,
  attrs: AttrsOf<K>,
  contract: string = name,
): NumericDefinition =>
  numeric(`composite/${name}/${variant}`, contract, inputs, (symbols, tracer) =>
    tracer.emit(name, Object.values(symbols), attrs),
  )

/** Rows that overflow, underflow, are masked, or hold what is not a number. */
const hardRows = rows(
  [1000, 1001, 999],
  [-1000, -1001, -999],
  [0, 1e30, -1e30],
  [-Infinity, 0, 1],
  [-Infinity, -Infinity, 3],
  [88, 89, -104],
  [0, 0, 0],
)
const brokenRows = rows(
  [NaN, 1, 2],
  [1, NaN, -Infinity],
  [Infinity, 1, 2],
  [-Infinity, -Infinity, -Infinity],
)

/** Shapes with each of their axes that has elements. */
const alongAxes = (
  [[1], [5], [3, 4], [2, 3, 4], [2, 1, 3, 5], [2, 3, 1, 2, 4], [0, 3]] as Shape[]
).flatMap((shape) =>
  shape.flatMap((size, axis) =>
    size === 0 ? [] : [{ shape, axis, variant: `${label(shape)} along ${axis}` }],
  ),
)

const softmaxes = (['softmax', 'logSoftmax'] as const).flatMap((name) => [
  ...alongAxes.map(({ shape, axis, variant }) =>
    emit(name, variant, { x: floats(shape, -3, 3) }, { axis }, `${name} C2`),
  ),
  emit(name, '1,000 classes', { x: floats([7, 1000], -9, 9) }, { axis: 1 }),
  emit(name, 'extreme rows', { x: hardRows }, { axis: 1 }),
  emit(name, 'broken rows', { x: brokenRows }, { axis: 1 }),
])

const softmaxGradients = [
  ...[
    ...alongAxes,
    { shape: [3, 65], axis: 1, variant: '65 classes' },
    { shape: [2, 1025], axis: 1, variant: '1,025 classes' },
    { shape: [1025, 2], axis: 0, variant: '1,025 classes along 0' },
  ].map(({ shape, axis, variant }) =>
    emit('softmaxGradient', variant, { y: floats(shape, 0, 1), g: floats(shape) }, { axis }),
  ),
  emit(
    'softmaxGradient',
    'certain, even and broken rows',
    {
      y: rows([1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [NaN, NaN, NaN], [0.5, 0.25, 0.25]),
      g: rows([5, -1e6, 3], [2, 2, 2], [1, 2, 3], [1, NaN, 2]),
    },
    { axis: 1 },
  ),
]

const norm = (variant: string, shape: Shape, x: HostTensor | Draw, epsilon = 1e-5) => {
  const d = shape.at(-1)!
  const inputs = { x, scale: floats([d], 0.5, 2), bias: floats([d]) }
  return emit('layerNorm', variant, inputs, { epsilon }, 'layerNorm C1')
}

const normShapes: readonly Shape[] = [
  [4],
  [3, 5],
  [1, 7],
  [2, 3, 6],
  [2, 1, 3, 4],
  [2, 3, 1, 2, 8],
  [6, 384],
  [0, 3],
  [2, 0, 3],
]

const norms = [
  ...normShapes.map((shape) => norm(label(shape), shape, floats(shape))),
  norm('one element a row', [3, 1], floats([3, 1])),
  norm('constant rows', [2, 4], rows([5, 5, 5, 5], [0, 0, 0, 0])),
  norm('a mean far from zero', [3, 64], floats([3, 64], 99, 101)),
  norm('small variance', [3, 16], floats([3, 16], -1e-3, 1e-3)),
  norm('large epsilon', [3, 8], floats([3, 8]), 1e-1),
  norm('large values', [3, 8], floats([3, 8], -1e6, 1e6)),
  norm('broken rows', [2, 3], rows([1, NaN, 2], [3, 4, 5])),
]

const normGradient = (variant: string, y: HostTensor | Draw, shape: Shape) =>
  emit(
    'standardizeGradient',
    variant,
    { y, invStd: floats([...shape.slice(0, -1), 1], 0.5, 2), g: floats(shape) },
    {},
    'standardizeGradient C3',
  )

const normGradients = [
  ...[...normShapes, [3, 1], [3, 65], [2, 1025]].map((shape) =>
    normGradient(label(shape), floats(shape), shape),
  ),
  normGradient('constant and broken rows', rows([0, 0, 0], [1, NaN, 2]), [2, 3]),
]

const activationShapes: readonly Shape[] = [[], [0], [5], [3, 4], [2, 3, 1, 5]]
const edges = exactly(0, -0, Infinity, NaN, 20, -20, 1e-30, 100, -100)

const activations = [
  ...(['none', 'tanh'] as const).flatMap((approximate) => [
    ...activationShapes.map((shape) =>
      emit('gelu', `${approximate} ${label(shape)}`, { x: floats(shape, -4, 4) }, { approximate }),
    ),
    emit('gelu', `${approximate} range`, { x: range(-12, 12, 1001) }, { approximate }),
    emit('gelu', `${approximate} edges`, { x: edges }, { approximate }),
  ]),
  ...activationShapes.map((shape) =>
    emit('quickGelu', label(shape), { x: floats(shape, -4, 4) }, {}),
  ),
  emit('quickGelu', 'range', { x: range(-20, 20, 1001) }, {}),
  emit('quickGelu', 'edges', { x: edges }, {}),
  ...activationShapes.map((shape) =>
    emit('quickGeluGradient', label(shape), { x: floats(shape, -4, 4), g: floats(shape) }, {}),
  ),
  emit('quickGeluGradient', 'range', { x: range(-20, 20, 1001), g: exactly(-3) }, {}),
  emit('quickGeluGradient', 'broken values', { x: exactly(0, NaN, 1), g: exactly(2, 1, NaN) }, {}),
]

/** Input [...rows, in] and the number of outputs. */
const linears: readonly (readonly [Shape, number])[] = [
  [[5], 3],
  [[1], 1],
  [[4, 6], 3],
  [[1, 6], 1],
  [[2, 3, 5], 7],
  [[2, 1, 3, 4], 6],
  [[2, 1, 2, 1, 3], 2],
  [[17, 64], 33],
  [[3, 1024], 5],
  [[0, 4], 3],
  [[2, 0, 4], 3],
]

const linear = linears.flatMap(([shape, out]) => {
  const inputs = { x: floats(shape), weight: floats([out, shape.at(-1)!]) }
  return [
    emit('linear', `${label(shape)} to ${out}`, inputs, {}, 'linear C2'),
    emit(
      'linear',
      `${label(shape)} to ${out} with bias`,
      { ...inputs, bias: floats([out]) },
      {},
      'linear C3',
    ),
  ]
})

const options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 }

const adamw = (
  variant: string,
  shape: Shape,
  step: number,
  attrs = options,
  gradient = floats(shape),
) => {
  const scalar = (value: number) => hostTensor('float32', [], [value])
  const inputs = {
    parameter: floats(shape),
    gradient,
    m: step === 1 ? hostTensor('float32', shape) : floats(shape),
    v: step === 1 ? hostTensor('float32', shape) : floats(shape, 0, 2),
    learningRate: scalar(0.01),
    correction1: scalar(1 - attrs.beta1 ** step),
    correction2: scalar(1 - attrs.beta2 ** step),
  }
  return emit('adamw', variant, inputs, attrs, 'adamw C1')
}

const optimizer = [
  ...([[], [0], [5], [3, 4], [2, 1, 3, 2]] as Shape[]).map((shape) =>
    adamw(label(shape), shape, 10),
  ),
  adamw('first step', [33], 1),
  adamw('no decay', [7], 3, { ...options, weightDecay: 0 }),
  adamw('other options', [7], 3, { beta1: 0.5, beta2: 0.75, epsilon: 1e-3, weightDecay: 0.5 }),
  adamw('no gradient', [4], 1, options, floats([4], 0, 0)),
]

/** Softmax of masked scores, as attention uses it: composites fed by other ops, and feeding them. */
const attention = numeric(
  'composite/attention',
  'softmax',
  { q: floats([2, 3, 5, 4]), k: floats([2, 3, 6, 4]), v: floats([2, 3, 6, 4]) },
  ({ q, k, v }) => op.matmul(op.softmax(op.mul(op.matmul(q, k, { transposeB: true }), 0.5)), v),
)

const means = (
  [
    [[], []],
    [[5], [0]],
    [[3, 4], [1]],
    [[3, 4], [0]],
    [[3, 4], []],
    [
      [2, 3, 4],
      [0, 2],
    ],
    [[2, 3, 700], [2]],
    [[0, 3], [1]],
  ] as [Shape, number[]][]
).flatMap(([shape, axes]) =>
  [true, false].map((keepDims) =>
    emit(
      'mean',
      `${label(shape)} over ${label(axes)}${keepDims ? ', kept' : ''}`,
      { x: floats(shape) },
      { axes, keepDims },
    ),
  ),
)

export const compositeCases = (): NumericDefinition[] => [
  ...means,
  ...softmaxes,
  ...softmaxGradients,
  ...norms,
  ...normGradients,
  ...activations,
  ...linear,
  ...optimizer,
  attention,
]
