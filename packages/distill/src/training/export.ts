// A trained student as the bytes of a file: ONNX for runtimes, safetensors for its weights, a checkpoint to train on from.
import {
  checkName,
  classScores,
  describeValue,
  flattenTree,
  formatSafetensors,
  hostTensor,
  isClassifier,
  isParameterSpec,
  mapTree,
  messageOf,
  modelParameters as parametersOfModel,
  op,
  parseSafetensors,
  spec,
  trace,
  UserError,
  vitEmbedding,
  type Graph,
  type HostTensor,
} from '@embed-kd/core'

import type { StudentConfig } from '../models/students.js'
import type { ImageFormat } from './batch.js'
export type ExportFormat = 'onnx' | 'safetensors' | 'checkpoint'

export interface ExportOptions {
  /** ONNX: whether the model takes pixels from 0 to 1 and normalises them itself (default: false). */
  readonly normalise?: boolean
}

/** A trained student for export. Parameters and state are read only if the format needs them. */
export interface Exported extends ExportOptions {
  readonly model: StudentConfig
  readonly images: ImageFormat
  parameters(): Promise<ReadonlyMap<string, HostTensor>>
  state(): Promise<ReadonlyMap<string, HostTensor>>
}

type Parameters = ReadonlyMap<string, HostTensor>

const CHECKPOINT = 'embed-kd checkpoint 1'

const writers: Readonly<Record<ExportFormat, (exported: Exported) => Promise<Uint8Array>>> = {
  async onnx({ model, images, parameters, normalise = false }) {
    const { exportBatch, exportOnnx } = await import('@embed-kd/backend-ort/onnx')
    const { channels, mean = halves(channels), std = halves(channels) } = images
    const statistics = normalise ? { mean, std } : undefined
    const graph = studentGraph(
      model,
      await parameters(),
      [exportBatch, channels, images.size, images.size],
      statistics,
    )
    return exportOnnx(graph)
  },
  safetensors: async ({ model, parameters }) =>
    formatSafetensors(modelParameters(model, await parameters()), {
      format: 'pt',
      model: JSON.stringify(model),
    }),
  checkpoint: async ({ state }) => formatSafetensors(await state(), { format: CHECKPOINT }),
}

/** Returns a trained student as the bytes of a file. @throws UserError if there is no such format. */
export function exportTrained(format: ExportFormat, exported: Exported): Promise<Uint8Array> {
  checkName('format', format, Object.keys(writers))
  return writers[format](exported)
}

const halves = (channels: number): number[] => new Array<number>(channels).fill(0.5)

/** Reads the state from the bytes of a checkpoint. @throws UserError if the bytes are something else. */
export function readCheckpoint(bytes: unknown): Map<string, HostTensor> {
  try {
    if (!(bytes instanceof Uint8Array)) throw new Error(`it is ${describeValue(bytes)}`)
    const { tensors, metadata } = parseSafetensors(bytes)
    if (metadata['format'] === CHECKPOINT) return tensors
  } catch (error) {
    throw new UserError(
      `the checkpoint cannot be read: ${messageOf(error)}`,
      "give the bytes of export('checkpoint')",
    )
  }
  throw new UserError('the file is not a checkpoint', "give the bytes of export('checkpoint')")
}

/** Selects the parameters of the model itself: those that only training needs, such as `teacher_proj`, are left out. */
export function modelParameters(
  model: StudentConfig,
  parameters: Parameters,
): Map<string, HostTensor> {
  const specs = flattenTree(parametersOfModel(model), isParameterSpec)
  return new Map([...parameters].filter(([name]) => specs.has(name)))
}

/**
 * Traces a trained student with its parameters as constants: `pixel_values` to `embeddings`, and `logits` if it has a classifier.
 * @param shape shape of `pixel_values`: [batch, channels, height, width].
 * @param statistics mean and standard deviation by which the graph normalises pixels from 0 to 1; absent if they are normalised.
 */
export function studentGraph(
  model: StudentConfig,
  parameters: Parameters,
  shape: readonly number[],
  statistics?: { readonly mean: readonly number[]; readonly std: readonly number[] },
): Graph {
  return trace(
    isClassifier(model) ? 'classifier' : 'encoder',
    { pixel_values: spec(shape) },
    ({ pixel_values }, tracer) => {
      const tree = mapTree(parametersOfModel(model), isParameterSpec, (_, name) =>
        tracer.constant(parameters.get(name)!),
      )
      const perChannel = (values: readonly number[]) =>
        tracer.constant(hostTensor('float32', [values.length, 1, 1], values))
      const pixels = statistics
        ? op.div(op.sub(pixel_values, perChannel(statistics.mean)), perChannel(statistics.std))
        : pixel_values
      const embeddings = vitEmbedding(model, tree, pixels)
      const { classifier } = tree
      return classifier
        ? { logits: classScores({ classifier }, embeddings), embeddings }
        : { embeddings }
    },
  )
}
