// Training a student to be used, end to end on ONNX Runtime: resumed runs equal uninterrupted ones bit for bit, settings that do not
// go together are refused, and what is exported classifies as the student does, in plain ONNX Runtime and in transformers.js.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { hostTensor, Random, type Backend, type Method } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { openBackend } from '../src/node/index.js'
import { createDataset } from '../src/node/data/in-memory.js'
import { createInputWriter, type ModelInput } from '../src/node/data/input.js'
import { Ema } from '../src/training/ema.js'
import { exportOnnxModel, exportSafetensors, runOnnx } from '../src/node/run/export.js'
import { runTraining, type RunConfig } from '../src/node/run/run.js'
import { openSignal, type SignalOptions } from '../src/node/run/signal.js'
import { classification } from '../src/training/classification.js'
import { makeCentroids, makeSamples } from '../src/node/embeddings/make.js'
import { studentModel } from '../src/models/students.js'
import type { Encoder } from '../src/node/teachers/encoder.js'
import type { Progress } from '../src/index.js'
import { SafetensorsReader } from '../src/node/files/safetensors-file.js'

const side = 8
const classes = 3
const classNames = ['dark', 'left', 'top']

/** Images that are dark, bright on the left or bright at the top, with noise. */
function splitOf(count: number, seed: number) {
  const random = new Random(seed)
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes)
  const images = Uint8Array.from({ length: count * 3 * side * side }, (_, i) => {
    const label = labels[Math.floor(i / (3 * side * side))]!
    const [x, y] = [i % side, Math.floor(i / side) % side]
    const bright = (label === 1 && x < side / 2) || (label === 2 && y < side / 2)
    return Math.floor((bright ? 140 : 20) + 100 * random.uniform())
  })
  return { images, labels, count }
}

const dataset = createDataset({
  name: 'bars',
  classes,
  classNames,
  channels: 3,
  height: side,
  width: side,
  train: splitOf(120, 1),
  test: splitOf(30, 2),
})

/** A teacher that knows: brightness of the halves. */
const teacher: Encoder = {
  name: 'halves',
  digest: 'f'.repeat(64),
  pooling: 'none',
  width: 2,
  input: { channels: 3, height: side, width: side, mean: [0, 0, 0], std: [1, 1, 1], fit: 'resize' },
  async embed(pixels, count) {
    const embeddings = new Float32Array(2 * count)
    const bytes = 3 * side * side
    for (let i = 0; i < count * bytes; i++) {
      const [x, y, image] = [i % side, Math.floor(i / side) % side, Math.floor(i / bytes)]
      if (x < side / 2) embeddings[2 * image]! += pixels[i]! / 1e4
      if (y < side / 2) embeddings[2 * image + 1]! += pixels[i]! / 1e4
    }
    return { embeddings }
  },
  dispose: async () => {},
}

let directory: string
let backend: Backend
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'distill-'))
  backend = await openBackend('ort:cpu')
})
afterAll(async () => {
  await backend.dispose()
  rmSync(directory, { recursive: true })
})
let outs = 0
const newPath = (name = 'out') => join(directory, `${outs++}-${name}`)

const student = { name: 'tiny', imageSize: side, patch: 4, width: 16, layers: 2, heads: 2 }

/** The student without a classifier, which learns without labels. */
const encoder = studentModel(student, { channels: 3, classes: undefined }, 0.1)

