// A teacher trained here as a Hugging Face checkpoint, ViTForImageClassification: what hf.ts, transformers and everybody else read.
import { join } from 'node:path'

import { hostTensor, sizeOf, type HostTensor, type Shape } from '@embed-kd/core'

import { labelsOf, sizesOf, type TrainedModel } from '../run/export.js'
import { writeJson } from '../files/output-file.js'
import { writeTensors } from '../files/tensors.js'
import { hfNames } from './hf-names.js'
import { writeHfPreprocessing } from './hf-preprocessing.js'

/**
 * Writes `config.json`, `model.safetensors` and `preprocessor_config.json`.
 * @throws where the model is not a ViT as Hugging Face has it: no norm before the blocks, and GELU.
 */
export function saveHfTeacher(
  directory: string,
  { model, parameters, input, classNames }: TrainedModel,
  origin: object,
): void {
  if (model.preNorm || model.layerScale || model.projection !== undefined)
    throw new Error('only plain vision transformers are saved as ViTForImageClassification')
  const tensors = new Map<string, HostTensor>()
  for (const [name, { shape, data }] of parameters) {
    const theirs = hfNames(name)
    const part = shapeThere(name, [shape[0]! / theirs.length, ...shape.slice(1)])
    const size = sizeOf(part)
    theirs.forEach((their, i) => {
      const values = (data as Float32Array).slice(i * size, (i + 1) * size)
      tensors.set(their, hostTensor('float32', part, values))
    })
  }
  writeTensors(join(directory, 'model.safetensors'), tensors, { format: 'pt' })
  writeJson(join(directory, 'config.json'), {
    architectures: ['ViTForImageClassification'],
    model_type: 'vit',
    ...sizesOf(model),
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    qkv_bias: true,
    ...labelsOf(classNames),
    embed_kd: origin,
  })
  writeJson(join(directory, 'preprocessor_config.json'), writeHfPreprocessing(input))
}

/** The class token and the position embeddings have axes of one before. */
const shapeThere = (name: string, shape: Shape): Shape =>
  name === 'class_token' ? [1, 1, ...shape] : name === 'pos_embed' ? [1, ...shape] : shape
