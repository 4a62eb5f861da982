// Methods that learn from a file of sample embeddings: each lowers its loss, and a run goes on to the bit, the queue included.
import { loadOrt } from '@embed-kd/backend-ort'
import {
  methodDefinition,
  methods,
  parseSafetensors,
  Random,
  unlabelledMethods,
  type Backend,
  type Method,
} from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { arrayBatches, Trainer, type Batches, type ImageBatch } from '../src/index.js'
import { openBackend } from '../src/node/index.js'

const size = 8
const count = 96
const width = 12
const random = new Random(1)
const images = Uint8Array.from({ length: count * size * size }, () => random.int(256))
const labels = Int32Array.from({ length: count }, (_, i) => i % 3)
/** A teacher whose embedding is some of the pixels. */
const vectors = Float32Array.from(
  { length: count * width },
  (_, i) => images[Math.floor(i / width) * size * size + 5 * (i % width)]! / 128 - 1,
)

let backend: Backend
beforeAll(async () => {
  backend = await openBackend('ort:cpu')
})
afterAll(() => backend.dispose())

const ofSamples = (Object.keys(methods) as Method[]).filter(
  (name) => methods[name].teacher === 'samples',
)
/** Fewer embeddings than the queue of the library, so that a test fills it. */
const definitionOf = (name: Method) => {
  const definition = methodDefinition(name)
  return definition.queue ? { ...definition, queue: 40 } : definition
}
const source = arrayBatches({ images, labels }, { batch: 16 })
/** The batches of the first epoch. */
async function firstBatches(): Promise<ImageBatch[]> {
  const found: ImageBatch[] = []
  for await (const batch of (source as (epoch: number) => Batches)(0)) found.push(batch)
  return found
}
/** Embeddings, or for methods that learn from class scores the first three of their columns. */
const samplesOf = (name: Method) => {
  if (methods[name].takes !== 'probabilities') return { kind: 'samples', vectors, width, labels }
  const scores = vectors.filter((_, i) => i % width < 3)
  return { kind: 'samples', content: 'scores', vectors: scores, width: 3, labels }
}
const create = (name: Method, samples: object = samplesOf(name)) =>
  Trainer.create({
    backend,
    student: 'vit:width=16,layers=1,heads=2,patch=4,image=8',
    classes: 3,
    images: { channels: 1, size },
    batch: 16,
    learningRate: 3e-3,
    totalSteps: 24,
    method: definitionOf(name) as never,
    teacher: { samples } as never,
  })

describe.each(ofSamples)('%s', (name) => {
  it('lowers its loss, and goes on from a state to the bit', async () => {
    await using whole = await create(name)
    const losses: number[] = []
    for await (const { trainLoss } of whole.fit(source, { epochs: 4 })) losses.push(trainLoss)
    expect(losses.at(-1)).toBeLessThan(losses[0]!)

    await using half = await create(name)
    const batches = await firstBatches()
    const stepsOf = async (trainer: Trainer, from: number, to: number) => {
      for (const batch of batches.slice(from, to)) await trainer.step(batch)
    }
    await stepsOf(half, 0, 4)
    await using other = await create(name)
    await other.restore(await half.export('checkpoint'))
    await stepsOf(half, 4, 6)
    await stepsOf(other, 4, 6)
    expect(await other.state()).toEqual(await half.state())
  })
})

describe('without labels', () => {
  const unlabelled = arrayBatches({ images }, { batch: 16, size })
  const options = {
    student: 'vit:width=16,layers=1,heads=2,patch=4,image=8',
    images: { channels: 1, size },
    batch: 16,
    learningRate: 3e-3,
    totalSteps: 24,
  }
  const samples = { kind: 'samples', vectors, width } as const

  it.each(unlabelledMethods.filter((name) => methods[name].teacher === 'samples'))(
    'trains a student without a classifier with %s, and exports it',
    async (name) => {
      const method = definitionOf(name) as never as 'cosine-kd'
      await using trainer = await Trainer.create({
        ...options,
        backend,
        method,
        teacher: { samples },
      })
      const losses: number[] = []
      for await (const epoch of trainer.fit(unlabelled, { epochs: 4 })) {
        expect(epoch).not.toHaveProperty('accuracy')
        losses.push(epoch.trainLoss)
      }
      expect(losses.at(-1)).toBeLessThan(losses[0]!)
      expect(Object.keys(await trainer.metrics())).toEqual(['loss', 'learningRate', 'kdLoss'])
      const embedded = await trainer.embed(images.subarray(0, 3 * size * size))
      expect(embedded).toHaveLength(3 * 16)

      const { tensors } = parseSafetensors(await trainer.export('safetensors'))
      expect([...tensors.keys()].join()).not.toMatch(/classifier|(teacher|student)_proj/)
      expect(tensors.size).toBeGreaterThan(10)
      const ort = await loadOrt()
      const session = await ort.InferenceSession.create(
        await trainer.export('onnx', { normalise: true }),
      )
      expect(session.outputNames).toEqual(['embeddings'])
      const pixels = Float32Array.from(images.subarray(0, 3 * size * size), (p) => p / 255)
      const { embeddings } = await session.run({
        pixel_values: new ort.Tensor('float32', pixels, [3, 1, size, size]),
      })
      await session.release()
      const apart = Array.from(embeddings!.data as Float32Array, (x, i) => x - embedded[i]!)
      expect(Math.max(...apart.map(Math.abs))).toBeLessThan(1e-4)
    },
  )

  it('predicts no classes, which types and errors say', async () => {
    await using trainer = await Trainer.create({
      ...options,
      backend,
      method: 'cosine-kd',
      teacher: { samples },
    })
    // @ts-expect-error -- a student without a classifier predicts nothing
    await expect(trainer.predict(images)).rejects.toThrow(
      'a student that was trained without labels predicts no classes; use its embeddings (`embed`)',
    )
    await expect(
      // @ts-expect-error -- embed-kd needs the number of classes
      Trainer.create({ ...options, backend, method: 'embed-kd', teacher: { centroids: [] } }),
    ).rejects.toThrow('embed-kd needs class labels, but there are no `classes`; give `classes`, or')
  })
})

it('asks for all embeddings if each batch brings its own, and the method computes statistics', async () => {
  await expect(create('phi-s', { width })).rejects.toThrow(
    'phi-s computes statistics of all embeddings, but each batch brings its own; give the embeddings of all',
  )
  await using trainer = await create('phi-s', { width, spread: () => vectors })
  await trainer.step({
    ...(await firstBatches())[0]!,
    embeddings: vectors.slice(0, 16 * width),
  })
  expect((await trainer.metrics()).kdLoss).toBeGreaterThan(0)
})
