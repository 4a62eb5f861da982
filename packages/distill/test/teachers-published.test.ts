// Configuration files of public checkpoints as they are published, with empty weights, through the loader. With TABLES=1 what each is
// read as is printed.
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import {
  classifierParameters,
  flattenTree,
  formatSafetensorsHeader,
  isParameterSpec,
  type Shape,
} from '@embed-kd/core'
import { afterAll, describe, expect, it } from 'vitest'

import { families } from '../src/node/teachers/hf-families.js'
import { readHfJson } from '../src/node/teachers/hf-json.js'
import { TensorNames } from '../src/node/teachers/hf-names.js'
import { describeHfTeacher } from '../src/node/teachers/hf.js'
import { temporaryDirectory } from './temporary.js'

const imagenet = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] }
const half = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] }
const openai = {
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
}
const old = { do_normalize: true, do_resize: true }
const small = { hidden_size: 384, num_attention_heads: 6, intermediate_size: 1536 }
const dinov2 = {
  apply_layernorm: true,
  drop_path_rate: 0,
  hidden_act: 'gelu',
  hidden_size: 384,
  image_size: 518,
  layer_norm_eps: 1e-6,
  layerscale_value: 1,
  mlp_ratio: 4,
  num_attention_heads: 6,
  num_channels: 3,
  num_hidden_layers: 12,
  patch_size: 14,
  qkv_bias: true,
  use_swiglu_ffn: false,
}
const bit = {
  crop_size: { height: 224, width: 224 },
  do_center_crop: true,
  do_convert_rgb: true,
  do_normalize: true,
  do_rescale: true,
  do_resize: true,
  image_processor_type: 'BitImageProcessor',
  ...imagenet,
  resample: 3,
  rescale_factor: 0.00392156862745098,
  size: { shortest_edge: 256 },
}
const clipProcessor = {
  crop_size: 224,
  do_center_crop: true,
  ...old,
  feature_extractor_type: 'CLIPFeatureExtractor',
  ...openai,
  resample: 3,
  size: 224,
}

interface Published {
  readonly config: object
  readonly processor: object
  readonly read: string
  readonly pixels: string
}

