// What a config.json of Hugging Face says of a vision transformer, in our terms. Values it leaves out are those of the
// transformers library for the family.
import type { ViTConfig } from '@embed-kd/core'
import { z } from 'zod'

import { UserError } from '@embed-kd/core'
import type { HfFamily } from './hf-names.js'

const size = z.int().positive()

const common = z.object({
  hidden_size: size.default(768),
  num_hidden_layers: size.default(12),
  num_attention_heads: size.default(12),
  num_channels: size.default(3),
  image_size: size.default(224),
  id2label: z.record(z.string(), z.string()).optional(),
})

const vit = common.extend({
  intermediate_size: size.default(3072),
  patch_size: size.default(16),
  hidden_act: z.string().default('gelu'),
  layer_norm_eps: z.number().default(1e-12),
  qkv_bias: z.boolean().default(true),
})

const dinov2 = common.extend({
  mlp_ratio: z.number().positive().default(4),
  patch_size: size.default(14),
  hidden_act: z.string().default('gelu'),
  layer_norm_eps: z.number().default(1e-6),
  qkv_bias: z.boolean().default(true),
  use_swiglu_ffn: z.boolean().default(false),
})

const clip = common.extend({
  intermediate_size: size.default(3072),
  patch_size: size.default(32),
  hidden_act: z.string().default('quick_gelu'),
  layer_norm_eps: z.number().default(1e-5),
  projection_dim: size.default(512),
})

export interface HfConfig {
  readonly family: HfFamily
  readonly model: ViTConfig
  /** Whether query, key and value have biases; where not, they are zero. */
  readonly projectionBias: boolean
  /** Class names in order, as far as config.json has them. */
  readonly classNames: readonly string[]
}

const activations: Readonly<Record<string, ViTConfig['activation']>> = {
  gelu: 'gelu',
  quick_gelu: 'quickGelu',
}

/**
 * @param config the contents of config.json; @param file its path, for errors.
 * @throws UserError where the model is of another kind, or has parts that are not computed here.
 */
export function readHfConfig(config: unknown, file: string): HfConfig {
  const { model_type, vision_config, projection_dim } = z
    .object({
      model_type: z.string().optional(),
      vision_config: z.unknown().optional(),
      projection_dim: z.unknown().optional(),
    })
    .catch({})
    .parse(config)
  const parse = <T extends z.ZodType>(schema: T, value: unknown): z.output<T> => {
    const result = schema.safeParse(value)
    if (result.success) return result.data
    throw new UserError(
      `${file} is not the configuration of a ${model_type}: ${z.prettifyError(result.error).replaceAll('\n', ' ')}`,
      'give the config.json that was saved with the weights',
    )
  }
  const activation = (name: string) => {
    const known = activations[name]
    if (known) return known
    throw new UserError(
      `${file}: the activation ${name} is not computed here`,
      `take a model with ${Object.keys(activations).join(' or ')}, or give it as ONNX`,
    )
  }
  const shared = (c: z.output<typeof common>, patchSize: number, act: string, epsilon: number) => ({
    imageSize: c.image_size,
    patchSize,
    channels: c.num_channels,
    width: c.hidden_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    activation: activation(act),
    epsilon,
    attentionDropout: 0,
  })
  const classNames = ({ id2label = {} }: z.output<typeof common>) =>
    Object.keys(id2label)
      .map(Number)
      .sort((a, b) => a - b)
      .map((id) => id2label[id]!)

  switch (model_type) {
    case 'vit': {
      const c = parse(vit, config)
      const rest = shared(c, c.patch_size, c.hidden_act, c.layer_norm_eps)
      const model = { ...rest, preNorm: false, hiddenWidth: c.intermediate_size }
      return { family: 'vit', model, projectionBias: c.qkv_bias, classNames: classNames(c) }
    }
    case 'dinov2': {
      const c = parse(dinov2, config)
      if (c.use_swiglu_ffn)
        throw new UserError(
          `${file}: SwiGLU blocks (DINOv2 giant) are not computed here`,
          'take DINOv2 small, base or large, or give it as ONNX',
        )
      const rest = shared(c, c.patch_size, c.hidden_act, c.layer_norm_eps)
      const hiddenWidth = Math.floor(c.hidden_size * c.mlp_ratio)
      const model = { ...rest, preNorm: false, layerScale: true, hiddenWidth }
      return { family: 'dinov2', model, projectionBias: c.qkv_bias, classNames: [] }
    }
    case 'clip':
    case 'clip_vision_model': {
      // A whole CLIP has its vision tower's settings in one part, the projection's width in both.
      const vision =
        model_type === 'clip'
          ? {
              ...(projection_dim === undefined ? {} : { projection_dim }),
              ...(vision_config as object),
            }
          : config
      const c = parse(clip, vision)
      const rest = shared(c, c.patch_size, c.hidden_act, c.layer_norm_eps)
      const model = {
        ...rest,
        preNorm: true,
        hiddenWidth: c.intermediate_size,
        projection: c.projection_dim,
      }
      return { family: 'clip', model, projectionBias: true, classNames: [] }
    }
    default:
      throw new UserError(
        `${file}: a model of type ${JSON.stringify(model_type ?? null)} is not computed here`,
        'the types known are vit, clip, clip_vision_model and dinov2; others can be given as ONNX',
      )
  }
}
