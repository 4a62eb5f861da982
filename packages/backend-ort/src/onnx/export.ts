// Exports a graph as an ONNX file for any runtime: standard operators, the graph's own names, and a batch of any size. Sizes in a
// graph are numbers, so trace the graph at a batch that no other size is a multiple of.
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

/** Batch at which to trace a graph for export: a prime larger than any axis of a model. */
export const exportBatch = 2 ** 31 - 1

/** Composites that ai.onnx has operators for. */
const standard = [
  'softmax',
  'logSoftmax',
  'layerNorm',
  'gelu',
] as const satisfies readonly CompositeName[]

/** Returns whether the first axis grows with the batch. */
const isBatched = ([first]: readonly number[]): boolean =>
  first !== undefined && first !== 0 && first % exportBatch === 0

/**
 * Returns the encoded model.
 * @param graph an inference graph, with the batch as first axis of every tensor that has one; weights are constants.
 * @throws if a tensor has the batch in another axis than the first.
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

/** @param input name of an input whose first axis is the batch. */
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