const published: Record<string, Published> = {
  'google/vit-base-patch16-224': {
    config: {
      architectures: ['ViTForImageClassification'],
      model_type: 'vit',
      encoder_stride: 16,
      hidden_act: 'gelu',
      hidden_size: 768,
      image_size: 224,
      intermediate_size: 3072,
      layer_norm_eps: 1e-12,
      patch_size: 16,
      qkv_bias: true,
    },
    processor: { ...old, ...half, size: 224 },
    read: '12 layers of 768, 12 heads, patches of 16, gelu, class',
    pixels: 'to 224x224 (bilinear), mean 0.5 0.5 0.5, std 0.5 0.5 0.5',
  },
  'facebook/dinov2-small': {
    config: { architectures: ['Dinov2Model'], model_type: 'dinov2', ...dinov2 },
    processor: bit,
    read: '12 layers of 384, 6 heads, patches of 14, gelu, class, layer scale',
    pixels:
      'shorter side to 256, middle of 224x224 (bicubic), mean 0.485 0.456 0.406, std 0.229 0.224 0.225',
  },
  'facebook/dinov2-with-registers-small': {
    config: {
      architectures: ['Dinov2WithRegistersModel'],
      model_type: 'dinov2_with_registers',
      ...dinov2,
      num_register_tokens: 4,
      interpolate_antialias: true,
      interpolate_offset: 0,
    },
    processor: bit,
    read: '12 layers of 384, 6 heads, patches of 14, gelu, class, layer scale, 4 registers',
    pixels:
      'shorter side to 256, middle of 224x224 (bicubic), mean 0.485 0.456 0.406, std 0.229 0.224 0.225',
  },
  'openai/clip-vit-base-patch32': {
    config: {
      architectures: ['CLIPModel'],
      model_type: 'clip',
      projection_dim: 512,
      text_config: {},
      text_config_dict: null,
      vision_config: {
        model_type: 'clip_vision_model',
        hidden_act: 'quick_gelu',
        hidden_size: 768,
        image_size: 224,
        intermediate_size: 3072,
        num_attention_heads: 12,
        num_hidden_layers: 12,
        patch_size: 32,
        id2label: { 0: 'LABEL_0' },
        pad_token_id: null,
      },
      vision_config_dict: null,
    },
    processor: clipProcessor,
    read: '12 layers of 768, 12 heads, patches of 32, quickGelu, class, projected to 512',
    pixels:
      'shorter side to 224, middle of 224x224 (bicubic), mean 0.4815 0.4578 0.4082, std 0.2686 0.2613 0.2758',
  },
  'laion/CLIP-ViT-H-14-laion2B-s32B-b79K': {
    config: {
      architectures: ['CLIPModel'],
      model_type: 'clip',
      projection_dim: 1024,
      text_config: {},
      vision_config: {
        hidden_act: 'gelu',
        hidden_size: 1280,
        image_size: 224,
        intermediate_size: 5120,
        num_attention_heads: 16,
        num_hidden_layers: 32,
        patch_size: 14,
        projection_dim: 512,
      },
    },
    processor: clipProcessor,
    read: '32 layers of 1280, 16 heads, patches of 14, gelu, class, projected to 1024',
    pixels:
      'shorter side to 224, middle of 224x224 (bicubic), mean 0.4815 0.4578 0.4082, std 0.2686 0.2613 0.2758',
  },
  'google/siglip-base-patch16-224': {
    config: {
      architectures: ['SiglipModel'],
      initializer_factor: 1,
      model_type: 'siglip',
      text_config: { model_type: 'siglip_text_model' },
      vision_config: { model_type: 'siglip_vision_model' },
    },
    processor: {
      do_normalize: true,
      do_rescale: true,
      do_resize: true,
      ...half,
      image_processor_type: 'SiglipImageProcessor',
      processor_class: 'SiglipProcessor',
      resample: 3,
      rescale_factor: 0.00392156862745098,
      size: { height: 224, width: 224 },
    },
    read: '12 layers of 768, 12 heads, patches of 16, geluTanh, attention',
    pixels: 'to 224x224 (bicubic), mean 0.5 0.5 0.5, std 0.5 0.5 0.5',
  },
  'facebook/deit-small-patch16-224': {
    config: {
      architectures: ['ViTForImageClassification'],
      model_type: 'vit',
      hidden_act: 'gelu',
      ...small,
      image_size: 224,
      layer_norm_eps: 1e-12,
      num_hidden_layers: 12,
      patch_size: 16,
    },
    processor: {
      crop_size: 224,
      do_center_crop: true,
      ...old,
      feature_extractor_type: 'DeiTFeatureExtractor',
      ...imagenet,
      resample: 3,
      size: 256,
    },
    read: '12 layers of 384, 6 heads, patches of 16, gelu, class',
    pixels:
      'to 256x256, middle of 224x224 (bicubic), mean 0.485 0.456 0.406, std 0.229 0.224 0.225',
  },
  'microsoft/beit-base-patch16-224': {
    config: {
      architectures: ['BeitForImageClassification'],
      model_type: 'beit',
      hidden_act: 'gelu',
      hidden_size: 768,
      image_size: 224,
      intermediate_size: 3072,
      layer_norm_eps: 1e-12,
      layer_scale_init_value: 0.1,
      num_attention_heads: 12,
      num_hidden_layers: 12,
      patch_size: 16,
      use_absolute_position_embeddings: false,
      use_mask_token: false,
      use_mean_pooling: true,
      use_relative_position_bias: true,
      use_shared_relative_position_bias: false,
      vocab_size: 8192,
    },
    processor: {
      crop_size: 224,
      do_center_crop: false,
      ...old,
      feature_extractor_type: 'BeitFeatureExtractor',
      ...half,
      resample: 2,
      size: 224,
    },
    read: '12 layers of 768, 12 heads, patches of 16, gelu, mean, layer scale, score biases',
    pixels: 'to 224x224 (bilinear), mean 0.5 0.5 0.5, std 0.5 0.5 0.5',
  },
  'facebook/vit-msn-small': {
    config: {
      architectures: ['ViTMSNModel'],
      model_type: 'vit_msn',
      hidden_act: 'gelu',
      ...small,
      image_size: 224,
      layer_norm_eps: 1e-6,
      num_hidden_layers: 12,
      patch_size: 16,
      qkv_bias: true,
    },
    processor: {
      ...old,
      feature_extractor_type: 'ViTFeatureExtractor',
      ...imagenet,
      resample: 2,
      size: 224,
    },
    read: '12 layers of 384, 6 heads, patches of 16, gelu, class',
    pixels: 'to 224x224 (bilinear), mean 0.485 0.456 0.406, std 0.229 0.224 0.225',
  },
  'facebook/vit-mae-base': {
    config: {
      architectures: ['ViTMAEForPreTraining'],
      model_type: 'vit_mae',
      decoder_hidden_size: 512,
      decoder_num_hidden_layers: 8,
      hidden_act: 'gelu',
      hidden_size: 768,
      image_size: 224,
      intermediate_size: 3072,
      layer_norm_eps: 1e-12,
      mask_ratio: 0.75,
      norm_pix_loss: false,
      num_attention_heads: 12,
      num_hidden_layers: 12,
      patch_size: 16,
      qkv_bias: true,
    },
    processor: {
      ...old,
      feature_extractor_type: 'ViTFeatureExtractor',
      ...imagenet,
      resample: 3,
      size: 224,
    },
    read: '12 layers of 768, 12 heads, patches of 16, gelu, class',
    pixels: 'to 224x224 (bicubic), mean 0.485 0.456 0.406, std 0.229 0.224 0.225',
  },
}

