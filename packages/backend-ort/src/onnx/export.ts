// A graph as an ONNX file for others: standard operators only, the graph's own names, and a batch of any size. Our graphs have
// sizes and no names for them, so the one to be exported is traced at a batch that nothing else in it is a multiple of.
import {
  lower,
  printNode,
  verify,
  type CompositeName,
  type Graph,
  type TensorType,
} from '@embed-kd/core'
import type { Emitter, Emitters } from './emitter.js'
import { emitters } from './emitters.js'
import { translate } from './translate.js'

/** The batch to trace graphs for export at: a prime larger than any axis of a model. */
export const exportBatch = 2 ** 31 - 1

/** Those that ai.onnx has. */
const standard = [
  'softmax',
  'logSoftmax',
  'layerNorm',
  'gelu',
] as const satisfies readonly CompositeName[]

/** Whether the first axis grows with the batch. */
const isBatched = ([first]: readonly number[]): boolean =>
  first !== undefined && first !== 0 && first % exportBatch === 0

/**
 * @param graph an inference graph, its batch first in every tensor that has one; weights are constants.
 * @throws where a tensor has the batch in another axis.
 */
export function exportOnnx(graph: Graph): Uint8Array {
  const lowered = verify(lower(verify(graph), { composites: standard }))
  for (const node of lowered.nodes)
    for (const value of node.outputs)
      if (lowered.types[value]!.shape.slice(1).some((size) => size % exportBatch === 0 && size > 0))
        throw new Error(
          `export: the batch must come first, but here it does not: ${printNode(lowered, node)}`,
        )
  const [batched] = lowered.inputs.filter(({ value }) => isBatched(lowered.types[value]!.shape))
  if (!batched) throw new Error(`export: no input of ${graph.name} has a batch of ${exportBatch}`)
  const { model } = translate(
    { graph: lowered, factors: new Map() },
    exportEmitters(batched.name),
    {
      inputName: (name) => name,
      outputName: (name) => name,
      typeOf: ({ dtype, shape }: TensorType) => ({
        dtype,
        shape: isBatched(shape) ? ['batch', ...shape.slice(1)] : shape,
      }),
    },
  )
  return model
}

/** @param input one whose first axis is the batch. */
function exportEmitters(input: string): Emitters {
  const reshape: Emitter<'reshape'> = (model, application) => {
    const { shape } = application.attrs
    const open = isBatched(shape) ? [-1, ...shape.slice(1)] : shape
    model.add('Reshape', [application.inputs[0]!, model.indices(open)], {}, application.outputs)
  }
  const broadcastTo: Emitter<'broadcastTo'> = (model, application) => {
    const { shape } = application.attrs
    if (!isBatched(shape)) {
      emitters.broadcastTo(model, application)
      return
    }
    const batch = model.add('Shape', [input], { start: 0, end: 1 })
    const rows = model.add('Mul', [batch, model.indices([shape[0]! / exportBatch])])
    const whole = model.add('Concat', [rows, model.indices(shape.slice(1))], { axis: 0 })
    model.add('Expand', [application.inputs[0]!, whole], {}, application.outputs)
  }
  return { ...emitters, reshape, broadcastTo }
}
