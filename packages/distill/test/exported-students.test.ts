// Students exported for transformers.js: grey and colour, one image and three, PNG and JPEG, give there what they give here, and the
// folders of a student are teachers again.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import {
  classifierParameters,
  initialParameters,
  Random,
  type Backend,
  type ClassifierConfig,
} from '@embed-kd/core'
import { relativeError } from '@embed-kd/conformance/golden'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { openBackend } from '../src/node/index.js'
import type { ModelInput } from '../src/node/data/input.js'
import { exportOnnxModel, exportSafetensors } from '../src/node/run/export.js'
import { openEncoder } from '../src/node/teachers/open.js'
import { resolveTeacher } from '../src/node/teachers/resolve.js'
import { temporaryDirectory } from './temporary.js'

const side = 16
const classNames = ['a', 'b', 'c']

/**
 * A student with random weights, exported both ways; its decisions depend on the image.
 * @param own side of the images that the student resizes its input to.
 */
function exportStudent(channels: number, own = side) {
  const model: ClassifierConfig = {
    imageSize: own,
    patchSize: 4,
    channels,
    width: 24,
    layers: 2,
    heads: 3,
    classes: 3,
    activation: 'quickGelu',
    preNorm: true,
    epsilon: 1e-5,
    attentionDropout: 0.1,
  }
  const input: ModelInput = {
    channels,
    height: side,
    width: side,
    mean: [0.4, 0.5, 0.6].slice(0, channels),
    std: [0.2, 0.3, 0.25].slice(0, channels),
    fit: 'resize',
  }
  const parameters = initialParameters(classifierParameters(model), new Random(channels))
  const trained = { model, parameters, input, classNames }
  const out = temporaryDirectory()
  exportSafetensors(join(out, 'student'), trained, {})
  for (const normalised of [false, true])
    exportOnnxModel(join(out, `student-onnx-${normalised}`), trained, normalised)
  return { out, source: { channels, height: side, width: side } }
}

/** Pixels of channel planes that JPEG keeps as they are: flat quarters, each of one value. */
const pixelsOf = (channels: number, seed: number): Uint8Array => {
  const random = new Random(seed)
  const values = Array.from({ length: 4 * channels }, () => 16 * random.int(16))
  return Uint8Array.from({ length: channels * side * side }, (_, i) => {
    const [channel, y, x] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side]
    return values[4 * channel + 2 * Math.floor(y / 8) + Math.floor(x / 8)]!
  })
}

describe.each([
  ['grey', 1, side],
  ['colour', 3, side],
  ['larger colour', 3, 12],
] as const)('a student of %s images', (_, channels, own) => {
  let backend: Backend
  const { out, source } = exportStudent(channels, own)
  const images = [1, 2, 3].map((seed) => pixelsOf(channels, seed))

  beforeAll(async () => {
    backend = await openBackend('ort:cpu')
  })
  afterAll(() => backend.dispose())

  /** Probabilities and embeddings by the student's safetensors. */
  async function ours() {
    const teacher = await openEncoder(join(out, 'student'), { backend, source, batch: 2 })
    const pixels = Uint8Array.from(images.flatMap((image) => [...image]))
    const embedded = await teacher.embed(pixels, images.length)
    expect([teacher.classes, teacher.classNames]).toEqual([3, classNames])
    await teacher.dispose()
    return embedded
  }

  it('is a teacher again, as safetensors and as ONNX', async () => {
    const { embeddings } = await ours()
    // The directory of the whole run is understood as well.
    expect(await resolveTeacher(out)).toEqual({
      kind: 'checkpoint',
      directory: join(out, 'student'),
    })
    const onnx = await openEncoder(join(out, 'student-onnx-false'), { backend, source, batch: 2 })
    expect(onnx.pooling).toBe('embeddings')
    const again = await onnx.embed(Uint8Array.from(images.flatMap((image) => [...image])), 3)
    expect(relativeError(again.embeddings, embeddings)).toBeLessThan(1e-5)
    await onnx.dispose()
  })

  it.each([
    ['png', false],
    ['png', true],
    ['jpeg', false],
  ] as const)(
    'scores %s images in transformers.js as here (normalises itself: %s)',
    async (format, inside) => {
      const { pipeline, RawImage, env } = await import('@huggingface/transformers')
      Object.assign(env, { allowRemoteModels: false, localModelPath: '' })
      const classify = await pipeline('image-classification', join(out, `student-onnx-${inside}`), {
        device: 'cpu',
        dtype: 'fp32',
      })
      const files = await Promise.all(
        images.map(async (image, i) => {
          const interleaved = Uint8Array.from(
            image,
            (__, at) => image[(at % channels) * side ** 2 + Math.floor(at / channels)]!,
          )
          const file = join(out, `${i}.${format}`)
          const encoder = sharp(interleaved, { raw: { width: side, height: side, channels } })
          const bytes =
            format === 'png'
              ? encoder.png()
              : encoder.jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
          await (channels === 1 ? bytes.toColourspace('b-w') : bytes).toFile(file)
          return RawImage.read(pathToFileURL(file).href.replace('file://', ''))
        }),
      )
      const { probabilities } = await ours()
      const options = { top_k: 3 }
      const together = (await classify(files, options)) as { label: string; score: number }[][]
      const alone = (await classify(files[0]!, options)) as { label: string; score: number }[]
      ;[...together, alone].forEach((scores, i) => {
        for (const { label, score } of scores) {
          const expected = probabilities![3 * (i % 3) + classNames.indexOf(label)]!
          expect(Math.abs(score - expected)).toBeLessThan(format === 'png' ? 1e-4 : 0.02)
        }
      })
      await classify.dispose()
    },
  )
})
