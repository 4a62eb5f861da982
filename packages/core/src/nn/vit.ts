// The vision transformer that students and teachers share: patch embedding, class token, pre-norm blocks, and a linear
// classifier on the class token. With `preNorm` and QuickGELU it is CLIP's (and the paper's student), with `layerScale`
// DINOv2's, with neither ViT's.
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import {
  absorbNorm,
  attention,
  patches,
  standardize,
  type AffineParameters,
  type Dropout,
} from './layers.js'
import {
  linearParameters,
  normParameters,
  undecayed,
  weight,
  type Parameters,
} from './parameters.js'
import { resize } from './resize.js'

export interface ViTConfig {
  /** Pixels along one side; images are square. */
  readonly imageSize: number
  readonly patchSize: number
  readonly channels: number
  /** Width of a token. */
  readonly width: number
  readonly layers: number
  readonly heads: number
  readonly activation: 'quickGelu' | 'gelu'
  /** A layer norm before the first block, as in CLIP; the patch embedding then has no bias. */
  readonly preNorm: boolean
  /** Epsilon of the layer norms. */
  readonly epsilon: number
  /** Probability in [0, 1) that an attention weight is dropped in training. */
  readonly attentionDropout: number
  /** Width of the hidden layer in each block; default 4·width. */
  readonly hiddenWidth?: number
  /** LayerScale (Touvron 2021, "Going deeper with image transformers"), as in DINOv2. Default: no. */
  readonly layerScale?: boolean
  /** Map the class token to an embedding of this width, without bias, as CLIP does. Default: it is the embedding. */
  readonly projection?: number
}

/** Width of a model's embedding. */
export const embeddingWidth = ({ projection, width }: ViTConfig): number => projection ?? width

const positiveIntegers = [
  'imageSize',
  'patchSize',
  'channels',
  'width',
  'layers',
  'heads',
  'hiddenWidth',
  'projection',
] as const

/** @throws where sizes do not divide or are not positive integers. */
export function checkViTConfig(config: ViTConfig): ViTConfig {
  const { imageSize, patchSize, width, heads } = config
  const { hiddenWidth = 1, projection = 1, ...rest } = config
  const sizes = { ...rest, hiddenWidth, projection }
  for (const key of positiveIntegers)
    if (!Number.isInteger(sizes[key]) || sizes[key] < 1)
      throw new Error(`vision transformer: ${key} must be a positive integer, got ${sizes[key]}`)
  if (imageSize % patchSize !== 0)
    throw new Error(
      `vision transformer: patch size ${patchSize} does not divide image size ${imageSize}`,
    )
  if (width % heads !== 0)
    throw new Error(`vision transformer: ${heads} heads do not divide width ${width}`)
  return config
}

const blockParameters = ({ width, hiddenWidth = 4 * width, layerScale }: ViTConfig) => ({
  norm1: normParameters(width),
  attn: {
    // torch.nn.MultiheadAttention: Xavier-uniform projections, zero biases.
    in_proj_weight: weight([3 * width, width], { bound: Math.sqrt(6 / (4 * width)) }),
    in_proj_bias: undecayed([3 * width], 0),
    out_proj: {
      weight: weight([width, width], { bound: width ** -0.5 }),
      bias: undecayed([width], 0),
    },
  },
  scale1: layerScale ? undecayed([width], 1) : undefined,
  norm2: normParameters(width),
  fc1: linearParameters(width, hiddenWidth),
  fc2: linearParameters(hiddenWidth, width),
  scale2: layerScale ? undecayed([width], 1) : undefined,
})

/** Specifications of the encoder's parameters, with the first values of the paper's code. */
export function vitParameters(config: ViTConfig) {
  const { imageSize, patchSize, channels, width, layers, preNorm, projection } =
    checkViTConfig(config)
  const fanIn = channels * patchSize ** 2
  const tokens = (imageSize / patchSize) ** 2 + 1
  return {
    class_token: undecayed([width], { std: width ** -0.5 }),
    pos_embed: undecayed([tokens, width], { std: width ** -0.5 }),
    patch_embed: {
      weight: weight([width, channels, patchSize, patchSize], { bound: fanIn ** -0.5 }),
      bias: preNorm ? undefined : undecayed([width], { bound: fanIn ** -0.5 }),
    },
    norm_pre: preNorm ? normParameters(width) : undefined,
    blocks: Array.from({ length: layers }, () => blockParameters(config)),
    norm_post: normParameters(width),
    projection: projection
      ? { weight: weight([projection, width], { std: width ** -0.5 }) }
      : undefined,
  }
}

/** An encoder with a linear classifier on its embedding. */
export interface ClassifierConfig extends ViTConfig {
  readonly classes: number
}

export const classifierParameters = (config: ClassifierConfig) => ({
  ...vitParameters(config),
  classifier: linearParameters(embeddingWidth(config), config.classes),
})

export type ViTParameters = Parameters<ReturnType<typeof vitParameters>>
export type ClassifierParameters = Parameters<ReturnType<typeof classifierParameters>>

