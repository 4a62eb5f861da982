// Teachers as everybody sees them: a checkpoint and an ONNX export of the same model give the same embeddings, and what cannot be a
// teacher is answered with what can.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { exportBatch, exportOnnx } from '@embed-kd/backend-ort/onnx'
import {
  classifierParameters,
  initialParameters,
  op,
  patches,
  Random,
  spec,
  trace,
  type Backend,
  type ClassifierConfig,
  type Tensor,
} from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { goldenDirectory, relativeError } from '@embed-kd/conformance/golden'
import { openBackend } from '../src/node/index.js'
import type { ModelInput } from '../src/node/data/input.js'
import { exportOnnxModel } from '../src/node/run/export.js'
import type { EncoderOptions } from '../src/node/teachers/encoder.js'
import { saveHfTeacher } from '../src/node/teachers/hf-save.js'
import { loadHfTeacher } from '../src/node/teachers/hf.js'
import { openEncoder } from '../src/node/teachers/open.js'

const source = { channels: 3, height: 12, width: 12 }
const count = 5
const random = new Random(4)
const pixels = Uint8Array.from({ length: count * 3 * 144 }, () => random.int(256))

const model: ClassifierConfig = {
  imageSize: 16,
  patchSize: 4,
  channels: 3,
  width: 24,
  layers: 2,
  heads: 3,
  classes: 4,
  activation: 'gelu',
  preNorm: false,
  epsilon: 1e-6,
  attentionDropout: 0,
}
const input: ModelInput = {
  channels: 3,
  height: 16,
  width: 16,
  mean: [0.4, 0.5, 0.6],
  std: [0.2, 0.3, 0.4],
  fit: 'resize',
}
const trained = {
  model,
  parameters: initialParameters(classifierParameters(model), new Random(1)),
  input,
  classNames: ['a', 'b', 'c', 'd'],
}

let directory: string
let backend: Backend
let checkpoint: string
let onnx: string
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'encoder-'))
  backend = await openBackend('ort:cpu')
  checkpoint = join(directory, 'checkpoint')
  saveHfTeacher(checkpoint, trained, {})
  onnx = exportOnnxModel(join(directory, 'onnx'), trained, false)
})
afterAll(async () => {
  await backend.dispose()
  rmSync(directory, { recursive: true })
})

const open = (teacher: string, options: Partial<EncoderOptions> = {}) =>
  openEncoder(teacher, { backend, source, batch: 2, ...options })

describe('a teacher saved here', () => {
  it('is read back as it was', () => {
    const read = loadHfTeacher(checkpoint)
    // hiddenWidth is what it is by default.
    expect(read.model).toEqual({ ...model, hiddenWidth: 96 })
    expect(read.classNames).toEqual(trained.classNames)
    expect([...read.parameters]).toEqual([...trained.parameters])
    expect({ ...read.input, interpolation: undefined }).toMatchObject({ height: 16, fit: 'resize' })
    read.input.mean.forEach((value, i) => expect(value).toBeCloseTo(input.mean[i]!, 12))
  })

  it('has its tensors under the names and shapes of transformers', () => {
    const shapes = (path: string) => {
      const bytes = readFileSync(join(path, 'model.safetensors'))
      const length = Number(bytes.readBigUInt64LE(0))
      const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<
        string,
        { shape: number[] }
      >
      return Object.entries(header)
        .filter(([name]) => name !== '__metadata__')
        .map(([name, { shape }]) => `${name} ${shape.length}`)
        .sort()
    }
    expect(shapes(checkpoint)).toEqual(shapes(join(goldenDirectory, 'hf-vit-classifier')))
  })
})