const run = async (
  signalOptions: Partial<SignalOptions> = {},
  options: Partial<RunConfig> = {},
  /** Steps since the beginning of the training after which the machine goes down. */
  failAfter = Infinity,
) => {
  const signal = await openSignal({
    method: 'supervised',
    dataset,
    augmentation: undefined,
    ...signalOptions,
  })
  const mortal = ({ phase, done }: Progress) => {
    if (phase === 'training' && done >= failAfter) throw new Error('the machine went down')
  }
  const config: RunConfig = {
    title: 'a tiny student',
    out: newPath(),
    dataset,
    model: studentModel(student, dataset, 0.1),
    preset: 'corrected',
    batch: 20,
    epochs: 4,
    seed: 3,
    learningRate: 5e-3,
    weightDecay: 0.05,
    heldOut: 0.1,
    resume: false,
    ...options,
  }
  try {
    const result = await runTraining(backend, config, signal, { report: mortal, tell: () => {} })
    return { config, result }
  } finally {
    await signal.dispose()
  }
}

const progress = () => {}
const centroidsFile = async () => {
  const file = newPath('centroids.safetensors')
  const rest = { perClass: 20, normalise: false, prototypes: 1 }
  await makeCentroids({ encoder: teacher, dataset, file, batch: 16, seed: 0, progress, ...rest })
  return file
}
const samplesFile = async (augmentation = { flip: true, cropPadding: 1 }) => {
  const file = newPath('samples.safetensors')
  const rest = { augmentation, views: 2, half: false, shard: 1, shards: 1 }
  await makeSamples({ encoder: teacher, dataset, file, batch: 16, seed: 0, progress, ...rest })
  return file
}

describe('runTraining', () => {
  it.each<[Method, () => Promise<Partial<SignalOptions>>, Partial<RunConfig>?]>([
    ['supervised', async () => ({ augmentation: { flip: true, cropPadding: 1 } })],
    ['embed-kd', async () => ({ embeddings: await centroidsFile() })],
    ['teacher-kd', async () => ({ encoder: teacher })],
    ['cached-kd', async () => ({ embeddings: await samplesFile() })],
    ['queue-kd', async () => ({ embeddings: await samplesFile() }), { model: encoder }],
    [
      'cached-kd',
      async () => ({
        embeddings: [
          { name: 'a', file: await samplesFile() },
          { name: 'b', file: await samplesFile(), weight: 0.5 },
        ],
      }),
      { microBatch: 5 },
    ],
    [
      'embed-kd',
      async () => ({ embeddings: await centroidsFile() }),
      { precision: 'mixed-float16' },
    ],
  ])('resumes %s to the bits of an uninterrupted run', async (method, options, rest) => {
    const given = { method, ...(await options()) }
    const whole = await run(given, { ema: 0.9, ...rest })
    const out = newPath()
    const again = { ema: 0.9, out, resume: true, checkpointEvery: 2, ...rest }
    const random = new Random(method.length)
    // Five steps are an epoch; before the second there is nothing to go on from.
    for (const step of [random.int(4) + 2, random.int(7) + 6, random.int(7) + 13])
      await expect(run(given, again, step)).rejects.toThrow('went down')
    const { result } = await run(given, again)
    const curve = ({ progress }: typeof result) =>
      progress.epochs.map(({ trainLoss, heldOutAccuracy }) => [trainLoss, heldOutAccuracy])
    expect(curve(result)).toEqual(curve(whole.result))
    expect(result.lossScale).toEqual(whole.result.lossScale)
    expect(result.lossScale !== undefined).toBe(rest?.precision === 'mixed-float16')
    for (const file of ['last.safetensors', 'best.safetensors']) {
      const [a, b] = [tensorsOf(whole.config.out, file), tensorsOf(out, file)]
      expect([...b.keys()]).toEqual([...a.keys()])
      for (const [name, bytes] of a) expect(bytes.equals(b.get(name)!), name).toBe(true)
    }
  })

  const tensorsOf = (out: string, file: string): Map<string, Buffer> => {
    const reader = new SafetensorsReader(join(out, file))
    const bytes = readFileSync(join(out, file))
    reader.close()
    return new Map(
      [...reader.entries].map(([name, { begin, end }]) => [name, bytes.subarray(begin, end)]),
    )
  }

  it('without labels holds nothing out, keeps the last epoch and tests nothing', async () => {
    const { result } = await run(
      { method: 'cosine-kd', embeddings: await samplesFile() },
      { epochs: 3, model: encoder },
    )
    expect(result).not.toHaveProperty('test')
    expect(result.progress.bestEpoch).toBe(3)
    expect(result.steps).toBe(3 * 6)
    for (const epoch of result.progress.epochs) expect(epoch).not.toHaveProperty('heldOutAccuracy')
    expect([...result.parameters.keys()].join()).not.toContain('classifier')
  })

  it('refuses to overwrite a run, and to resume another', async () => {
    const { config } = await run({}, { epochs: 1 })
    await expect(run({}, { out: config.out, epochs: 1 })).rejects.toThrow('has a run in it already')
    await expect(run({}, { out: config.out, epochs: 1, batch: 10, resume: true })).rejects.toThrow(
      'is of a run with other settings: --batch was 20, is 10',
    )
  })

  it("takes the schedule it is told, the preset's otherwise", async () => {
    const last = async (options: Partial<RunConfig>) => {
      const { config } = await run({}, { epochs: 2, ...options })
      return tensorsOf(config.out, 'last.safetensors')
    }
    const [own, cosine, constant] = [
      await last({}),
      await last({ schedule: 'cosine' }),
      await last({ schedule: 'constant' }),
    ]
    expect(cosine).toEqual(own)
    expect(constant).not.toEqual(own)
  })

  it('ends where no epoch is better for so long, and gives the best', async () => {
    // So large a rate that nothing is learnt for long.
    const { config, result } = await run({}, { epochs: 40, learningRate: 0.3, patience: 2 })
    const { epochs, bestEpoch } = result.progress
    expect(epochs.length).toBe(bestEpoch + 2)
    expect(epochs.length).toBeLessThan(40)
    const best = Math.max(...epochs.map(({ heldOutAccuracy }) => heldOutAccuracy!))
    expect(epochs[bestEpoch - 1]!.heldOutAccuracy).toBe(best)
    const reader = new SafetensorsReader(join(config.out, 'best.safetensors'))
    reader.close()
    expect(reader.metadata['epoch']).toBe(`${bestEpoch}`)
  })

  it('learns, counts each test image once, and draws curves', async () => {
    const { config, result } = await run(
      { method: 'embed-kd', embeddings: await centroidsFile() },
      { epochs: 20, learningRate: 1e-2 },
    )
    expect(result.test!.accuracy).toBeGreaterThan(0.8)
    expect(result.test!.confusion.flat().reduce((sum, n) => sum + n, 0)).toBe(30)
    expect(result.progress.epochs).toHaveLength(20)
    expect(readdirSync(join(config.out, 'tensorboard'))).toHaveLength(1)
  })
})

