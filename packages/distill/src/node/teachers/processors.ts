// The image processors of the transformers library that classify images or extract features: their default values, and how each
// makes a size of the configured one. Classes that are not in the table are refused by name.
import type { Size } from '../data/resize.js'

/** A configured size: both sides, or the shorter side with the proportions kept. */
export type TargetSize = Size | { readonly shortestEdge: number }

/** What resizing makes of an image, before `crop_size` counts. */
export interface Resizing {
  readonly stretchedTo?: Size
  readonly shorterSide?: number
  /** Side of the square that the class itself cuts out of the middle. */
  readonly cropped?: number
}

export interface Processor {
  readonly size: TargetSize
  /** A size given as one number means a square, not the shorter side. */
  readonly square: boolean
  /** Default of `crop_size`, and whether it is used. Null: the class never crops, whatever the file says. */
  readonly crop?: number
  readonly crops: boolean | null
  /** Pillow's number of the filter. */
  readonly resample: number
  readonly mean: readonly number[]
  readonly std: readonly number[]
  /** Default of `crop_pct`, for classes that know it. */
  readonly cropShare?: number
  /** Keys beyond the common ones that change pixels. */
  readonly keys?: readonly string[]
  /** Null: the class never normalises, whatever the file says. */
  readonly normalises?: null
  readonly flipsChannels?: true
  readonly includesTop?: true
  readonly resizesFloats?: true
  /** Images are stretched to as many whole patches as are allowed, near their own proportions. */
  readonly fillsPatches?: { readonly patch: number; readonly count: number }
  /** @param cropShare undefined if the file switches `crop_pct` off. */
  resize?(size: TargetSize, cropShare: number | undefined): Resizing
}

const standard = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }
const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
const openai = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
}
const [BILINEAR, BICUBIC] = [2, 3]
/** Share of the image that ConvNeXt sees. */
const SHARE = 224 / 256
const square = (side: number): Size => ({ height: side, width: side })

/** Resizes to the size as it is given. */
export const plainResize = (size: TargetSize): Resizing =>
  'shortestEdge' in size ? { shorterSide: size.shortestEdge } : { stretchedTo: size }

const stretched = (side: number, resample: number, rest: Partial<Processor> = standard) => ({
  ...standard,
  size: square(side),
  square: true,
  crops: false,
  resample,
  ...rest,
})

const cropped = (edge: number, side: number, resample: number, rest: Partial<Processor>) => ({
  ...standard,
  size: { shortestEdge: edge },
  square: false,
  crop: side,
  crops: true,
  resample,
  ...rest,
})

/** By the name of the class without `ImageProcessor`. */
const processors: Readonly<Record<string, Processor>> = {
  ViT: stretched(224, BILINEAR),
  Beit: stretched(224, BICUBIC, { crop: 224 }),
  DeiT: stretched(256, BICUBIC, { crop: 224, crops: true }),
  Siglip: stretched(224, BICUBIC, { square: false }),
  Pvt: stretched(224, BICUBIC, imagenet),
  Blip: stretched(384, BICUBIC, openai),
  Segformer: stretched(512, BILINEAR, { ...imagenet, crops: null }),
  Flava: stretched(224, BICUBIC, { ...openai, crop: 224, crops: true }),
  OwlViT: stretched(768, BICUBIC, { ...openai, crop: 768 }),
  DINOv3ViT: stretched(224, BILINEAR, { ...imagenet, resizesFloats: true }),
  CLIP: cropped(224, 224, BICUBIC, openai),
  ChineseCLIP: cropped(224, 224, BICUBIC, openai),
  Bit: cropped(224, 224, BICUBIC, openai),
  MobileNetV1: cropped(256, 224, BILINEAR, standard),
  MobileNetV2: cropped(256, 224, BILINEAR, standard),
  MobileViT: cropped(224, 256, BICUBIC, {
    normalises: null,
    flipsChannels: true,
    keys: ['do_flip_channel_order'],
  }),
  Levit: cropped(224, 224, BICUBIC, {
    ...imagenet,
    resize: (size) =>
      'shortestEdge' in size
        ? { shorterSide: Math.trunc((256 / 224) * size.shortestEdge) }
        : plainResize(size),
  }),
  PoolFormer: cropped(224, 224, BICUBIC, {
    ...imagenet,
    cropShare: 0.9,
    keys: ['crop_pct'],
    resize(size, share) {
      if (share === undefined) return plainResize(size)
      const scaled = (side: number) => Math.trunc(side / share)
      if ('shortestEdge' in size) return { shorterSide: scaled(size.shortestEdge) }
      const { height, width } = size
      return height === width
        ? { shorterSide: scaled(height) }
        : { stretchedTo: { height: scaled(height), width: scaled(width) } }
    },
  }),
  ConvNext: {
    ...standard,
    size: { shortestEdge: 384 },
    square: false,
    crops: false,
    resample: BICUBIC,
    cropShare: SHARE,
    keys: ['crop_pct'],
    resize(size, share = SHARE) {
      // The class knows the shorter side only; both sides alike mean the same square.
      const edge = 'shortestEdge' in size ? size.shortestEdge : size.height
      if (edge >= 384) return { stretchedTo: square(edge) }
      return { shorterSide: Math.trunc(edge / share), cropped: edge }
    },
  },
  Siglip2: stretched(256, BILINEAR, {
    crops: null,
    fillsPatches: { patch: 16, count: 256 },
    keys: ['patch_size', 'max_num_patches'],
  }),
  EfficientNet: stretched(346, BICUBIC, {
    crop: 289,
    includesTop: true,
    keys: ['rescale_offset', 'include_top'],
  }),
}

