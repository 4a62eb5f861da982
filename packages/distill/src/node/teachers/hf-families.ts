// The families of vision transformers that are computed here: how each config.json is read as our configuration, and what follows from
// the tensors that are there. Values a config.json leaves out are those of the transformers library for the family.
import type { Activation, ViTConfig } from '@embed-kd/core'
import { z } from 'zod'

import type { Size } from '../data/resize.js'
import { layouts, type Layout } from './hf-names.js'

/** Layers that have no bias in some configurations; ours have one, which is then zero. */
export type Layer = 'query' | 'key' | 'value' | 'out_proj' | 'gate' | 'fc1' | 'fc2'

export interface FamilyModel {
  readonly model: ViTConfig
  readonly biasless?: readonly Layer[]
}

export interface Family {
  readonly layout: Layout
  /** @throws z.ZodError if the configuration is not one of this family. @throws Unsupported if a part is not computed here. */
  read(config: unknown): FamilyModel
  /** Adapts a configuration to the tensors of the encoder that are there. @param shape undefined if there is no such tensor. */
  complete?(model: ViTConfig, shape: (name: string) => readonly number[] | undefined): ViTConfig
  /** Class scores are a linear layer of the embedding. */
  readonly scoresEmbedding?: true
  /** The model itself resizes the images that its preprocessing makes. */
  readonly resizesImages?: true
  /** A preprocessor_config.json for directories that have none. */
  preprocessing(size: Size, model: ViTConfig): object
}

/** What a configuration asks for and is not computed here: cause and remedy. */
export class Unsupported extends Error {
  readonly remedy: string

  constructor(message: string, remedy = 'give the model as ONNX') {
    super(message)
    this.remedy = remedy
  }
}

const count = z.int().positive()
/** Images have one channel or three; a damaged file may tell any number. */
const MOST_CHANNELS = 16
/** One side, or height and width. */
const size = z.union([
  count.transform((side) => ({ height: side, width: side })),
  z.tuple([count, count]).transform(([height, width]) => ({ height, width })),
])
const side = (pixels: number) => size.default({ height: pixels, width: pixels })

const activations: Readonly<Record<string, Activation>> = {
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'geluTanh',
  gelu_fast: 'geluTanh',
  gelu_pytorch_tanh: 'geluTanh',
  gelu_accurate: 'geluTanh',
  gelu_python_tanh: 'geluTanh',
  quick_gelu: 'quickGelu',
  silu: 'silu',
  swish: 'silu',
  relu: 'relu',
}

const common = (patch: number, epsilon: number, act = 'gelu') =>
  z.object({
    hidden_size: count.default(768),
    num_hidden_layers: count.default(12),
    num_attention_heads: count.default(12),
    num_channels: count.max(MOST_CHANNELS).default(3),
    image_size: side(224),
    patch_size: side(patch),
    intermediate_size: count.default(3072),
    hidden_act: z.string().default(act),
    layer_norm_eps: z.number().nonnegative().default(epsilon),
    qkv_bias: z.boolean().default(true),
  })

function shared(c: z.output<ReturnType<typeof common>>): ViTConfig {
  const activation = activations[c.hidden_act]
  if (!activation)
    throw new Unsupported(
      `the activation ${c.hidden_act} is not computed here`,
      `take a model with one of ${Object.keys(activations).join(', ')}, or give it as ONNX`,
    )
  const { image_size: image, patch_size: patch } = c
  return {
    imageSize: image.height,
    ...(image.width === image.height ? {} : { imageWidth: image.width }),
    patchSize: patch.height,
    ...(patch.width === patch.height ? {} : { patchWidth: patch.width }),
    channels: c.num_channels,
    width: c.hidden_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    hiddenWidth: c.intermediate_size,
    activation,
    epsilon: c.layer_norm_eps,
    attentionDropout: 0,
    preNorm: false,
  }
}

const projections: readonly Layer[] = ['query', 'key', 'value']
const biases = ({ qkv_bias }: { readonly qkv_bias: boolean }) =>
  qkv_bias ? {} : { biasless: projections }

const processor = (type: string) => () => ({ image_processor_type: `${type}ImageProcessor` })

/** A plain vision transformer; `rest` is what sets the family apart. */
const plain = (
  epsilon: number,
  layout: Layout,
  rest: Partial<ViTConfig>,
  more: Omit<Family, 'layout' | 'read'>,
): Family => ({
  layout,
  ...more,
  read(config) {
    const c = common(16, epsilon).parse(config)
    return { model: { ...shared(c), ...rest }, ...biases(c) }
  },
})

