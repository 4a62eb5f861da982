// ONNX encoders in the shapes and types that exporters give them, against Python's ONNX Runtime (fixtures/onnx_models.py), and models
// that cannot be teachers.
import { copyFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { relativeError } from '@embed-kd/conformance/golden'
import type { Backend } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { openBackend } from '../src/node/index.js'
import type { EncoderOptions } from '../src/node/teachers/encoder.js'
import { poolResult } from '../src/node/teachers/onnx-values.js'
import { openEncoder } from '../src/node/teachers/open.js'
import { refusal } from './refusal.js'
import { temporaryDirectory } from './temporary.js'

const folder = fileURLToPath(new URL('./fixtures/onnx', import.meta.url))
const { pixels, expected } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as {
  pixels: number[]
  expected: Record<string, number[]>
}
const images = Uint8Array.from(pixels)
const source = { channels: 3, height: 8, width: 8 }

let backend: Backend
beforeAll(async () => {
  backend = await openBackend('ort:cpu')
})
afterAll(() => backend.dispose())

const open = (file: string, options: Partial<EncoderOptions> = {}) =>
  openEncoder(file, { backend, source, batch: 2, ...options })

describe('ONNX encoders', () => {
  it.each<[string, Partial<EncoderOptions>, string]>([
    ['plain', {}, 'feat'],
    ['external', {}, 'feat'],
    ['float16', {}, 'feat'],
    ['float64', {}, 'feat'],
    ['float16-output', {}, 'feat'],
    ['bytes', {}, 'feat'],
    ['channels-last', {}, 'feat'],
    ['batch-1', {}, 'feat'],
    ['batch-2', {}, 'feat'],
    ['batch-inside', {}, 'feat'],
    ['pooler', { output: 'pooled' }, 'pooled'],
    ['map', { pooling: 'mean' }, 'mean of map'],
    ['tokens', { pooling: 'mean' }, 'mean of tokens'],
  ])('%s with %j', async (name, options, pooling) => {
    const told: string[] = []
    const encoder = await open(join(folder, `${name}.onnx`), {
      ...options,
      tell: (line) => told.push(line),
    })
    expect([encoder.width, encoder.pooling]).toEqual([5, pooling])
    const { embeddings } = await encoder.embed(images, 3)
    await encoder.dispose()
    const error = relativeError(embeddings, Float32Array.from(expected[name]!))
    expect(error).toBeLessThan(name.startsWith('float16') ? 2e-3 : 1e-5)
    expect(told.at(-1)).toMatch(/^preprocessing: to 8x8 \(bilinear\), mean /)
    expect(told.length).toBe(name === 'batch-inside' ? 2 : 1)
  })

  it.each([
    // Axes of the map, axis of the vectors, image.
    [[3, 2, 2], 0, [8, 8]],
    [[2, 2, 3], 2, [8, 8]],
    [[4, 2, 3], 0, [8, 12]],
    [[2, 3, 2], 2, [8, 12]],
    [[2, 3, 2], 0, [12, 8]],
    [[3, 3, 2], 0, [12, 8]],
    [[2, 3, 3], 2, [8, 12]],
    [[2, 1, 1], 0, [8, 8]],
  ] as const)('averages a map %j over its places', (axes, axis, [height, width]) => {
    const vectors = axes[axis]
    const step = axis === 0 ? axes[1] * axes[2] : 1
    const data = Float32Array.from({ length: axes[0] * axes[1] * axes[2] }, (_, i) => {
      return Math.floor(i / step) % vectors
    })
    const tensor = { type: 'float32', dims: [1, ...axes], data } as never
    const output = { name: 'map', description: '', pooling: 'mean' as const }
    const { embeddings } = poolResult('m.onnx', tensor, output, { height, width })
    expect([...embeddings]).toEqual(Array.from({ length: vectors }, (_, i) => i))
  })

  it.each([
    ['both', [1, 2, 2, 2]],
    ['neither', [1, 2, 3, 4]],
  ] as const)('refuses a map of which %s outer axes could be the width', (_, dims) => {
    const tensor = { type: 'float32', dims, data: new Float32Array(24) } as never
    const output = { name: 'map', description: '', pooling: 'mean' as const }
    expect(() => poolResult('m.onnx', tensor, output, { height: 8, width: 8 })).toThrow(
      `m.onnx: which axis of the output map [${dims.join(', ')}] is the width of the embedding cannot be told for images of 8x8`,
    )
  })

  it('has rectangles if its preprocessing makes them', async () => {
    const directory = temporaryDirectory()
    const file = join(directory, 'rectangle.onnx')
    copyFileSync(join(folder, 'rectangle.onnx'), file)
    const size = { height: 4, width: 6 }
    const crop = { do_resize: false, do_center_crop: true, crop_size: size }
    writeFileSync(join(directory, 'preprocessor_config.json'), JSON.stringify(crop))
    const encoder = await open(file)
    expect(encoder.input).toMatchObject(size)
    await encoder.dispose()
  })

  it('scores classes if it has logits, under the names that config.json gives', async () => {
    const directory = temporaryDirectory()
    for (const name of ['scores.onnx', 'preprocessor_config.json'])
      copyFileSync(join(folder, name), join(directory, name))
    const id2label = { 0: 'red', 1: 'green', 2: 'blue' }
    const open2 = async (temperature: number) => {
      const encoder = await open(join(directory, 'scores.onnx'), { temperature })
      const { probabilities } = await encoder.embed(images, 3)
      await encoder.dispose()
      return { encoder, probabilities: probabilities! }
    }
    expect((await open2(1)).encoder.classNames).toBeUndefined()
    writeFileSync(join(directory, 'config.json'), JSON.stringify({ id2label }))
    const { encoder, probabilities } = await open2(1)
    expect(encoder).toMatchObject({ width: 5, classes: 3, classNames: Object.values(id2label) })
    // The kernel has 5 x 3 x 3 x 3 weights, and one number scales the scores.
    expect(encoder.parameterCount).toBe(136)
    const warmer = (await open2(4)).probabilities
    for (let image = 0; image < 3; image++) {
      const means = [0, 1, 2].map((channel) => {
        const begin = (image * 3 + channel) * 64
        const sum = images.subarray(begin, begin + 64).reduce((a, b) => a + b, 0)
        return (sum / 64 / 255 - 0.5) / 0.5
      })
      const softmax = (temperature: number) => {
        const powers = means.map((mean) => Math.exp((10 * mean) / temperature))
        return powers.map((power) => power / powers.reduce((a, b) => a + b))
      }
      softmax(1).forEach((p, c) => expect(probabilities[image * 3 + c]).toBeCloseTo(p, 5))
      softmax(4).forEach((p, c) => expect(warmer[image * 3 + c]).toBeCloseTo(p, 5))
    }
  })

  it('has a digest of its weights, wherever they lie', async () => {
    const directory = temporaryDirectory()
    cpSync(folder, directory, { recursive: true })
    const digest = async () => {
      const encoder = await open(join(directory, 'external.onnx'))
      await encoder.dispose()
      return encoder.digest
    }
    const before = await digest()
    expect(await digest()).toBe(before)
    const weights = readFileSync(join(directory, 'other name.bin'))
    weights.writeFloatLE(2, 0)
    writeFileSync(join(directory, 'other name.bin'), weights)
    expect(await digest()).not.toBe(before)
  })

  it.each<[string, Partial<EncoderOptions>, string]>([
    [
      'constant',
      { output: 'constant' },
      'the output constant [4, 5] of 1 image does not have the batch as its first axis',
    ],
    ['same', {}, 'the output feat [1, 5] is the same for two different images'],
    [
      'sequence-first',
      { pooling: 'cls' },
      'the output tokens [64, 1, 5] of 1 image does not have the batch as its first axis',
    ],
    [
      'two-towers',
      {},
      'encodes images and texts together: its inputs are pixel_values float32 [batch, 3, 8, 8], input_ids int64 [batch, 4]; give the image encoder alone: repositories have it as vision_model.onnx',
    ],
    [
      'pointer',
      {},
      'is a Git LFS pointer of 68 bytes, not the file it stands for; run "git lfs pull"',
    ],
    [
      'rectangle',
      {},
      'takes images of 4x6 pixels, its preprocessing makes them 8x8; write "size": {"height": 4, "width": 6}',
    ],
    [
      'plain',
      { imageSize: 16 },
      'takes images of 8x8 pixels, its preprocessing makes them 16x16; give --image-size 8',
    ],
    ['map', {}, 'has one vector for each place of the image; give --pooling mean'],
    ['map', { pooling: 'cls' }, 'and no class token; give --pooling mean'],
    ['tokens', {}, 'the output tokens float32 [batch, 64, 5] has one vector for each token'],
    [
      'plain',
      { output: 'feats' },
      'has no output feats of embeddings, tokens or maps; its outputs are feat float32 [batch, 5]',
    ],
    [
      'plain',
      { source: { channels: 4, height: 8, width: 8 } },
      'images of 4 channels cannot be given to a model of 3',
    ],
  ])('refuses %s with %j', async (name, options, message) => {
    expect(await refusal(() => open(join(folder, `${name}.onnx`), options))).toContain(message)
  })

  it('refuses files that are cut, and external data that is not there', async () => {
    const directory = temporaryDirectory()
    cpSync(folder, directory, { recursive: true })
    writeFileSync(
      join(directory, 'cut.onnx'),
      readFileSync(join(folder, 'plain.onnx')).subarray(0, 300),
    )
    expect(await refusal(() => open(join(directory, 'cut.onnx')))).toContain(
      'it ends in the middle',
    )
    const lonely = join(temporaryDirectory(), 'external.onnx')
    copyFileSync(join(directory, 'external.onnx'), lonely)
    expect(await refusal(() => open(lonely))).toContain('other name.bin, which is not there')
  })
})
