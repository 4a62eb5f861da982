// Cases of float16: those of float32 once more with every float in half precision, and what the casts between the two must do.
import type { Graph, Node } from '../../graph/graph.js'
import type { OpName } from '../../graph/ops.js'
import { hostTensor, type HostTensor } from '../../tensor/tensor.js'
import { numeric, rows, type NumericDefinition } from './define.js'

/** Ops that have no float16. */
const float32Only: ReadonlySet<OpName> = new Set(['layerNorm', 'adamw', 'randomUniform'])

/** Numbers that float16 has not become its greatest. */
const inRange = (x: number): number =>
  Number.isFinite(x) ? Math.sign(x) * Math.min(Math.abs(x), 65504) : x

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

/** A case with float16 for float32, where it has any and its ops take it. */
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

/** Denormals, numbers between two of float16, the ends of its range, and what has no number there. */
const wide = rows(
  [0, -0, 2 ** -14, 2 ** -24, 1e-6, 0.1, -1 / 3, 1, 1 + 2 ** -11, 1 + 3 * 2 ** -11],
  [2049, 2051, 65504, 65519, 65520, -65520, -1e30, Infinity, -Infinity, NaN],
)

const roundTrip = numeric('float16/cast/there and back', 'cast', { x: wide }, ({ x }) => {
  const half = x.tracer.emit('cast', [x], { dtype: 'float16' })
  return x.tracer.emit('cast', half, { dtype: 'float32' })
})

/**
 * @param cases those of float32; shapes are a matter of a kernel and not of its dtype, so that every fourth stands for all, beside
 * those that are called special.
 */
export const float16Cases = (cases: readonly NumericDefinition[]): NumericDefinition[] => [
  ...cases.filter(({ name }, i) => i % 4 === 0 || name.startsWith('special/')).flatMap(inFloat16),
  roundTrip,
]