/** In training the same function, dropout apart, is computed so that its gradients cost less. */
export interface ViTTraining {
  readonly dropout: Dropout | undefined
}

/**
 * The embedding [B, embeddingWidth]: the class token after the last norm, projected where the model does. Images [B,C,H,W] of another size are resized first, and
 * a single channel stands for all.
 */
export function vitEmbedding(
  config: ViTConfig,
  parameters: ViTParameters,
  images: Tensor,
  training?: ViTTraining,
): Tensor {
  const { patchSize, width, heads, activation, epsilon } = config
  const { tracer } = images
  const batch = images.shape[0]!
  const pixels = toModelInput(images, config)
  const { patch_embed, norm_pre, blocks, norm_post, projection } = parameters

  let x = tracer.layer('patch_embed', () => {
    const flat = patches(pixels, patchSize)
    const kernel = op.reshape(patch_embed.weight, [width, flat.shape[2]!])
    const embedded = op.linear(flat, kernel, patch_embed.bias)
    const token = op.broadcastTo(op.reshape(parameters.class_token, [1, 1, width]), [
      batch,
      1,
      width,
    ])
    const tokens = op.add(op.concat([token, embedded], 1), parameters.pos_embed)
    return norm_pre ? op.layerNorm(tokens, norm_pre.weight, norm_pre.bias, epsilon) : tokens
  })
  const activate = activation === 'gelu' ? op.gelu : op.quickGelu
  const scaled = (x: Tensor, scale: Tensor | undefined) => (scale ? op.mul(x, scale) : x)
  const normalise = (x: Tensor, { weight, bias }: AffineParameters) =>
    training ? standardize(x, epsilon) : op.layerNorm(x, weight, bias, epsilon)
  /** The layer that reads what `normalise` gives. */
  const after = (norm: AffineParameters, layer: AffineParameters) =>
    training ? absorbNorm(norm, layer) : layer
  blocks.forEach(({ norm1, attn, scale1, norm2, fc1, fc2, scale2 }, index) => {
    x = tracer.block(index, () => {
      const context = normalise(x, norm1)
      const { in_proj_weight, in_proj_bias, out_proj } = attn
      const projections = after(norm1, { weight: in_proj_weight, bias: in_proj_bias })
      const attnParameters = {
        in_proj_weight: projections.weight,
        in_proj_bias: projections.bias,
        out_proj,
      }
      // Only the class token leaves the last block, so only it asks there.
      const last = index === blocks.length - 1
      const first = (tokens: Tensor) => (last ? op.sliceAxis(tokens, 1, 0, 1) : tokens)
      const attended = op.add(
        first(x),
        tracer.layer('attn', () =>
          scaled(
            attention(attnParameters, first(context), context, heads, training?.dropout),
            scale1,
          ),
        ),
      )
      return tracer.layer('mlp', () => {
        const { weight, bias } = after(norm2, fc1)
        const hidden = activate(op.linear(normalise(attended, norm2), weight, bias))
        return op.add(attended, scaled(op.linear(hidden, fc2.weight, fc2.bias), scale2))
      })
    })
  })
  const token = op.reshape(x, [batch, width])
  const normed = op.layerNorm(token, norm_post.weight, norm_post.bias, epsilon)
  return projection ? op.linear(normed, projection.weight) : normed
}

/** Class scores [B, classes] of an embedding. */
export const classScores = (
  parameters: Pick<ClassifierParameters, 'classifier'>,
  embedding: Tensor,
): Tensor => op.linear(embedding, parameters.classifier.weight, parameters.classifier.bias)

function toModelInput(images: Tensor, { imageSize, channels }: ViTConfig): Tensor {
  const resized = resize(images, imageSize)
  if (resized.shape[1] === channels) return resized
  return op.broadcastTo(resized, [resized.shape[0]!, channels, imageSize, imageSize])
}

/** The published ViT shapes (Dosovitskiy 2021, table 1; tiny and small from Touvron 2021) by name, such as `vit-base-16`. */
export const vitShapes: Readonly<Record<string, Pick<ViTConfig, 'width' | 'layers' | 'heads'>>> = {
  'vit-tiny': { width: 192, layers: 12, heads: 3 },
  'vit-small': { width: 384, layers: 12, heads: 6 },
  'vit-base': { width: 768, layers: 12, heads: 12 },
  'vit-large': { width: 1024, layers: 24, heads: 16 },
}

/** The published teacher `vit-{tiny,small,base,large}-{16,32}` at 224 px with three channels. */
export function publishedViT(name: string): ViTConfig | undefined {
  const match = /^(vit-\w+)-(16|32)$/.exec(name)
  const shape = match && vitShapes[match[1]!]
  if (!shape) return undefined
  return {
    ...shape,
    imageSize: 224,
    patchSize: Number(match[2]),
    channels: 3,
    activation: 'gelu',
    preNorm: false,
    epsilon: 1e-12,
    attentionDropout: 0,
  }
}