const vit = plain(
  1e-12,
  layouts.vit,
  {},
  { scoresEmbedding: true, preprocessing: processor('ViT') },
)

const dinov2: Family = {
  layout: layouts.dinov2,
  read(config) {
    const own = z.object({
      mlp_ratio: z.number().positive().default(4),
      use_swiglu_ffn: z.boolean().default(false),
      num_register_tokens: z.int().nonnegative().default(0),
    })
    const c = { ...common(14, 1e-6).parse(config), ...own.parse(config) }
    const hidden = Math.trunc(c.hidden_size * c.mlp_ratio)
    const model = {
      ...shared(c),
      layerScale: true,
      hiddenWidth: c.use_swiglu_ffn
        ? 8 * Math.floor((Math.trunc((hidden * 2) / 3) + 7) / 8)
        : hidden,
      ...(c.use_swiglu_ffn ? { gated: true, activation: 'silu' as const } : {}),
      ...(c.num_register_tokens > 0 ? { registers: c.num_register_tokens } : {}),
    }
    return { model, ...biases(c) }
  },
  preprocessing: ({ height, width }) => ({
    image_processor_type: 'BitImageProcessor',
    size: { shortest_edge: Math.round((Math.min(height, width) * 256) / 224) },
    crop_size: { height, width },
    image_mean: [0.485, 0.456, 0.406],
    image_std: [0.229, 0.224, 0.225],
  }),
}

const dinov3: Family = {
  layout: layouts.dinov3,
  read(config) {
    const flag = (value: boolean) => z.boolean().default(value)
    const own = z.object({
      hidden_size: count.default(384),
      intermediate_size: count.default(1536),
      num_attention_heads: count.default(6),
      rope_theta: z.number().positive().optional(),
      rope_parameters: z.object({ rope_theta: z.number().positive().optional() }).optional(),
      query_bias: flag(true),
      key_bias: flag(false),
      value_bias: flag(true),
      proj_bias: flag(true),
      mlp_bias: flag(true),
      use_gated_mlp: flag(false),
      num_register_tokens: z.int().nonnegative().default(0),
    })
    const c = { ...common(16, 1e-5).parse(config), ...own.parse(config) }
    const flags: Record<Layer, boolean> = {
      query: c.query_bias,
      key: c.key_bias,
      value: c.value_bias,
      out_proj: c.proj_bias,
      gate: c.mlp_bias,
      fc1: c.mlp_bias,
      fc2: c.mlp_bias,
    }
    const biasless = (Object.keys(flags) as Layer[]).filter((layer) => !flags[layer])
    const model: ViTConfig = {
      ...shared(c),
      layerScale: true,
      positions: { rotaryBase: c.rope_theta ?? c.rope_parameters?.rope_theta ?? 100 },
      ...(c.num_register_tokens > 0 ? { registers: c.num_register_tokens } : {}),
      ...(c.use_gated_mlp ? { gated: true } : {}),
    }
    return { model, biasless }
  },
  preprocessing: processor('DINOv3ViT'),
}

/** The vision part of a model of images and texts, or the configuration of a vision model itself. */
function visionConfig(config: unknown): unknown {
  const whole = z
    .object({
      vision_config: z.record(z.string(), z.unknown()).optional(),
      vision_config_dict: z.record(z.string(), z.unknown()).optional(),
    })
    .parse(config)
  if (!whole.vision_config && !whole.vision_config_dict) return config
  return { ...whole.vision_config, ...whole.vision_config_dict }
}

const clip: Family = {
  layout: layouts.clip,
  read: (config) => ({
    model: { ...shared(common(32, 1e-5, 'quick_gelu').parse(visionConfig(config))), preNorm: true },
  }),
  // Which projection_dim counts is told by the projection itself.
  complete(model, shape) {
    const projection = shape('projection.weight')
    return projection ? { ...model, projection: projection[0]! } : model
  },
  preprocessing: ({ height, width }) => ({
    image_processor_type: 'CLIPImageProcessor',
    size: { shortest_edge: Math.max(height, width) },
    crop_size: { height, width },
  }),
}

/** A classifier of SigLIP reads the mean of the patches, even beside the head that pools by attention. */
const pooledByHead: Family['complete'] = (model, shape) => ({
  ...model,
  pooling: shape('pool.query') && !shape('classifier.weight') ? 'attention' : 'normedMean',
})

