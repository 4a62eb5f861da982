// The vision transformer that students and teachers share: patch embedding, tokens, pre-norm blocks, pooling, and a linear
// classifier on the embedding. Its options make it the published families: CLIP (and the paper's student), ViT, DINO, SigLIP, BEiT.
import { checkInteger } from '../check.js'
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { hostTensor } from '../tensor/tensor.js'
import {
  absorbNorm,
  attention,
  patches,
  standardize,
  type AffineParameters,
  type Dropout,
  type Rotation,
} from './layers.js'
import {
  linearParameters,
  normParameters,
  undecayed,
  weight,
  type Parameters,
} from './parameters.js'
import { resize } from './resize.js'
import {
  checkViTConfig,
  embeddingWidth,
  leadingTokens,
  tokenGrid,
  type Activation,
  type Pooling,
  type ViTConfig,
} from './vit-config.js'

export * from './vit-config.js'

/** The activation of the hidden layer in each block. */
const activations = {
  gelu: op.gelu,
  geluTanh: (x: Tensor) => op.gelu(x, 'tanh'),
  quickGelu: op.quickGelu,
  silu: (x: Tensor) => op.mul(x, op.sigmoid(x)),
  relu: (x: Tensor) => op.maximum(x, 0),
} satisfies Record<Activation, (x: Tensor) => Tensor>

/** torch.nn.MultiheadAttention: Xavier-uniform projections, zero biases. */
const attentionParameters = (width: number) => ({
  in_proj_weight: weight([3 * width, width], { bound: Math.sqrt(6 / (4 * width)) }),
  in_proj_bias: undecayed([3 * width], 0),
  out_proj: {
    weight: weight([width, width], { bound: width ** -0.5 }),
    bias: undecayed([width], 0),
  },
})

function blockParameters(config: ViTConfig) {
  const { width, heads, hiddenWidth = 4 * width, layerScale, gated, attentionBias } = config
  const { tokens } = tokenGrid(config)
  return {
    norm1: normParameters(width),
    attn: attentionParameters(width),
    attention_bias: attentionBias ? undecayed([heads, tokens, tokens], 0) : undefined,
    scale1: layerScale ? undecayed([width], 1) : undefined,
    norm2: normParameters(width),
    gate: gated ? linearParameters(width, hiddenWidth) : undefined,
    fc1: linearParameters(width, hiddenWidth),
    fc2: linearParameters(hiddenWidth, width),
    scale2: layerScale ? undecayed([width], 1) : undefined,
  }
}

const poolParameters = ({ width, hiddenWidth = 4 * width }: ViTConfig) => ({
  query: undecayed([width], { std: width ** -0.5 }),
  attn: attentionParameters(width),
  norm: normParameters(width),
  fc1: linearParameters(width, hiddenWidth),
  fc2: linearParameters(hiddenWidth, width),
})

/** Specifications of the encoder's parameters, with the initial values of the paper's code. */
export function vitParameters(config: ViTConfig) {
  const { patchSize, channels, width, layers, preNorm, projection } = checkViTConfig(config)
  const { patchWidth = patchSize, classToken = true, registers = 0, positions } = config
  const fanIn = channels * patchSize * patchWidth
  const positioned = tokenGrid(config).tokens - registers
  const token = { std: width ** -0.5 }
  return {
    class_token: classToken ? undecayed([width], token) : undefined,
    register_tokens: registers > 0 ? undecayed([registers, width], token) : undefined,
    pos_embed:
      positions === undefined || positions === 'learned'
        ? undecayed([positioned, width], token)
        : undefined,
    patch_embed: {
      weight: weight([width, channels, patchSize, patchWidth], { bound: fanIn ** -0.5 }),
      bias: preNorm ? undefined : undecayed([width], { bound: fanIn ** -0.5 }),
    },
    norm_pre: preNorm ? normParameters(width) : undefined,
    blocks: Array.from({ length: layers }, () => blockParameters(config)),
    norm_post: normParameters(width),
    pool: config.pooling === 'attention' ? poolParameters(config) : undefined,
    projection: projection
      ? { weight: weight([projection, width], { std: width ** -0.5 }) }
      : undefined,
  }
}

/** An encoder with a linear classifier on its embedding. */
export interface ClassifierConfig extends ViTConfig {
  readonly classes: number
}

/** Whether a model has a classifier. */
export const isClassifier = (model: ViTConfig): model is ClassifierConfig => 'classes' in model

