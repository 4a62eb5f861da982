// How images are prepared for a model, read from Hugging Face's processor_config.json or preprocessor_config.json, and written. A
// key that is not understood is refused by name. The writer of pixels is data/input.ts.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { UserError } from '@embed-kd/core'
import { z } from 'zod'

import type { ModelInput } from '../data/input.js'
import type { Interpolation, Size } from '../data/resize.js'
import { describeIssues, readHfJson } from './hf-json.js'
import {
  findProcessor,
  patchedSize,
  plainResize,
  processorNames,
  specialKeys,
  type Processor,
  type TargetSize,
} from './processors.js'

const count = z.int().positive()
const pair = z.tuple([count, count]).transform(([height, width]) => ({ height, width }))
const sides = z.strictObject({ height: count, width: count })
const shortest = z
  .strictObject({ shortest_edge: count })
  .transform(({ shortest_edge }) => ({ shortestEdge: shortest_edge }))
const perChannel = z.union([z.number(), z.array(z.number()).nonempty()])

const schema = z.object({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_resize: z.boolean().optional(),
  size: z.union([count, pair, sides, shortest]).optional(),
  default_to_square: z.boolean().optional(),
  resample: z.int().optional(),
  do_center_crop: z.boolean().optional(),
  crop_size: z.union([count, pair, sides]).optional(),
  crop_pct: z.union([z.number().positive(), z.literal(false)]).optional(),
  do_rescale: z.boolean().optional(),
  rescale_factor: z.number().positive().optional(),
  rescale_offset: z.boolean().optional(),
  do_normalize: z.boolean().optional(),
  image_mean: perChannel.optional(),
  image_std: perChannel.optional(),
  include_top: z.boolean().optional(),
  do_flip_channel_order: z.boolean().optional(),
  patch_size: count.optional(),
  max_num_patches: count.optional(),
})

/** Keys that change no pixel of an RGB image, or nothing but segmentation maps and text. */
const harmless = new Set([
  '_valid_processor_keys',
  'data_format',
  'device',
  'disable_grouping',
  'do_convert_rgb',
  'do_reduce_labels',
  'do_resize_and_center_crop',
  'image_seq_length',
  'input_data_format',
  'processor_class',
  'reduce_labels',
  'return_tensors',
  'transformers_version',
  'valid_processor_keys',
])

/** Keys that null switches off in transformers, where null otherwise means the default. */
const switches = /^(do_\w+|rescale_offset|include_top|default_to_square|crop_pct)$/

/** Pillow's numbers of the filters. */
const filters: readonly Interpolation[] = [
  'nearest',
  'lanczos',
  'bilinear',
  'bicubic',
  'box',
  'hamming',
]

export interface Preprocessing {
  readonly input: ModelInput
  /** One line: what is done to images, and where that comes from. */
  readonly description: string
}

/** What the files of a directory, or the defaults of a model, say. */
export interface ProcessorFile {
  /** For errors and descriptions. */
  readonly path: string
  readonly config: Readonly<Record<string, unknown>>
}

/**
 * The file in a directory that says how images are prepared: `image_processor` of processor_config.json comes first, as in
 * transformers 5, then preprocessor_config.json.
 */
export function findProcessorFile(directory: string): ProcessorFile | undefined {
  const remedy = 'fix the file, or remove it to use the defaults of the model'
  const processor = join(directory, 'processor_config.json')
  if (existsSync(processor)) {
    const { image_processor: config } = readHfJson(processor, remedy, switches)
    if (typeof config === 'object')
      return { path: processor, config: config as Record<string, unknown> }
  }
  const path = join(directory, 'preprocessor_config.json')
  return existsSync(path) ? { path, config: readHfJson(path, remedy, switches) } : undefined
}

/** What a model says of its input. */
export interface InputFacts {
  readonly channels: number
  /** Size that is taken if the file gives none. */
  readonly size?: Size
  /** Size of the images to come. */
  readonly source?: Size
}

/**
 * @param fallback the class to use if the file names none.
 * @throws UserError if the file asks for something that is not done here.
 */
