// A trained model as files that others read: safetensors with a config.json, and ONNX in the layout that transformers.js and
// optimum expect.
import { join } from 'node:path'

import { loadOrt } from '@embed-kd/backend-ort'
import { exportBatch, exportOnnx } from '@embed-kd/backend-ort/onnx'
import { isClassifier, type HostTensor } from '@embed-kd/core'

import type { StudentConfig } from '../../models/students.js'
import { studentGraph, modelParameters } from '../../training/export.js'
import type { ModelInput } from '../data/input.js'
import { writeJson, writeOutputFile } from '../files/output-file.js'
import { writeTensors } from '../files/tensors.js'
import { writeHfPreprocessing } from '../teachers/hf-preprocessing.js'

export interface TrainedModel {
  readonly model: StudentConfig
  /** Parameters by name; those that only training needs are left out of files. */
  readonly parameters: ReadonlyMap<string, HostTensor>
  readonly input: ModelInput
  /** Name of each class; empty if the model has no classifier. */
  readonly classNames: readonly string[]
}

/** Returns the labels of a config.json. */
export const labelsOf = (classNames: readonly string[]) => ({
  id2label: Object.fromEntries(classNames.map((name, id) => [id, name])),
  label2id: Object.fromEntries(classNames.map((name, id) => [name, id])),
})

/** Returns the sizes of a model under the names of Hugging Face's configurations. */
export const sizesOf = (model: StudentConfig) => ({
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
  const tensors = modelParameters(model, parameters)
  writeTensors(join(directory, 'model.safetensors'), tensors, { format: 'pt' })
  writeJson(join(directory, 'config.json'), {
    architectures: ['EmbedKdStudent'],
    model_type: 'embed-kd-student',
    ...sizesOf(model),
    pre_norm: model.preNorm,
    ...(isClassifier(model) ? labelsOf(classNames) : {}),
    origin,
  })
  writeJson(join(directory, 'preprocessor_config.json'), writeHfPreprocessing(input))
}

/**
 * Writes `onnx/model.onnx` (`pixel_values` [batch, channels, height, width] to `embeddings`, and `logits` if the model has a
 * classifier) with the two configurations that make the directory a model to transformers.js.
 * @param normalise whether the model takes pixels from 0 to 1 and normalises them itself.
 * @returns the path of the ONNX file.
 */
export function exportOnnxModel(
  directory: string,
  { model, parameters, input, classNames }: TrainedModel,
  normalise: boolean,
): string {
  const { channels, height, width } = input
  const shape = [exportBatch, channels, height, width]
  const graph = studentGraph(model, parameters, shape, normalise ? input : undefined)
  const file = join(directory, 'onnx', 'model.onnx')
  writeOutputFile(file, exportOnnx(graph))
  // To transformers.js a model of any architecture runs as a ViT does.
  writeJson(join(directory, 'config.json'), {
    architectures: [isClassifier(model) ? 'ViTForImageClassification' : 'ViTModel'],
    model_type: 'vit',
    ...sizesOf(model),
    ...(isClassifier(model) ? labelsOf(classNames) : {}),
  })
  writeJson(join(directory, 'preprocessor_config.json'), writeHfPreprocessing(input, normalise))
  return file
}

/**
 * Computes an output of an exported model in ONNX Runtime itself: the scores [count, classes], or the embeddings [count, width].
 * @param images normalised, or from 0 to 1 if the model normalises.
 */
export async function runOnnx(
  file: string,
  images: HostTensor,
  output: 'logits' | 'embeddings' = 'logits',
): Promise<Float32Array> {
  const ort = await loadOrt()
  const session = await ort.InferenceSession.create(file)
  const feed = new ort.Tensor('float32', images.data as Float32Array, images.shape)
  const outputs = await session.run({ pixel_values: feed }, [output])
  const values = (outputs[output]!.data as Float32Array).slice()
  await session.release()
  return values
}