/** @throws UserError as `checkViTConfig` does, or if the number of classes is not a whole number of at least 1. */
export function checkClassifierConfig(config: ClassifierConfig): void {
  checkViTConfig(config)
  checkInteger('classifier: classes', config.classes)
}

/** @throws UserError as `checkClassifierConfig` does for a classifier, and as `checkViTConfig` does for an encoder. */
export const checkModel = (model: ViTConfig | ClassifierConfig): void =>
  isClassifier(model) ? checkClassifierConfig(model) : void checkViTConfig(model)

/** Returns the specifications of a model's parameters, of its classifier too if it has one. */
export const modelParameters = (model: ViTConfig | ClassifierConfig): ModelSpecs =>
  isClassifier(model) ? classifierParameters(model) : vitParameters(model)

type ModelSpecs = ReturnType<typeof vitParameters> & {
  readonly classifier?: ReturnType<typeof linearParameters>
}

/** Returns the specifications of the parameters of an encoder and its classifier. */
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
 * The embedding [B, embeddingWidth] of images [B,C,H,W]: the pooled tokens, projected if the model projects. Images of another size
 * are resized first, and a single channel stands for all.
 */
export function vitEmbedding(
  config: ViTConfig,
  parameters: ViTParameters,
  images: Tensor,
  training?: ViTTraining,
): Tensor {
  const { patchSize, patchWidth = patchSize, width, heads, epsilon } = config
  const { pooling = 'class', gated = false } = config
  const { tracer } = images
  const batch = images.shape[0]!
  const pixels = toModelInput(images, config)
  const { patch_embed, norm_pre, blocks, norm_post, projection } = parameters
  const { class_token, register_tokens, pos_embed, pool } = parameters
  const everywhere = (token: Tensor, count: number) =>
    op.broadcastTo(op.reshape(token, [1, count, width]), [batch, count, width])

  let x = tracer.layer('patch_embed', () => {
    const cut = patches(pixels, patchSize, patchWidth)
    const [, count, size] = cut.shape as [number, number, number]
    const kernel = op.reshape(patch_embed.weight, [width, size])
    const flat = op.reshape(cut, [batch * count, size])
    const embedded = op.reshape(op.linear(flat, kernel, patch_embed.bias), [batch, count, width])
    const joined = class_token ? op.concat([everywhere(class_token, 1), embedded], 1) : embedded
    const placed = pos_embed ? op.add(joined, pos_embed) : joined
    const tokens = asRows(register_tokens ? withRegisters(placed, register_tokens) : placed)
    return norm_pre ? op.layerNorm(tokens, norm_pre.weight, norm_pre.bias, epsilon) : tokens
  })
  /** Rows [B·T,D] as tokens of images [B,T,D]. */
  function asTokens(rows: Tensor): Tensor {
    return op.reshape(rows, [batch, rows.shape[0]! / batch, width])
  }
  function firstTokens(rows: Tensor): Tensor {
    const images = op.reshape(rows, [batch, (rows.shape[0]! / batch) * width])
    return op.sliceAxis(images, 1, 0, width)
  }
  function asRows(tokens: Tensor): Tensor {
    return op.reshape(tokens, [batch * tokens.shape[1]!, width])
  }
  function withRegisters(tokens: Tensor, registers: Tensor): Tensor {
    const begin = class_token ? 1 : 0
    const count = registers.shape[0]!
    const rest = op.sliceAxis(tokens, 1, begin, tokens.shape[1]! - begin)
    const leading = everywhere(registers, count)
    return class_token
      ? op.concat([op.sliceAxis(tokens, 1, 0, 1), leading, rest], 1)
      : op.concat([leading, rest], 1)
  }
  const rotation = rotationOf(config, x)
  const activate = activations[config.activation]
  const scaled = (x: Tensor, scale: Tensor | undefined) => (scale ? op.mul(x, scale) : x)
  const normalise = (x: Tensor, { weight, bias }: AffineParameters) =>
    training ? standardize(x, epsilon) : op.layerNorm(x, weight, bias, epsilon)
  /** The layer that reads what `normalise` gives. */
  const after = (norm: AffineParameters, layer: AffineParameters) =>
    training ? absorbNorm(norm, layer) : layer
  blocks.forEach(
    ({ norm1, attn, attention_bias, scale1, norm2, gate, fc1, fc2, scale2 }, index) => {
      x = tracer.block(index, () => {
        const context = normalise(x, norm1)
        const { in_proj_weight, in_proj_bias, out_proj } = attn
        const projections = after(norm1, { weight: in_proj_weight, bias: in_proj_bias })
        const attnParameters = {
          in_proj_weight: projections.weight,
          in_proj_bias: projections.bias,
          out_proj,
        }
        // If only the class token leaves the last block, only the class token asks there.
        const last = index === blocks.length - 1 && pooling === 'class'
        const first = (rows: Tensor) => (last ? firstTokens(rows) : rows)
        const { dropout } = training ?? {}
        const options = { batch, heads, dropout, rotation, bias: attention_bias }
        const attended = op.add(
          first(x),
          tracer.layer('attn', () =>
            scaled(attention(attnParameters, first(context), context, options), scale1),
          ),
        )
        return tracer.layer('mlp', () => {
          const { weight, bias } = after(norm2, fc1)
          const normed = normalise(attended, norm2)
          const wide = op.linear(normed, weight, bias)
          const hidden = gated ? op.mul(activate(gateOf(normed)), wide) : activate(wide)
          return op.add(attended, scaled(op.linear(hidden, fc2.weight, fc2.bias), scale2))
        })
        function gateOf(normed: Tensor): Tensor {
          const { weight, bias } = after(norm2, gate!)
          return op.linear(normed, weight, bias)
        }
      })
    },
  )
  const normed = (x: Tensor) => op.layerNorm(x, norm_post.weight, norm_post.bias, epsilon)
  const mean = (x: Tensor) => op.mean(patchTokens(asTokens(x), config), { axes: [1] })
  const poolings: Record<Pooling, () => Tensor> = {
    class: () => normed(x),
    mean: () => normed(mean(x)),
    normedMean: () => mean(normed(x)),
    attention: () => tracer.layer('pool', () => attended(normed(x))),
  }
  function attended(tokens: Tensor): Tensor {
    const { query, attn, norm, fc1, fc2 } = pool!
    const found = attention(attn, asRows(everywhere(query, 1)), tokens, { batch, heads })
    const hidden = activate(
      op.linear(op.layerNorm(found, norm.weight, norm.bias, epsilon), fc1.weight, fc1.bias),
    )
    return op.add(found, op.linear(hidden, fc2.weight, fc2.bias))
  }
  const embedding = poolings[pooling]()
  return projection ? op.linear(embedding, projection.weight) : embedding
}