describe('openEncoder', () => {
  it('gives the same embeddings of a checkpoint and its ONNX export, however images are batched', async () => {
    const [hf, ort] = [await open(checkpoint), await open(onnx, { output: 'embeddings' })]
    const [a, b] = [await hf.embed(pixels, count), await ort.embed(pixels, count)]
    expect([hf.width, ort.width, hf.classes]).toEqual([24, 24, 4])
    expect(relativeError(b.embeddings, a.embeddings)).toBeLessThan(1e-5)
    const one = await hf.embed(pixels.subarray(0, 3 * 144), 1)
    expect(one.embeddings).toEqual(a.embeddings.subarray(0, 24))
    const sums = Array.from({ length: count }, (_, i) =>
      a.probabilities!.subarray(4 * i, 4 * i + 4).reduce((sum, p) => sum + p, 0),
    )
    for (const sum of sums) expect(sum).toBeCloseTo(1, 5)
    await hf.dispose()
    await ort.dispose()
  })

  it('takes the output that is called an embedding, and lists the others', async () => {
    const encoder = await open(onnx)
    expect([encoder.pooling, encoder.width]).toEqual(['embeddings', 24])
    await encoder.dispose()
    await expect(open(onnx, { output: 'pooled' })).rejects.toThrow(
      'its outputs are logits float32 [batch, 4], embeddings float32 [batch, 24]',
    )
    await expect(open(onnx, { output: 'logits', pooling: 'cls' })).rejects.toThrow(
      'nothing to pool',
    )
  })

  /** Patches as tokens: what their pooling is can be computed by hand. */
  const tokensFile = (
    name: string,
    body: (pixel_values: Tensor) => Record<string, Tensor>,
  ): string => {
    const inputs = { pixel_values: spec([exportBatch, 3, 4, 4]) }
    const graph = trace('tokens', inputs, ({ pixel_values }) => body(pixel_values))
    mkdirSync(join(directory, name))
    const file = join(directory, name, 'model.onnx')
    writeFileSync(file, exportOnnx(graph))
    const plain = { size: 4, image_mean: [0, 0, 0], image_std: [1, 1, 1], do_rescale: false }
    writeFileSync(join(directory, name, 'preprocessor_config.json'), JSON.stringify(plain))
    return file
  }

  it('pools tokens as it is told', async () => {
    const file = tokensFile('tokens', (x) => ({ tokens: patches(x, 2) }))
    await expect(open(file)).rejects.toThrow(
      'the output tokens float32 [batch, 4, 12] has one vector for each token; say with --pooling',
    )
    await expect(open(file, { pooling: 'max' })).rejects.toThrow(
      'there is no pooling max; choose one of cls, mean',
    )
    const small = { channels: 3, height: 4, width: 4 }
    const image = Uint8Array.from({ length: 48 }, (_, i) => i)
    const first = await (await open(file, { source: small, pooling: 'cls' })).embed(image, 1)
    expect([...first.embeddings]).toEqual([0, 1, 4, 5, 16, 17, 20, 21, 32, 33, 36, 37])
    const mean = await (await open(file, { source: small, pooling: 'mean' })).embed(image, 1)
    // The corners of the four patches: 0, 2, 8, 10.
    expect(mean.embeddings[0]).toBe(5)
  })

  it('refuses embeddings that are not finite', async () => {
    const file = tokensFile('infinite', (x) => ({
      out: op.log(op.mul(op.sum(x, { axes: [2, 3] }), 0)),
    }))
    await expect(open(file)).rejects.toThrow('is not finite')
  })

  it('says what a teacher can be', async () => {
    const file = (name: string, text = 'x') => {
      writeFileSync(join(directory, name), text)
      return join(directory, name)
    }
    await expect(open(join(directory, 'nowhere'))).rejects.toThrow('there is no file or directory')
    await expect(open('nowhere')).rejects.toThrow(
      'there is no teacher nowhere; give a published shape',
    )
    await expect(open(file('weights.bin'))).rejects.toThrow('is a pickled checkpoint')
    await expect(open(file('weights.txt'))).rejects.toThrow('is neither an .onnx file nor')
    await expect(open(file('broken.onnx'))).rejects.toThrow('is not an ONNX model')
    const lonely = join(directory, 'lonely')
    mkdirSync(lonely)
    cpSync(onnx, join(lonely, 'model.onnx'))
    mkdirSync(join(lonely, 'deep'))
    cpSync(onnx, join(lonely, 'deep', 'model.onnx'))
    await expect(open(join(lonely, 'deep', 'model.onnx'))).rejects.toThrow(
      'does not say how its images are prepared',
    )
    const vectors = trace('vectors', { x: spec([exportBatch, 7]) }, ({ x }) => ({ y: op.neg(x) }))
    const vectorFile = join(directory, 'vectors.onnx')
    writeFileSync(vectorFile, exportOnnx(vectors))
    await expect(open(vectorFile)).rejects.toThrow(
      'is no image encoder: its inputs are x float32 [batch, 7]',
    )
    await expect(open(checkpoint, { source: { ...source, channels: 4 } })).rejects.toThrow(
      'images of 4 channels cannot be given to a model of 3',
    )
  })
})
