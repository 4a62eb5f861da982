// A trained model as files that others read: safetensors with a config.json, and ONNX in the layout that transformers.js and
// optimum expect. What is written is run again in plain ONNX Runtime before anyone is told of it.
import { join } from 'node:path'

import { loadOrt } from '@embed-kd/backend-ort'
import { exportBatch, exportOnnx } from '@embed-kd/backend-ort/onnx'
import {
  classifierParameters,
  classScores,
  hostTensor,
  isParameterSpec,
  mapTree,
  op,
  spec,
  trace,
  vitEmbedding,
  type ClassifierConfig,
  type HostTensor,
} from '@embed-kd/core'

import type { ModelInput } from '../data/input.js'
import { writeJson, writeOutputFile } from '../files/output-file.js'
import { writeTensors } from '../files/tensors.js'
import { writeHfPreprocessing } from '../teachers/hf-preprocessing.js'

export interface TrainedModel {
  readonly model: ClassifierConfig
  /** By name; those that only training needs are left out. */
  readonly parameters: ReadonlyMap<string, HostTensor>
  readonly input: ModelInput
  /** One per class. */
  readonly classNames: readonly string[]
}

/** The labels of a config.json. */
export const labelsOf = (classNames: readonly string[]) => ({
  id2label: Object.fromEntries(classNames.map((name, id) => [id, name])),
  label2id: Object.fromEntries(classNames.map((name, id) => [name, id])),
})

/** Sizes under the names of Hugging Face's configurations. */
export const sizesOf = (model: ClassifierConfig) => ({
  image_size: model.imageSize,
  patch_size: model.patchSize,
  num_channels: model.channels,
  hidden_size: model.width,
  intermediate_size: model.hiddenWidth ?? 4 * model.width,
  num_hidden_layers: model.layers,
  num_attention_heads: model.heads,
  hidden_act: model.activation === 'gelu' ? 'gelu' : 'quick_gelu',
  layer_norm_eps: model.epsilon,
})

/** Writes `model.safetensors`, `config.json` and `preprocessor_config.json`. @param origin kept in config.json. */
export function exportSafetensors(
  directory: string,
  { model, parameters, input, classNames }: TrainedModel,
  origin: object,
): void {
  const kept = mapTree(classifierParameters(model), isParameterSpec, (_, name) => name)
  const names = new Set<string>()
  mapTree(
    kept,
    (node): node is string => typeof node === 'string',
    (name) => names.add(name),
  )
  const tensors = new Map([...parameters].filter(([name]) => names.has(name)))
  writeTensors(join(directory, 'model.safetensors'), tensors, { format: 'pt' })
  writeJson(join(directory, 'config.json'), {
    architectures: ['EmbedKdStudent'],
    model_type: 'embed-kd-student',
    ...sizesOf(model),
    pre_norm: model.preNorm,
    ...labelsOf(classNames),
    origin,
  })
  writeJson(join(directory, 'preprocessor_config.json'), writeHfPreprocessing(input))
}

/**
 * Writes `onnx/model.onnx` (`pixel_values` [batch, channels, height, width] to `logits` and `embeddings`) with the two
 * configurations that make the directory an image classifier to transformers.js.
 * @param normalise whether the model takes pixels from 0 to 1 and normalises them itself.
 */
export function exportOnnxModel(
  directory: string,
  { model, parameters, input, classNames }: TrainedModel,
  normalise: boolean,
): string {
  const { channels, height, width, mean, std } = input
  const inputs = { pixel_values: spec([exportBatch, channels, height, width]) }
  const graph = trace('classifier', inputs, ({ pixel_values }, tracer) => {
    const tree = mapTree(classifierParameters(model), isParameterSpec, (_, name) =>
      tracer.constant(parameters.get(name)!),
    )
    const perChannel = (values: readonly number[]) =>
      tracer.constant(hostTensor('float32', [channels, 1, 1], values))
    const pixels = normalise
      ? op.div(op.sub(pixel_values, perChannel(mean)), perChannel(std))
      : pixel_values
    const embeddings = vitEmbedding(model, tree, pixels)
    return { logits: classScores(tree, embeddings), embeddings }
  })
  const file = join(directory, 'onnx', 'model.onnx')
  writeOutputFile(file, exportOnnx(graph))
  // To transformers.js an image classifier of any architecture runs as a ViT does.
  writeJson(join(directory, 'config.json'), {
    architectures: ['ViTForImageClassification'],
    model_type: 'vit',
    ...sizesOf(model),
    ...labelsOf(classNames),
  })
  writeJson(join(directory, 'preprocessor_config.json'), writeHfPreprocessing(input, normalise))
  return file
}

/**
 * Scores [count, classes] of an exported model by ONNX Runtime itself.
 * @param images normalised, or from 0 to 1 where the model normalises.
 */
export async function runOnnx(file: string, images: HostTensor): Promise<Float32Array> {
  const ort = await loadOrt()
  const session = await ort.InferenceSession.create(file)
  const feed = new ort.Tensor('float32', images.data as Float32Array, images.shape)
  const { logits } = await session.run({ pixel_values: feed }, ['logits'])
  const scores = (logits!.data as Float32Array).slice()
  await session.release()
  return scores
}