/** The tokens [B, patches, D] without those before them. */
function patchTokens(x: Tensor, config: ViTConfig): Tensor {
  const leading = leadingTokens(config)
  return op.sliceAxis(x, 1, leading, x.shape[1]! - leading)
}

/**
 * Rotations of rotary positions as DINOv3 has them: the centre of a patch is two numbers in (-1, 1), each of which turns half of a
 * head's pairs of channels at falling frequencies. Tokens before the patches are not turned.
 */
function rotationOf(config: ViTConfig, { tracer }: Tensor): Rotation | undefined {
  const { positions, width, heads } = config
  if (typeof positions !== 'object') return undefined
  const { rows, columns, tokens } = tokenGrid(config)
  const headWidth = width / heads
  const quarter = headWidth / 4
  const leading = leadingTokens(config)
  const table = (turn: (angle: number) => number) => {
    const values = new Float32Array(tokens * headWidth).fill(turn(0))
    for (let patch = 0; patch < rows * columns; patch++) {
      const centre = [
        (2 * (Math.floor(patch / columns) + 0.5)) / rows - 1,
        (2 * ((patch % columns) + 0.5)) / columns - 1,
      ]
      for (let k = 0; k < headWidth; k++) {
        const pair = k % (headWidth / 2)
        const frequency = positions.rotaryBase ** -((pair % quarter) / quarter)
        const angle = 2 * Math.PI * centre[Math.floor(pair / quarter)]! * frequency
        values[(leading + patch) * headWidth + k] = turn(angle)
      }
    }
    return tracer.constant(hostTensor('float32', [tokens, headWidth], values))
  }
  return { cos: table(Math.cos), sin: table(Math.sin) }
}

/** Class scores [B, classes] of an embedding. */
export const classScores = (
  parameters: Pick<ClassifierParameters, 'classifier'>,
  embedding: Tensor,
): Tensor => op.linear(embedding, parameters.classifier.weight, parameters.classifier.bias)

function toModelInput(
  images: Tensor,
  { imageSize, imageWidth = imageSize, channels }: ViTConfig,
): Tensor {
  const resized = resize(images, imageSize, imageWidth)
  if (resized.shape[1] === channels) return resized
  return op.broadcastTo(resized, [resized.shape[0]!, channels, imageSize, imageWidth])
}
