// Image processors against transformers' own pixels (fixtures/processors.py), and files that are refused. With TABLES=1 the errors are
// printed as a table, in steps of a byte.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { afterAll, describe, expect, it } from 'vitest'

import { createInputWriter } from '../src/node/data/input.js'
import {
  findProcessorFile,
  readPreprocessing,
  writeHfPreprocessing,
} from '../src/node/teachers/hf-preprocessing.js'
import { refusal } from './refusal.js'
import { temporaryDirectory } from './temporary.js'

interface ProcessorCase {
  readonly type: string
  readonly config: Record<string, unknown>
  readonly shape: readonly [number, number, number]
  readonly pixels: readonly number[]
}

const fixture = JSON.parse(
  readFileSync(new URL('./fixtures/processors.json', import.meta.url), 'utf8'),
) as { height: number; width: number; image: number[]; cases: ProcessorCase[] }
const source = { channels: 3, height: fixture.height, width: fixture.width }

const table: Record<string, string>[] = []
afterAll(() => {
  if (process.env.TABLES) console.table(table)
})

const read = (config: Record<string, unknown>, fallback = 'ViTImageProcessor', rest = {}) =>
  readPreprocessing({ path: 'p.json', config }, fallback, { channels: 3, source, ...rest })

describe('image processors', () => {
  it.each(fixture.cases.map((c) => [`${c.type} ${JSON.stringify(c.config)}`, c] as const))(
    '%s',
    (_, { type, config, shape, pixels }) => {
      const directory = temporaryDirectory()
      const written = JSON.stringify({ image_processor_type: type, ...config })
      writeFileSync(join(directory, 'preprocessor_config.json'), written)
      const facts = { channels: 3, source }
      const { input } = readPreprocessing(findProcessorFile(directory)!, '', facts)
      expect([input.channels, input.height, input.width]).toEqual(shape)
      const got = new Float32Array(pixels.length)
      createInputWriter(source, input)(Uint8Array.from(fixture.image), 1, got)
      const area = input.height * input.width
      // Differences as steps of a byte of the image.
      const steps = pixels.map((value, i) => {
        const channel = Math.floor(i / area)
        return Math.abs(value - got[i]!) * input.std[channel]! * 255
      })
      const most = Math.max(...steps)
      table.push({
        class: type.replace('ImageProcessor', ''),
        configuration: JSON.stringify(config),
        'largest error': most.toExponential(1),
      })
      expect(most).toBeLessThan(1e-3)
    },
  )

  it.each<[Record<string, unknown>, string]>([
    [
      { image_processor_type: 'DonutImageProcessor' },
      'the image processor DonutImageProcessor is not known',
    ],
    [{ image_processor_type: 'ViT' }, 'the image processor ViT is not known'],
    [
      { do_thumbnail: true },
      'the key do_thumbnail is not known for ViTImageProcessor; remove the key',
    ],
    [{ crop_pct: 0.9, size: 8 }, 'the key crop_pct is not known for ViTImageProcessor'],
    [{ do_pad: true }, 'the key do_pad is not known'],
    [{ size: { longest_edge: 8 } }, 'p.json: '],
    [{ size: { max_height: 8, max_width: 8 } }, 'p.json: '],
    [{ resample: 9 }, "resample 9 is none of Pillow's filters"],
    [{ image_mean: [0.5, 0.4] }, '2 means or deviations for 3 channels'],
    [{ image_std: [0, 1, 1] }, 'image_std [0, 1, 1] is not positive'],
  ])('refuse %j', async (config, message) => {
    expect(await refusal(() => read(config))).toContain(message)
  })

  it('say what is done and where that comes from, defaults included', () => {
    expect(
      read({ image_processor_type: 'CLIPFeatureExtractor', size: 8, crop_size: 8 }).description,
    ).toBe(
      'shorter side to 8, middle of 8x8 (bicubic), mean 0.4815 0.4578 0.4082, std 0.2686 0.2613 0.2758 ' +
        '(CLIPFeatureExtractor from p.json; defaults for resample, image_mean, image_std)',
    )
    expect(read({}, 'ViTImageProcessor', { size: { height: 6, width: 9 } }).description).toBe(
      'to 6x9 (bilinear), mean 0.5 0.5 0.5, std 0.5 0.5 0.5 ' +
        '(ViTImageProcessor by default, from p.json; defaults for size, resample, image_mean, image_std; size of the model)',
    )
  })

  it('take the size of the model if the file has none', () => {
    const size = { height: 6, width: 6 }
    expect(read({ image_processor_type: 'CLIPImageProcessor' }, '', { size }).input).toMatchObject({
      shorterSide: 6,
      height: 6,
      width: 6,
    })
  })

  it('take images as they are if the file neither resizes nor crops', () => {
    expect(read({ do_resize: false }).input).toMatchObject({ ...source, fit: 'none' })
    expect(() => read({ do_resize: false }, 'ViTImageProcessor', { source: undefined })).toThrow(
      'images are neither resized nor cropped',
    )
  })

  it('ignore keys that are null, false or of other inputs', () => {
    const directory = temporaryDirectory()
    const config = {
      size: [8, 9],
      crop_size: null,
      image_mean: null,
      do_pad: null,
      do_thumbnail: false,
      data_format: 'channels_first',
    }
    writeFileSync(join(directory, 'preprocessor_config.json'), JSON.stringify(config))
    const file = findProcessorFile(directory)!
    expect(readPreprocessing(file, 'ViTImageProcessor', { channels: 3 }).input).toMatchObject({
      height: 8,
      width: 9,
    })
  })

  it('come from processor_config.json first, if it has an image processor', () => {
    const directory = join(temporaryDirectory(), 'x')
    mkdirSync(directory)
    expect(findProcessorFile(directory)).toBeUndefined()
    const write = (name: string, value: object) =>
      writeFileSync(join(directory, name), JSON.stringify(value))
    write('preprocessor_config.json', { size: 1 })
    write('processor_config.json', { processor_class: 'CLIPProcessor' })
    expect(findProcessorFile(directory)!.config).toEqual({ size: 1 })
    write('processor_config.json', { image_processor: { size: 2 } })
    expect(findProcessorFile(directory)!.config).toEqual({ size: 2 })
  })

  it.each([
    { channels: 3, height: 8, width: 8, mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] },
    { channels: 1, height: 8, width: 9, mean: [0.1], std: [0.4] },
  ])('are written as they are read: %j', (shape) => {
    const input = { ...shape, fit: 'resize' as const, interpolation: 'bilinear' as const }
    const written = writeHfPreprocessing(input) as Record<string, unknown>
    const again = readPreprocessing({ path: 'p', config: written }, '', {
      channels: shape.channels,
    })
    expect(again.input).toEqual(input)
  })
})
