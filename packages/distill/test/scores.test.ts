// Class scores stored in a file teach what the classifier teaches that runs on each batch, and are never taken for embeddings.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Random, type Backend, type Method } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import {
  arrayBatches,
  noAugmentation,
  readEmbeddings,
  Trainer,
  type EncoderTeacher,
  type ImageBatch,
  type SampleEmbeddings,
} from '../src/index.js'
import { makeSamples, openBackend, openSignal, scoreEncoder } from '../src/node/index.js'
import { createDataset } from '../src/node/data/in-memory.js'
import type { Encoder } from '../src/node/teachers/encoder.js'

const side = 8
const classNames = ['ant', 'bee', 'cat']
const random = new Random(7)
const split = (count: number) => ({
  images: Uint8Array.from({ length: count * side * side }, () => random.int(256)),
  labels: Int32Array.from({ length: count }, (_, i) => i % 3),
  count,
})
const grey = { channels: 1, height: side, width: side }
const dataset = createDataset({
  name: 'noise',
  classes: 3,
  classNames,
  ...grey,
  train: split(48),
  test: split(12),
})
const { images, labels } = dataset.train as unknown as ReturnType<typeof split>

/** A classifier whose scores are three pixels, in the order that it was trained with. */
const classifierAt = (temperature: number, names = ['cat', 'ant', 'bee']): Encoder => ({
  name: 'pixels',
  digest: 'd'.repeat(64),
  pooling: 'none',
  width: 2,
  classes: names.length,
  classNames: names,
  input: { ...grey, mean: [0], std: [1], fit: 'resize' },
  async embed(pixels, count) {
    const probabilities = new Float32Array(count * names.length)
    for (let i = 0; i < count; i++) {
      const raised = names.map((_, c) => Math.exp(pixels[i * side * side + c]! / 32 / temperature))
      const total = raised.reduce((a, b) => a + b)
      raised.forEach((value, c) => (probabilities[i * names.length + c] = value / total))
    }
    return { embeddings: new Float32Array(2 * count), probabilities }
  },
  dispose: async () => {},
})

let directory: string
let backend: Backend
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'scores-'))
  backend = await openBackend('ort:cpu')
})
afterAll(async () => {
  await backend.dispose()
  rmSync(directory, { recursive: true })
})

async function fileOf(encoder: Encoder, content?: 'scores'): Promise<string> {
  const file = join(directory, `${content ?? 'samples'}.safetensors`)
  const whole = { augmentation: noAugmentation, views: 1, shard: 1, shards: 1 }
  const rest = { dataset, file, batch: 7, seed: 0, progress: () => {} }
  await makeSamples({ encoder, ...rest, ...whole, ...(content ? { content } : {}) })
  return file
}
const parse = (file: string) => readEmbeddings(readFileSync(file))
const scoresFile = () => fileOf(scoreEncoder(classifierAt(1), dataset), 'scores')

/** Returns the losses of three epochs of training without dropout. */
async function lossesOf(method: Method, teacher: object): Promise<number[]> {
  const trainer = await Trainer.create({
    backend,
    student: 'vit:width=16,layers=1,heads=2,patch=4,image=8',
    dropout: 0,
    classes: 3,
    images: { channels: 1, size: side },
    batch: 16,
    learningRate: 3e-3,
    totalSteps: 9,
    method: method as never,
    teacher: teacher as never,
  })
  const losses: number[] = []
  for await (const { trainLoss } of trainer.fit(arrayBatches({ images, labels }, { batch: 16 }), {
    epochs: 3,
  }))
    losses.push(trainLoss)
  await trainer.dispose()
  return losses
}

it("teach what the live classifier's scores teach, in the order of the data's classes", async () => {
  const samples = (await parse(await scoresFile())) as SampleEmbeddings
  expect(samples).toMatchObject({ kind: 'samples', content: 'scores', width: 3 })
  const stored = await lossesOf('cached-logit-kd', { samples })
  const signal = await openSignal({ method: 'logit-kd', dataset, encoder: classifierAt(4) })
  const { width, classes, embed } = signal.teacher as EncoderTeacher
  const live = await lossesOf('logit-kd', {
    width,
    classes,
    embed: (batch: ImageBatch) => embed({ ...batch, pixels: batch.images as Uint8Array }),
  })
  stored.forEach((loss, epoch) => expect(loss).toBeCloseTo(live[epoch]!, 5))
  expect(live[2]).toBeLessThan(live[0]!)
})

describe('are refused', () => {
  it('where embeddings are needed, and embeddings where scores are', async () => {
    const [scores, samples] = [await scoresFile(), await fileOf(classifierAt(1))]
    const open = (method: Method, embeddings: string) => openSignal({ method, dataset, embeddings })
    await expect(open('cached-kd', scores)).rejects.toThrow(/has its class scores.*--kind samples/s)
    await expect(open('embed-kd', scores)).rejects.toThrow(/has its class scores/)
    await expect(open('cached-logit-kd', samples)).rejects.toThrow(
      /has its embeddings.*--kind scores/s,
    )
    const teacher = { samples: await parse(scores) }
    await expect(lossesOf('cosine-kd', teacher)).rejects.toThrow(/the rows are class scores/)
    const plain = { kind: 'samples', vectors: new Float32Array(96), width: 2 }
    await expect(lossesOf('cached-logit-kd', { samples: plain })).rejects.toThrow(
      /rows have 2 values/,
    )
  })

  it('from a teacher that scores other classes, or none', () => {
    const { classes: _, ...encoder } = classifierAt(1)
    expect(() => scoreEncoder(encoder, dataset)).toThrow(/has no classifier/)
    expect(() => scoreEncoder(classifierAt(1, ['a', 'b']), dataset)).toThrow(/scores 2/)
    expect(() => scoreEncoder(classifierAt(1, ['ant', 'bee', 'dog']), dataset)).toThrow(/"cat"/)
  })
})