describe('Ema', () => {
  it('is decay of what it was and the rest of what is', async () => {
    const upload = (...values: number[]) => backend.upload(hostTensor('float32', [2], values))
    const name = 'state.parameters.x'
    const first = new Map([[name, hostTensor('float32', [2], [1, 2])]])
    const ema = await Ema.create(backend, { [name]: await upload(1, 2) }, 0.75, first)
    await ema.update({ [name]: await upload(5, 2) })
    await ema.update({ [name]: await upload(2, 6) })
    expect([...(await ema.read()).get(name)!.data]).toEqual([2, 3])
    await ema.dispose()
  })
})

describe('openSignal', () => {
  const open = (options: Partial<SignalOptions>) =>
    openSignal({ method: 'supervised', dataset, augmentation: undefined, ...options })

  it('refuses what does not go together', async () => {
    const [centroids, samples] = [await centroidsFile(), await samplesFile()]
    await expect(open({ method: 'embed-kd' })).rejects.toThrow('embed-kd needs --embeddings')
    await expect(open({ method: 'teacher-kd' })).rejects.toThrow('teacher-kd needs --teacher')
    await expect(open({ embeddings: centroids })).rejects.toThrow(
      'supervised takes no --embeddings',
    )
    await expect(
      open({ method: 'cached-kd', encoder: teacher, embeddings: samples }),
    ).rejects.toThrow('cached-kd takes no live teacher')
    await expect(open({ method: 'cached-kd', embeddings: centroids })).rejects.toThrow(
      'but one for each image is needed',
    )
    await expect(open({ method: 'logit-kd', encoder: teacher })).rejects.toThrow(
      'has no classifier',
    )
    const augmentation = { flip: true, cropPadding: 4 }
    await expect(open({ method: 'cached-kd', embeddings: samples, augmentation })).rejects.toThrow(
      'has embeddings of images with flip and crop with 1 pixels of padding, but training asks for flip and crop with 4',
    )
    const other = createDataset({ ...dataset, name: 'other', train: splitOf(60, 9) })
    await expect(
      open({ method: 'cached-kd', embeddings: samples, dataset: other }),
    ).rejects.toThrow('has embeddings of bars')
  })
})