export function readPreprocessing(
  { path, config }: ProcessorFile,
  fallback: string,
  model: InputFacts,
): Preprocessing {
  const fail = (cause: string, remedy = 'fix the file, or give the model as ONNX'): never => {
    throw new UserError(`${path}: ${cause}`, remedy)
  }
  const result = schema.safeParse(config)
  if (!result.success) return fail(describeIssues(result.error))
  const c = result.data
  const named = c.image_processor_type ?? c.feature_extractor_type
  const type = named ?? fallback
  const processor =
    findProcessor(type) ??
    fail(
      `the image processor ${type} is not known`,
      `use one of ${processorNames.join(', ')} (each with ImageProcessor behind), or prepare the images yourself`,
    )
  const unknown = unknownKey(config, named === undefined ? processor : undefined)
  if (unknown !== undefined)
    return fail(
      `the key ${unknown} is not known for ${type}`,
      'remove the key if the pixels do not depend on it',
    )
  const resample = c.resample ?? processor.resample
  const interpolation =
    filters[resample] ?? fail(`resample ${resample} is none of Pillow's filters`)

  const { size, crop, ownSize } = processor.fillsPatches
    ? filledSizes(c, processor.fillsPatches, model.source ?? fail('the size depends on the images'))
    : sizesOf(c, processor, model)
  const crops = processor.crops !== null && (c.do_center_crop ?? processor.crops)
  const resizes = c.do_resize ?? true
  const share = c.crop_pct === false ? undefined : (c.crop_pct ?? processor.cropShare)
  const { cropped, ...resizing } = (processor.resize ?? plainResize)(size, share)
  if (
    resizes &&
    crops &&
    cropped !== undefined &&
    (crop.height !== cropped || crop.width !== cropped)
  )
    return fail(
      `the class cuts out ${cropped} pixels, and crop_size ${crop.height}x${crop.width} again`,
    )
  const target = crops
    ? crop
    : !resizes
      ? (model.size ?? model.source ?? fail('images are neither resized nor cropped'))
      : cropped !== undefined
        ? { height: cropped, width: cropped }
        : (resizing.stretchedTo ?? squareOf(resizing.shorterSide!))
  const cuts = crops || (resizes && cropped !== undefined)

  const { mean, std } = statistics(c, processor, model.channels, fail)
  const input: ModelInput = {
    channels: model.channels,
    ...target,
    mean,
    std,
    fit: resizes ? 'resize' : crops ? 'crop' : 'none',
    ...(resizes
      ? {
          interpolation,
          ...(resizing.shorterSide === undefined ? {} : { shorterSide: resizing.shorterSide }),
          ...(resizing.stretchedTo === undefined || sameSize(resizing.stretchedTo, target)
            ? {}
            : { stretchedTo: resizing.stretchedTo }),
          ...(cuts || resizing.stretchedTo ? {} : { uncropped: true as const }),
          ...(processor.resizesFloats && (c.do_rescale ?? true)
            ? { resizesFloats: true as const }
            : {}),
        }
      : {}),
    ...((c.do_flip_channel_order ?? processor.flipsChannels) && processor.flipsChannels
      ? { flippedChannels: true as const }
      : {}),
  }
  const used = ['size', 'resample', 'image_mean', 'image_std'] as const
  const missing = used.filter((key) => c[key] === undefined)
  const source = [
    `${type} ${named === undefined ? 'by default, ' : ''}from ${path}`,
    ...(missing.length > 0 ? [`defaults for ${missing.join(', ')}`] : []),
    ...(ownSize ? ['size of the model'] : []),
  ]
  return { input, description: `${describeInput(input)} (${source.join('; ')})` }
}

const squareOf = (side: number): Size => ({ height: side, width: side })
const sameSize = (a: Size, b: Size): boolean => a.height === b.height && a.width === b.width

/** A key that nothing here reads. Switched off (false) it changes nothing. @param plain a class the file did not ask for. */
function unknownKey(
  config: Readonly<Record<string, unknown>>,
  plain: Processor | undefined,
): string | undefined {
  return Object.keys(config).find((key) => {
    if (config[key] === false || harmless.has(key)) return false
    if (plain && specialKeys.includes(key)) return !plain.keys?.includes(key)
    return !Object.hasOwn(schema.shape, key)
  })
}

interface Sizes {
  readonly size: TargetSize
  readonly crop: Size
  /** Whether the sizes are the model's, as the file has none. */
  readonly ownSize: boolean
}

function filledSizes(
  c: z.output<typeof schema>,
  { patch, count }: { readonly patch: number; readonly count: number },
  source: Size,
): Sizes {
  const size = patchedSize(source, c.patch_size ?? patch, c.max_num_patches ?? count)
  return { size, crop: size, ownSize: false }
}

function sizesOf(c: z.output<typeof schema>, processor: Processor, model: InputFacts): Sizes {
  const square = c.default_to_square ?? processor.square
  const given =
    typeof c.size === 'number' ? (square ? squareOf(c.size) : { shortestEdge: c.size }) : c.size
  const givenCrop = typeof c.crop_size === 'number' ? squareOf(c.crop_size) : c.crop_size
  const usualCrop = squareOf(processor.crop ?? 224)
  const usual =
    'shortestEdge' in processor.size ? squareOf(processor.size.shortestEdge) : processor.size
  // A file without sizes means those of its class, unless the model is of another size.
  const expected = processor.crops ? usualCrop : usual
  const own =
    given === undefined && givenCrop === undefined && model.size && !sameSize(model.size, expected)
      ? model.size
      : undefined
  const ownSize: TargetSize | undefined =
    own &&
    (own.height === own.width && 'shortestEdge' in processor.size
      ? { shortestEdge: own.height }
      : own)
  return {
    size: given ?? ownSize ?? processor.size,
    crop: givenCrop ?? own ?? usualCrop,
    ownSize: own !== undefined,
  }
}

