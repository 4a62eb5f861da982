// Hugging Face's preprocessor_config.json as a model's input, and back. What is left out is what the family's image processor
// does by default; the writer of pixels is data/input.ts.
import { z } from 'zod'

import type { ModelInput } from '../data/input.js'
import { UserError } from '@embed-kd/core'
import type { HfFamily } from './hf-names.js'

const square = z.union([
  z.int().positive(),
  z.object({ height: z.int().positive(), width: z.int().positive() }),
])

const schema = z.object({
  do_resize: z.boolean().default(true),
  size: z.union([square, z.object({ shortest_edge: z.int().positive() })]).optional(),
  resample: z.int().optional(),
  do_center_crop: z.boolean().optional(),
  crop_size: square.optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  do_normalize: z.boolean().default(true),
  image_mean: z.array(z.number()).optional(),
  image_std: z.array(z.number().positive()).optional(),
})

interface Defaults {
  readonly mean: readonly number[]
  readonly std: readonly number[]
  readonly resample: number
  readonly crop: boolean
  readonly shorterSide?: number
}

/** Of ViTImageProcessor, CLIPImageProcessor and BitImageProcessor as DINOv2 has it. */
const defaults: Record<HfFamily, Defaults> = {
  vit: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], resample: 2, crop: false },
  clip: {
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
    resample: 3,
    crop: true,
  },
  dinov2: {
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    resample: 3,
    crop: true,
    shorterSide: 256,
  },
}

/** PIL's numbers of the filters. */
const interpolations = { 2: 'bilinear', 3: 'bicubic' } as const

/**
 * @param config the contents of preprocessor_config.json, or undefined where there is none.
 * @param model the size and channels that config.json says. @param file for errors.
 * @throws UserError where the file asks for what is not computed here.
 */
export function readHfPreprocessing(
  config: unknown,
  family: HfFamily,
  model: { readonly imageSize: number; readonly channels: number },
  file: string,
): ModelInput {
  const fail = (cause: string): never => {
    throw new UserError(
      `${file}: ${cause}`,
      'mend the file, or remove it to have what is usual for the model',
    )
  }
  const result = schema.safeParse(config ?? {})
  if (!result.success) return fail(z.prettifyError(result.error).replaceAll('\n', ' '))
  const c = result.data
  const usual = defaults[family]
  const sideOf = (value: z.output<typeof square>): number => {
    if (typeof value === 'number') return value
    return value.height === value.width
      ? value.height
      : fail(`images of ${value.height}x${value.width} are not square`)
  }
  const shortest =
    typeof c.size === 'object' && 'shortest_edge' in c.size ? c.size.shortest_edge : undefined
  const given =
    c.size === undefined || shortest !== undefined
      ? undefined
      : sideOf(c.size as z.output<typeof square>)
  const crops = c.do_center_crop ?? (config === undefined && usual.crop)
  const cropped = crops ? sideOf(c.crop_size ?? model.imageSize) : undefined
  if (shortest !== undefined && cropped === undefined)
    return fail('the shorter side is resized, but nothing makes the image square')
  // CLIP's oldest files say a number where they mean the shorter side.
  const shorterSide =
    cropped === undefined
      ? undefined
      : (shortest ?? given ?? Math.max(cropped, usual.shorterSide ?? 0))
  const side = cropped ?? given ?? model.imageSize
  const resample = c.resample ?? usual.resample
  const interpolation = interpolations[resample as 2 | 3]
  if (!interpolation) return fail(`resample ${resample} is neither 2 (bilinear) nor 3 (bicubic)`)

  const perChannel = (values: readonly number[]) =>
    values.length === model.channels
      ? values
      : new Set(values).size === 1
        ? Array.from({ length: model.channels }, () => values[0]!)
        : fail(`${values.length} means or deviations for ${model.channels} channels`)
  // Ours are of pixels from 0 to 1; theirs are applied after multiplying by a factor of their own.
  const factor = c.do_rescale ? c.rescale_factor : 1
  const unit = (values: readonly number[]) =>
    perChannel(values).map((value) => value / (255 * factor))
  const nothing = { mean: [0], std: [1] }
  const mean = c.do_normalize ? (c.image_mean ?? usual.mean) : nothing.mean
  const std = c.do_normalize ? (c.image_std ?? usual.std) : nothing.std
  return {
    channels: model.channels,
    height: side,
    width: side,
    mean: unit(mean),
    std: unit(std),
    fit: c.do_resize ? 'resize' : 'pad',
    interpolation,
    ...(shorterSide === undefined ? {} : { shorterSide }),
  }
}

/** A preprocessor_config.json that says the same. @param normalised whether the model normalises by itself. */
export const writeHfPreprocessing = (
  { height, width, mean, std, interpolation = 'bilinear', shorterSide }: ModelInput,
  normalised = false,
): object => ({
  image_processor_type: 'ViTImageProcessor',
  do_resize: true,
  size: shorterSide === undefined ? { height, width } : { shortest_edge: shorterSide },
  resample: interpolation === 'bilinear' ? 2 : 3,
  do_center_crop: shorterSide !== undefined,
  ...(shorterSide === undefined ? {} : { crop_size: { height, width } }),
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: !normalised,
  image_mean: mean,
  image_std: std,
})