describe('an exported student', () => {
  const input: ModelInput = {
    channels: 3,
    height: side,
    width: side,
    ...dataset.statistics,
    fit: 'resize',
  }

  it.each([false, true])(
    'classifies as the student does (normalisation inside: %s)',
    async (normalise) => {
      const { config, result } = await run({}, { epochs: 3, heldOut: 0 })
      const trained = { model: config.model, parameters: result.parameters, input, classNames }
      const at = newPath('export')
      const file = exportOnnxModel(at, trained, normalise)
      const seen = normalise ? { ...input, mean: [0, 0, 0], std: [1, 1, 1] } : input
      const { images, labels, count } = dataset.test
      const pixels = hostTensor('float32', [count, 3, side, side])
      createInputWriter(dataset, seen)(images, count, pixels.data)
      const scores = await runOnnx(file, pixels)
      const predictions = Array.from({ length: count }, (_, i) => {
        const row = [...scores.subarray(i * classes, (i + 1) * classes)]
        return row.indexOf(Math.max(...row))
      })
      expect(classification(labels, predictions, classes)).toEqual(result.test)

      const { pipeline, env, RawImage } = await import('@huggingface/transformers')
      env.allowRemoteModels = false
      const classify = await pipeline('image-classification', at, { dtype: 'fp32' })
      for (const i of [0, 1, 2, 7]) {
        const area = side * side
        const channelsLast = Uint8ClampedArray.from(
          { length: 3 * area },
          (_, k) => images[i * 3 * area + (k % 3) * area + Math.floor(k / 3)]!,
        )
        const [best] = (await classify(new RawImage(channelsLast, side, side, 3), {
          top_k: 1,
        })) as {
          label: string
          score: number
        }[]
        expect(best!.label).toBe(classNames[predictions[i]!])
      }
      await classify.dispose()
    },
  )

  it('is kept as safetensors with what describes it, without what only training needs', async () => {
    const { config, result } = await run(
      { method: 'embed-kd', embeddings: await centroidsFile() },
      { epochs: 1 },
    )
    const at = newPath('export')
    exportSafetensors(
      at,
      { model: config.model, parameters: result.parameters, input, classNames },
      {},
    )
    const reader = new SafetensorsReader(join(at, 'model.safetensors'))
    expect(reader.entries.has('classifier.weight')).toBe(true)
    expect([...reader.entries.keys()].filter((name) => /teacher|logit_scale/.test(name))).toEqual(
      [],
    )
    reader.close()
    const { id2label, hidden_size } = JSON.parse(readFileSync(join(at, 'config.json'), 'utf8'))
    expect({ id2label, hidden_size }).toEqual({
      id2label: { 0: 'dark', 1: 'left', 2: 'top' },
      hidden_size: 16,
    })
    expect(existsSync(join(at, 'preprocessor_config.json'))).toBe(true)
  })
})