/** Ours are of pixels from 0 to 1; theirs count after the pixels were multiplied by a factor of their own, and moved. */
function statistics(
  c: z.output<typeof schema>,
  processor: Processor,
  channels: number,
  fail: (cause: string) => never,
): { mean: number[]; std: number[] } {
  const spread = (values: number | readonly number[]): readonly number[] => {
    const list = typeof values === 'number' ? [values] : values
    if (list.length === channels) return list
    return new Set(list).size === 1
      ? Array.from({ length: channels }, () => list[0]!)
      : fail(`${list.length} means or deviations for ${channels} channels`)
  }
  const factor = (c.do_rescale ?? true) ? (c.rescale_factor ?? 1 / 255) : 1
  const offset = (c.do_rescale ?? true) && c.rescale_offset && processor.includesTop ? 1 : 0
  const normalises = processor.normalises !== null && (c.do_normalize ?? true)
  const deviations = spread(c.image_std ?? processor.std)
  if (!deviations.every((value) => value > 0))
    return fail(`image_std [${deviations.join(', ')}] is not positive`)
  const mean = normalises ? spread(c.image_mean ?? processor.mean) : spread(0)
  const std = normalises ? deviations : spread(1)
  // EfficientNet divides by the deviations once more.
  const again = processor.includesTop && (c.include_top ?? true) ? deviations : spread(1)
  return {
    mean: mean.map((value) => (value + offset) / (255 * factor)),
    std: std.map((value, i) => (value * again[i]!) / (255 * factor)),
  }
}

/** The same with images of `side` pixels a side; the share of the image that is seen stays the same. */
export function resizedInput({ input, description }: Preprocessing, side: number): Preprocessing {
  const { shorterSide, stretchedTo, height, width } = input
  const scaled = (length: number, of: number) => Math.round((length * side) / of)
  const resized: ModelInput = {
    ...input,
    height: side,
    width: side,
    ...(shorterSide === undefined
      ? {}
      : { shorterSide: scaled(shorterSide, Math.min(height, width)) }),
    ...(stretchedTo === undefined
      ? {}
      : {
          stretchedTo: {
            height: scaled(stretchedTo.height, height),
            width: scaled(stretchedTo.width, width),
          },
        }),
  }
  const source = description.slice(description.indexOf('('))
  return {
    input: resized,
    description: `${describeInput(resized)} ${source.replace(/\)$/, '; size from --image-size)')}`,
  }
}

/** One line for people. */
export function describeInput(input: ModelInput): string {
  const { height, width, fit, interpolation = 'bilinear', shorterSide, stretchedTo } = input
  const size = `${height}x${width}`
  const cut = (to: string) => (input.uncropped ? to : `${to}, middle of ${size}`)
  const steps = {
    none: `images of ${size} as they are`,
    crop: `middle of ${size}`,
    resize:
      (shorterSide !== undefined
        ? cut(`shorter side to ${shorterSide}`)
        : stretchedTo
          ? cut(`to ${stretchedTo.height}x${stretchedTo.width}`)
          : `to ${size}`) + ` (${interpolation}${input.resizesFloats ? ', as floats' : ''})`,
  }
  const numbers = (values: readonly number[]) =>
    values.map((value) => Number(value.toPrecision(4))).join(' ')
  return [
    steps[fit],
    ...(input.flippedChannels ? ['channels reversed'] : []),
    `mean ${numbers(input.mean)}, std ${numbers(input.std)}`,
  ].join(', ')
}

/**
 * A preprocessor_config.json that says the same.
 * @param normalised whether the model normalises by itself.
 */
export const writeHfPreprocessing = (
  { channels, height, width, mean, std, interpolation = 'bilinear', shorterSide }: ModelInput,
  normalised = false,
): object => ({
  image_processor_type: 'ViTImageProcessor',
  do_resize: true,
  size: shorterSide === undefined ? { height, width } : { shortest_edge: shorterSide },
  resample: filters.indexOf(interpolation),
  do_center_crop: shorterSide !== undefined,
  ...(shorterSide === undefined ? {} : { crop_size: { height, width } }),
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: !normalised,
  image_mean: mean,
  image_std: std,
  // Otherwise transformers.js makes three channels of grey images.
  ...(channels === 1 ? { do_convert_rgb: false } : {}),
})
