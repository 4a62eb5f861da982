// Cases of float16: the cases of float32 with every float in half precision, and casts between the two.
import type { Graph, Node } from '@embed-kd/core'
import { op } from '@embed-kd/core'
import type { OpName } from '@embed-kd/core'
import { spec, trace } from '@embed-kd/core'
import { hostTensor, type HostTensor } from '@embed-kd/core'
import type { ProcedureCase } from '../case.js'
import { formats } from '../formats.js'
import { floats, numeric, rows, type NumericDefinition } from './define.js'
import { procedure } from './session.js'

/** Ops that have no float16. */
const float32Only: ReadonlySet<OpName> = new Set([
  'layerNorm',
  'standardizeGradient',
  'adamw',
  'randomUniform',
  'bernoulli',
])

/** Clamps a number to the range of float16. */
const inRange = (x: number): number =>
  Number.isFinite(x) ? Math.sign(x) * Math.min(Math.abs(x), formats.float16.greatest) : x

const halved = (tensor: HostTensor): HostTensor =>
  tensor.dtype === 'float32'
    ? hostTensor('float16', tensor.shape, Float64Array.from(tensor.data, inRange))
    : tensor

function inHalf(node: Node): Node {
  if (node.op === 'constant') return { ...node, attrs: { value: halved(node.attrs.value) } }
  if (node.op === 'cast' && node.attrs.dtype === 'float32')
    return { ...node, attrs: { dtype: 'float16' } }
  return node
}

const halvedGraph = (graph: Graph): Graph => ({
  ...graph,
  types: graph.types.map((type) =>
    type.dtype === 'float32' ? { ...type, dtype: 'float16' } : type,
  ),
  nodes: graph.nodes.map(inHalf),
})

/** Returns a case with float16 instead of float32, if the case has float32 and its ops take float16. */
function inFloat16(definition: NumericDefinition): NumericDefinition[] {
  const { graph, inputs } = definition
  const has = graph.types.some(({ dtype }) => dtype === 'float32')
  if (!has || graph.nodes.some(({ op }) => float32Only.has(op))) return []
  const name = `float16/${definition.name}`
  return [
    {
      ...definition,
      name,
      graph: { ...halvedGraph(graph), name },
      inputs: Object.fromEntries(
        Object.entries(inputs).map(([input, tensor]) => [input, halved(tensor)]),
      ),
    },
  ]
}

/** Denormals, numbers between neighbours of float16, the ends of the range, and numbers out of range. */
const wide = rows(
  [0, -0, 2 ** -14, 2 ** -24, 1e-6, 0.1, -1 / 3, 1, 1 + 2 ** -11, 1 + 3 * 2 ** -11],
  [2049, 2051, 65504, 65519, 65520, -65520, -1e30, Infinity, -Infinity, NaN],
)

const roundTrip = numeric('float16/cast/there and back', 'cast', { x: wide }, ({ x }) =>
  op.cast(op.cast(x, 'float16'), 'float32'),
)

/** Sums that stop growing if a device adds them up in float16. */
const long = [
  numeric('sum/5,000 terms of one sign', 'sum', { x: floats([3, 5000], 0, 1) }, ({ x }) =>
    op.sum(x, { axes: [1] }),
  ),
  ...[false, true].map((transposeB) =>
    numeric(
      `matmul/5,000 terms of one sign${transposeB ? ', B' : ''}`,
      'matmul',
      { a: floats([3, 5000], 0, 1), b: floats(transposeB ? [2, 5000] : [5000, 2], 0, 1) },
      ({ a, b }) => op.matmul(a, b, { transposeB }),
    ),
  ),
]

const words = hostTensor(
  'float16',
  [10],
  [0, -0, 1, -0.1, 65504, -65504, 2 ** -14, 2 ** -24, Infinity, -Infinity],
)

const upAndDown = procedure('float16/round trip', 'B1', async (session) => {
  await session.holds('what was uploaded', await session.upload(words), words)
})

const negated = trace('negated', { x: spec([10], { dtype: 'float16' }) }, ({ x }) => ({
  y: op.neg(x),
}))

const refused = [
  procedure('float16/is refused by upload', 'B2', async (session) => {
    await session.refuses('a tensor of float16', () => session.upload(words))
  }),
  procedure('float16/is refused by compile', 'B5', async (session) => {
    await session.refuses('a graph of float16', () => session.compile(negated))
  }),
]

/** Returns the cases of uploads for a backend with float16, or without it. */
export const float16Procedures = (has: boolean): ProcedureCase[] => (has ? [upAndDown] : refused)

/**
 * Returns the cases in float16. Shapes matter to a kernel whatever its dtype, so only every fourth case is taken, and every case
 * called special.
 * @param cases the cases of float32.
 */
export const float16Cases = (cases: readonly NumericDefinition[]): NumericDefinition[] => [
  ...cases.filter(({ name }, i) => i % 4 === 0 || name.startsWith('special/')).flatMap(inFloat16),
  ...long.flatMap(inFloat16),
  roundTrip,
]