const siglip: Family = {
  layout: layouts.siglip,
  read: (config) => ({
    model: {
      ...shared(common(16, 1e-6, 'gelu_pytorch_tanh').parse(visionConfig(config))),
      classToken: false,
      pooling: 'attention',
    },
  }),
  complete: pooledByHead,
  scoresEmbedding: true,
  preprocessing: processor('Siglip'),
}

const siglip2: Family = {
  ...siglip,
  layout: layouts.siglip2,
  read(config) {
    const vision = visionConfig(config)
    const { num_patches } = z.object({ num_patches: count.default(256) }).parse(vision)
    const c = common(16, 1e-6, 'gelu_pytorch_tanh').parse(vision)
    const rows = Math.trunc(Math.sqrt(num_patches))
    const image_size = { height: rows * c.patch_size.height, width: rows * c.patch_size.width }
    return { model: { ...shared({ ...c, image_size }), classToken: false, pooling: 'attention' } }
  },
  preprocessing: (_, { patchSize }) => ({
    image_processor_type: 'Siglip2ImageProcessor',
    patch_size: patchSize,
  }),
}

const beit: Family = {
  layout: layouts.beit,
  read(config) {
    const flag = z.boolean().default(false)
    const own = z.object({
      use_absolute_position_embeddings: flag,
      use_relative_position_bias: flag,
      use_shared_relative_position_bias: flag,
      layer_scale_init_value: z.number().default(0.1),
      use_mean_pooling: z.boolean().default(true),
    })
    const c = { ...common(16, 1e-12).parse(config), ...own.parse(config) }
    const related = c.use_relative_position_bias || c.use_shared_relative_position_bias
    const model: ViTConfig = {
      ...shared(c),
      positions: c.use_absolute_position_embeddings ? 'learned' : 'none',
      ...(related ? { attentionBias: true } : {}),
      ...(c.layer_scale_init_value > 0 ? { layerScale: true } : {}),
      pooling: c.use_mean_pooling ? 'mean' : 'class',
    }
    return { model, biasless: ['key'] }
  },
  // Pre-trained for masked images, it has a norm of all tokens and no pooler.
  complete: (model, shape) =>
    shape('norm_post.weight') && !shape('/pooler.layernorm.weight')
      ? { ...model, pooling: 'class' }
      : model,
  scoresEmbedding: true,
  preprocessing: processor('Beit'),
}

const student: Family = {
  layout: layouts.student,
  read(config) {
    const { pre_norm } = z.object({ pre_norm: z.boolean() }).parse(config)
    return { model: { ...shared(common(16, 1e-5).parse(config)), preNorm: pre_norm } }
  },
  scoresEmbedding: true,
  resizesImages: true,
  preprocessing: processor('ViT'),
}

const siglipTypes = { siglip, siglip_vision_model: siglip }
const siglip2Types = { siglip2, siglip2_vision_model: siglip2 }
const clipTypes = { clip, clip_vision_model: clip, metaclip_2: clip, metaclip_2_vision_model: clip }

/** By `model_type`. */
export const families: Readonly<Record<string, Family>> = {
  vit,
  deit: {
    ...vit,
    layout: layouts.deit,
    read: withDistillationToken,
    preprocessing: processor('DeiT'),
  },
  vit_msn: plain(1e-6, layouts.vit, {}, { scoresEmbedding: true, preprocessing: processor('ViT') }),
  vit_mae: plain(1e-12, layouts.vit, {}, { preprocessing: processor('ViT') }),
  ijepa: plain(
    1e-12,
    layouts.vit,
    { classToken: false, pooling: 'normedMean' },
    { scoresEmbedding: true, preprocessing: processor('ViT') },
  ),
  beit,
  'data2vec-vision': beit,
  dinov2,
  dinov2_with_registers: {
    ...dinov2,
    read: (config) =>
      dinov2.read({ patch_size: 16, num_register_tokens: 4, ...(config as object) }),
  },
  dinov3_vit: dinov3,
  ...clipTypes,
  ...siglipTypes,
  ...siglip2Types,
  'embed-kd-student': student,
}

/** The distillation token follows the class token; only the class token is asked at the end. */
function withDistillationToken(config: unknown): FamilyModel {
  const c = common(16, 1e-12).parse(config)
  return { model: { ...shared(c), registers: 1 }, ...biases(c) }
}