/** A file with all tensors of a model, of which only the header takes room on the disk. */
function writeEmptyWeights(file: string, config: { model_type: string; projection_dim?: number }) {
  const family = families[config.model_type]!
  const { model } = family.read(config)
  const projection = config.projection_dim
  const names = new TensorNames(
    family.layout,
    config.model_type.startsWith('clip') ? 'vision_model.' : '',
    () => true,
  )
  const tensors = new Map<string, { storage: 'F32'; shape: Shape }>()
  const specs = classifierParameters({
    ...model,
    classes: 1,
    ...(projection ? { projection } : {}),
  })
  for (const [name, { shape }] of flattenTree(specs, isParameterSpec)) {
    if (name.startsWith('classifier')) continue
    const source = names.find(name)
    const parts =
      typeof source === 'string' ? [source] : 'part' in source ? [source.name] : source.stack
    for (const part of parts)
      tensors.set(part, { storage: 'F32', shape: [shape[0]! / parts.length, ...shape.slice(1)] })
  }
  const { bytes, fileBytes } = formatSafetensorsHeader(tensors)
  const descriptor = openSync(file, 'w')
  writeSync(descriptor, bytes)
  ftruncateSync(descriptor, fileBytes)
  closeSync(descriptor)
}

const table: Record<string, { 'read as': string; preprocessing: string }> = {}
afterAll(() => {
  if (process.env.TABLES) console.table(table)
})

describe('public checkpoints', () => {
  it.each(Object.entries(published))('%s', (name, { config, processor, read, pixels }) => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
    writeFileSync(join(directory, 'preprocessor_config.json'), JSON.stringify(processor))
    const absent = readHfJson(join(directory, 'config.json'), '') as { model_type: string }
    writeEmptyWeights(join(directory, 'model.safetensors'), absent)
    const { model, preprocessing } = describeHfTeacher(directory)
    const described = [
      `${model.layers} layers of ${model.width}`,
      `${model.heads} heads`,
      `patches of ${model.patchSize}`,
      model.activation,
      model.pooling ?? 'class',
      ...(model.projection === undefined ? [] : [`projected to ${model.projection}`]),
      ...(model.layerScale ? ['layer scale'] : []),
      ...(model.registers === undefined ? [] : [`${model.registers} registers`]),
      ...(model.attentionBias ? ['score biases'] : []),
    ].join(', ')
    table[name] = { 'read as': described, preprocessing: preprocessing.replace(directory, '…') }
    expect(described).toBe(read)
    expect(preprocessing).toContain(pixels)
    expect(model.imageSize).toBe(224)
  })
})