/** Keys that some class knows and the common processor does not. */
export const specialKeys: readonly string[] = [
  ...new Set(Object.values(processors).flatMap(({ keys = [] }) => keys)),
]

export const processorNames: readonly string[] = Object.keys(processors)

/**
 * The class a file names: `CLIPImageProcessor`, `CLIPImageProcessorFast`, or by its former name `CLIPFeatureExtractor`.
 * @returns undefined if the class is not known here.
 */
export function findProcessor(type: string): Processor | undefined {
  const name = type.replace(/(ImageProcessor(Fast|Pil)?|FeatureExtractor)$/, '')
  return Object.hasOwn(processors, name) && name !== type ? processors[name] : undefined
}

/** The classes that transformers gives to models whose files name none, by `model_type`. */
export const processorOfModel: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({
    ViT: 'vit vit_msn vit_mae ijepa swin swinv2 dinat swiftformer',
    Beit: 'beit data2vec-vision',
    DeiT: 'deit',
    Siglip: 'siglip siglip_vision_model',
    Siglip2: 'siglip2 siglip2_vision_model',
    Pvt: 'pvt pvt_v2',
    Blip: 'blip blip-2',
    Segformer: 'segformer',
    Flava: 'flava',
    OwlViT: 'owlvit',
    DINOv3ViT: 'dinov3_vit dinov3_convnext',
    CLIP: 'clip clip_vision_model altclip groupvit metaclip_2 mlcd aimv2 aimv2_vision_model',
    ChineseCLIP: 'chinese_clip',
    Bit: 'bit dinov2 dinov2_with_registers focalnet hiera pixio',
    MobileNetV1: 'mobilenet_v1',
    MobileNetV2: 'mobilenet_v2',
    MobileViT: 'mobilevit mobilevitv2',
    Levit: 'levit',
    PoolFormer: 'poolformer',
    ConvNext: 'convnext convnextv2 cvt regnet resnet',
    EfficientNet: 'efficientnet align',
  }).flatMap(([name, models]) =>
    models.split(' ').map((model) => [model, `${name}ImageProcessor`]),
  ),
)

/** The largest size of whole patches near the proportions of `source` that has at most `count` patches; found by halving, as theirs. */
export function patchedSize(source: Size, patch: number, count: number): Size {
  const scaled = (side: number, scale: number) =>
    Math.max(Math.ceil((side * scale) / patch), 1) * patch
  const PRECISION = 1e-5
  let [low, high] = [PRECISION / 10, 100]
  while (high - low >= PRECISION) {
    const scale = (low + high) / 2
    const patches = (scaled(source.height, scale) * scaled(source.width, scale)) / patch ** 2
    if (patches <= count) low = scale
    else high = scale
  }
  return { height: scaled(source.height, low), width: scaled(source.width, low) }
}
