// The configuration of a vision transformer, its checks, and the published shapes. The computation is in vit.ts.
import { checkInteger, checkName, checkNumber, fail } from '../check.js'

const activationNames = ['gelu', 'geluTanh', 'quickGelu', 'silu', 'relu'] as const
export type Activation = (typeof activationNames)[number]

/**
 * How an embedding is made of the tokens: `class`: the class token after the last norm; `mean`: the norm of the patches' mean;
 * `normedMean`: the mean of the normed patches; `attention`: the result of a learned query, through a block of its own.
 */
const poolings = ['class', 'mean', 'normedMean', 'attention'] as const
export type Pooling = (typeof poolings)[number]

export interface ViTConfig {
  /** Pixels along one side, or along the height if `imageWidth` is given. */
  readonly imageSize: number
  /** Pixels along the width (default: imageSize). */
  readonly imageWidth?: number
  readonly patchSize: number
  /** Pixels along the width of a patch (default: patchSize). */
  readonly patchWidth?: number
  readonly channels: number
  /** Width of a token. */
  readonly width: number
  readonly layers: number
  readonly heads: number
  /** The activation of the hidden layer in each block. */
  readonly activation: Activation
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
  /** Map the pooled token to an embedding of this width, without bias, as CLIP does. Default: it is the embedding. */
  readonly projection?: number
  /** Default: `class`. */
  readonly pooling?: Pooling
  /** Whether there is a class token (default: yes). */
  readonly classToken?: boolean
  /** Number of tokens after the class token that have no position and no part in the pooling (default: 0). */
  readonly registers?: number
  /** Positions: learned vectors (default), rotations of queries and keys with this base (DINOv3), or none but `attentionBias`. */
  readonly positions?: 'learned' | 'none' | { readonly rotaryBase: number }
  /** A learned bias of attention scores [heads, T, T] in each block, such as BEiT's relative positions. Default: no. */
  readonly attentionBias?: boolean
  /** The hidden layer is multiplied by an activated gate, as in SwiGLU, instead of being activated itself. Default: no. */
  readonly gated?: boolean
}

/** Patches along the height and the width of an image, and tokens in all. */
export function tokenGrid(config: ViTConfig): { rows: number; columns: number; tokens: number } {
  const { imageSize, patchSize, imageWidth = imageSize, patchWidth = patchSize } = config
  const [rows, columns] = [imageSize / patchSize, imageWidth / patchWidth]
  return { rows, columns, tokens: leadingTokens(config) + rows * columns }
}

/** Tokens before those of the patches. */
export const leadingTokens = ({ classToken = true, registers = 0 }: ViTConfig): number =>
  (classToken ? 1 : 0) + registers

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
  'imageWidth',
  'patchWidth',
] as const

const flags = ['preNorm', 'layerScale', 'classToken', 'attentionBias', 'gated'] as const

/**
 * Returns the configuration of a vision transformer if it makes sense.
 * @throws UserError if a size is not a whole number of at least 1, if sizes do not divide, or if a field has no such value.
 */
export function checkViTConfig(config: ViTConfig): ViTConfig {
  const { imageSize, patchSize, width, heads, pooling = 'class', classToken = true } = config
  const { hiddenWidth = 1, projection = 1, ...rest } = config
  const { imageWidth = imageSize, patchWidth = patchSize } = config
  const sizes = { ...rest, hiddenWidth, projection, imageWidth, patchWidth }
  for (const key of positiveIntegers) checkInteger(`vision transformer: ${key}`, sizes[key])
  checkInteger('vision transformer: registers', config.registers ?? 0, 0)
  for (const key of flags)
    if (typeof (config[key] ?? false) !== 'boolean')
      fail(`vision transformer: ${key} must be true or false, got ${String(config[key])}`)
  checkName('vision transformer: activation', config.activation, activationNames)
  checkName('vision transformer: pooling', pooling, poolings)
  if (typeof config.positions === 'object')
    checkNumber('vision transformer: rotaryBase', config.positions.rotaryBase, {
      least: 0,
      open: 'least',
    })
  else
    checkName('vision transformer: positions', config.positions ?? 'learned', ['learned', 'none'])
  checkNumber('vision transformer: epsilon', config.epsilon, { least: 0, open: 'least' })
  const share = { least: 0, most: 1, open: 'most' } as const
  checkNumber('vision transformer: attentionDropout', config.attentionDropout, share)
  if (imageSize % patchSize !== 0)
    fail(`vision transformer: patch size ${patchSize} does not divide image size ${imageSize}`)
  if (imageWidth % patchWidth !== 0)
    fail(`vision transformer: patch width ${patchWidth} does not divide image width ${imageWidth}`)
  if (width % heads !== 0) fail(`vision transformer: ${heads} heads do not divide width ${width}`)
  if (pooling === 'class' && !classToken)
    fail('vision transformer: without a class token, pooling cannot be "class"')
  if (typeof config.positions === 'object' && (width / heads) % 4 !== 0)
    fail(
      `vision transformer: rotary positions need heads of a multiple of 4 channels, got ${width / heads}`,
    )
  return config
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
