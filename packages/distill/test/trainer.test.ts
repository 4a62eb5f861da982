// The trainer as a program uses it, on plain arrays: it learns, resumes to the bit, is observed, is stopped, and refuses batches,
// teachers and schedules that do not fit.
import { defineMethod, parseSafetensors, Random, type Backend } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import {
  arrayBatches,
  centroidsOf,
  sampleEmbeddings,
  Trainer,
  type ImageBatch,
  type ImageSource,
  type TrainerOptions,
} from '../src/index.js'
import { openBackend } from '../src/node/index.js'
import { runOnnx } from '../src/node/run/export.js'
import { hostTensor } from '@embed-kd/core'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const size = 8
const classes = 3

/** Images that are dark, bright on the left or bright at the top, with noise. */
function makeImages(count: number, seed: number) {
  const random = new Random(seed)
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes)
  const images = Uint8Array.from({ length: count * size * size }, (_, i) => {
    const label = labels[Math.floor(i / (size * size))]!
    const [x, y] = [i % size, Math.floor(i / size) % size]
    const bright = (label === 1 && x < size / 2) || (label === 2 && y < size / 2)
    return Math.floor((bright ? 140 : 20) + 100 * random.uniform())
  })
  return { images, labels }
}

const train = makeImages(96, 1)
const test = makeImages(30, 2)
/** Brightness of the left and of the upper half of each image. */
const embeddings = Array.from(train.labels, (_, i) => {
  const pixels = train.images.subarray(i * size * size, (i + 1) * size * size)
  const sum = (inside: (x: number, y: number) => boolean) =>
    pixels.reduce((a, p, k) => a + (inside(k % size, Math.floor(k / size)) ? p : 0), 0) / 8000
  return [sum((x) => x < size / 2), sum((_, y) => y < size / 2)]
})

let backend: Backend
let directory: string
beforeAll(async () => {
  backend = await openBackend('ort:cpu')
  directory = mkdtempSync(join(tmpdir(), 'trainer-'))
})
afterAll(async () => {
  await backend.dispose()
  rmSync(directory, { recursive: true })
})

const common = () => ({
  backend,
  student: 'vit:width=16,layers=1,heads=2,patch=4,image=8',
  classes,
  images: { channels: 1, size },
  batch: 16,
  learningRate: 1e-2,
  dropout: 0.1,
})
const supervised = (rest: Partial<TrainerOptions<'supervised'>> = {}) =>
  Trainer.create({ ...common(), method: 'supervised', ...rest })
const batches = () => arrayBatches(train, { batch: 16 })
const validation = () => arrayBatches(test, { order: 'as given', batch: 7 })

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('Trainer', () => {
  it('cuts images in memory into the batches that arrayBatches makes of them', async () => {
    const run = async (source: ImageSource, validation: ImageSource) => {
      await using trainer = await supervised({ seed: 3 })
      const epochs = await collect(trainer.fit(source, { epochs: 2, validation }))
      return epochs.map(({ steps, trainLoss, accuracy }) => ({ steps, trainLoss, accuracy }))
    }
    const made = await run(train, test)
    expect(made).toEqual(await run(arrayBatches(train, { batch: 16, seed: 3 }), validation()))
    expect(made.map(({ steps }) => steps)).toEqual([6, 12])
    await using trainer = await supervised({ batch: 97 })
    await expect(trainer.fit(train).next()).rejects.toThrow('a batch of 97 needs as many images')
  })

  it('learns from centroids, and reports epochs and steps', async () => {
    await using trainer = await Trainer.create({
      ...common(),
      method: 'embed-kd',
      teacher: { centroids: centroidsOf(embeddings, train.labels) },
    })
    const steps: number[] = []
    const epochs = await collect(
      trainer.fit(batches(), {
        epochs: 12,
        validation: validation(),
        onStep: ({ step, totalSteps }) => void steps.push(step / totalSteps!),
      }),
    )
    expect(epochs.map(({ epoch, steps }) => [epoch, steps])).toEqual(
      Array.from({ length: 12 }, (_, i) => [i + 1, 6 * (i + 1)]),
    )
    expect(steps).toHaveLength(72)
    expect(steps.at(-1)).toBe(1)
    expect(epochs.at(-1)!.trainLoss).toBeLessThan(epochs[0]!.trainLoss)
    expect(epochs.at(-1)!.accuracy).toBeGreaterThan(0.9)
    const { confusion, images, accuracy } = await trainer.evaluate(validation())
    expect([images, accuracy]).toEqual([30, epochs.at(-1)!.accuracy])
    expect(confusion.flat().reduce((sum, n) => sum + n, 0)).toBe(30)
  })

  it('predicts and embeds any number of images as evaluation does', async () => {
    await using trainer = await supervised()
    await collect(trainer.fit(batches()))
    const { classes: found, probabilities, embeddings } = await trainer.predict(test.images)
    const right = found.filter((label, i) => label === test.labels[i]).length
    expect(right / 30).toBe((await trainer.evaluate(validation())).accuracy)
    expect([found.length, probabilities.length, embeddings.length]).toEqual([30, 90, 480])
    const one = await trainer.predict(test.images.subarray(0, size * size))
    expect(one.classes[0]).toBe(found[0])
    one.probabilities.forEach((p, i) => expect(p).toBeCloseTo(probabilities[i]!, 5))
    expect((await trainer.embed(test.images)).length).toBe(480)
  })

  it.each([
    ['supervised', {}],
    ['with an average', { ema: 0.9 }],
    ['in micro-batches', { microBatch: 8 }],
    ['in mixed precision', { precision: 'mixed-float16' as const }],
  ])('goes on from a checkpoint to the bit: %s', async (_, rest) => {
    await using whole = await supervised({ totalSteps: 12, ...rest })
    await collect(whole.fit(batches(), { epochs: 2 }))
    await using first = await supervised({ totalSteps: 12, ...rest })
    await collect(first.fit(batches(), { epochs: 1 }))
    await using second = await supervised({ totalSteps: 12, ...rest })
    await second.restore(await first.export('checkpoint'))
    const from = { epochs: 1, steps: 0, losses: [], seconds: 0, dataSeconds: 0 }
    await collect(second.fit(batches(), { epochs: 2, from }))
    expect(second.steps).toBe(12)
    expect(await second.state()).toEqual(await whole.state())
  })

  it('keeps tensors of each parameter in checkpoints, under its name', async () => {
    await using trainer = await supervised({ totalSteps: 6, ema: 0.9 })
    const state = await trainer.state()
    const parameters = await trainer.parameters()
    expect(parameters.size).toBeGreaterThan(15)
    for (const prefix of ['state.parameters.', 'state.m.', 'state.v.', 'ema.state.parameters.']) {
      const own = [...state].filter(([name]) => name.startsWith(prefix))
      expect(own.map(([name, { shape }]) => [name.slice(prefix.length), shape])).toEqual(
        expect.arrayContaining([...parameters].map(([name, { shape }]) => [name, shape])),
      )
      expect(own).toHaveLength(parameters.size)
    }
  })

  it('evaluates saved parameters, and asks for those that are missing', async () => {
    await using trainer = await supervised({ totalSteps: 6 })
    const saved = await trainer.parameters()
    expect(await trainer.evaluate(validation(), saved)).toEqual(
      await trainer.evaluate(validation()),
    )
    saved.delete('classifier.bias')
    await expect(trainer.evaluate(validation(), saved)).rejects.toThrow('have no classifier.bias')
  })

  it('exports an ONNX model with the same answers', async () => {
    await using trainer = await supervised()
    await collect(trainer.fit(batches(), { epochs: 2 }))
    const file = join(directory, 'student.onnx')
    writeFileSync(file, await trainer.export('onnx', { normalise: true }))
    const pixels = Float32Array.from(test.images, (pixel) => pixel / 255)
    const scores = await runOnnx(file, hostTensor('float32', [30, 1, size, size], pixels))
    const { classes: found } = await trainer.predict(test.images)
    for (const [i, label] of found.entries()) {
      const row = [...scores.subarray(i * classes, (i + 1) * classes)]
      expect(row.indexOf(Math.max(...row))).toBe(label)
    }
  })

  it('stops between two steps when the signal is aborted, and stays usable', async () => {
    await using trainer = await supervised()
    const controller = new AbortController()
    const fitting = trainer.fit(batches(), {
      epochs: 9,
      signal: controller.signal,
      onStep: ({ step }) => (step === 8 ? controller.abort(new Error('enough')) : undefined),
    })
    await expect(collect(fitting)).rejects.toThrow('enough')
    expect(trainer.steps).toBe(8)
    expect((await trainer.evaluate(validation())).images).toBe(30)
  })

  it('hears what else happens while a backend computes without a pause', async () => {
    const reference = await openBackend('reference')
    await using trainer = await supervised({ backend: reference })
    const controller = new AbortController()
    setTimeout(() => controller.abort(new Error('stopped by an event')), 1)
    const fitting = trainer.fit(batches(), { epochs: 1000, signal: controller.signal })
    await expect(collect(fitting)).rejects.toThrow('stopped by an event')
  })

  it('takes batches from any iterable, and skips a smaller last one', async () => {
    await using trainer = await supervised({ schedule: 'constant' })
    async function* some(): AsyncGenerator<ImageBatch> {
      for (const count of [16, 16, 5])
        yield {
          images: train.images.slice(0, count * size * size),
          labels: train.labels.slice(0, count),
        }
    }
    const epochs = await collect(trainer.fit(some, { epochs: 2 }))
    expect(epochs.map(({ steps }) => steps)).toEqual([2, 4])
  })

  it('takes embeddings of single images, and a teacher that is any function', async () => {
    await using cached = await Trainer.create({
      ...common(),
      method: 'cached-kd',
      teacher: { samples: sampleEmbeddings(embeddings, train.labels) },
    })
    await using live = await Trainer.create({
      ...common(),
      method: 'teacher-kd',
      teacher: {
        width: 2,
        embed: async ({ indices }) => ({
          embeddings: Float32Array.from(Array.from(indices!).flatMap((i) => embeddings[i]!)),
        }),
      },
    })
    const [[a], [b]] = [await collect(cached.fit(batches())), await collect(live.fit(batches()))]
    expect(a!.trainLoss).toBe(b!.trainLoss)
    expect(live.parts[0]!.graph.name).toBe('train teacher-kd')
  })

  it('learns from several teachers, resumes to the bit, and exports the student alone', async () => {
    const others = embeddings.map(([left, top]) => [left! + top!, left! - top!, 1])
    const options = {
      ...common(),
      method: 'cached-kd',
      teacher: [
        { name: 'sides', samples: sampleEmbeddings(embeddings, train.labels) },
        { name: 'sums', samples: { width: 3 }, weight: 0.5 },
      ],
      totalSteps: 6,
    } as const
    const withRows = (step: number): ImageBatch => {
      const indices = Int32Array.from({ length: 16 }, (_, i) => 16 * step + i)
      return {
        images: train.images.slice(16 * step * size * size, 16 * (step + 1) * size * size),
        labels: train.labels.slice(16 * step, 16 * (step + 1)),
        indices,
        embeddings: { sums: Float32Array.from(Array.from(indices).flatMap((i) => others[i]!)) },
      }
    }
    await using trainer = await Trainer.create(options)
    for (const step of [0, 1, 2]) await trainer.step(withRows(step))
    const checkpoint = await trainer.export('checkpoint')
    const own = [...(await trainer.parameters()).keys()].filter((name) => name.includes('teacher'))
    expect(own.toSorted()).toEqual(
      ['sides', 'sums'].flatMap((name) =>
        ['logit_scale', 'teacher_proj.bias', 'teacher_proj.weight'].map(
          (parameter) => `teachers.${name}.${parameter}`,
        ),
      ),
    )
    await trainer.step(withRows(3))
    await using again = await Trainer.create(options)
    await again.restore(checkpoint)
    await again.step(withRows(3))
    expect(await again.metrics()).toEqual(await trainer.metrics())
    expect((await again.metrics()).kdLoss).toBeGreaterThan(0)
    const exported = parseSafetensors(await trainer.export('safetensors')).tensors
    expect([...exported.keys()].filter((name) => name.includes('teacher'))).toEqual([])
    expect(exported.has('classifier.weight')).toBe(true)

    const { embeddings: _left, ...without } = withRows(0)
    await expect(trainer.step(without)).rejects.toThrow(
      'a batch of 16 images has no embeddings of sums, but 16 x 3 are needed',
    )
  })

  it('trains with a method of your own', async () => {
    const method = defineMethod({
      label: 'Squared',
      description: 'squares of cosine similarities',
      teacher: 'centroids',
      loss: ({ embedding, anchors, op }) =>
        op.add(op.mean(op.mul(embedding, embedding)), op.mean(op.mul(anchors, anchors))),
    })
    await using trainer = await Trainer.create({
      ...common(),
      method,
      teacher: { centroids: centroidsOf(embeddings, train.labels) },
    })
    const [epoch] = await collect(trainer.fit(batches()))
    expect(epoch!.trainLoss).toBeGreaterThan(0)
    expect(trainer.parts[0]!.graph.name).toBe('train squared')
  })

  it('recompiles for another schedule, with the state as it was', async () => {
    await using trainer = await supervised()
    await collect(trainer.fit(batches()))
    const rates: number[] = []
    const onStep = ({ metrics }: { metrics: { learningRate: number } | undefined }) =>
      void rates.push(metrics!.learningRate)
    await collect(trainer.fit(batches(), { epochs: 2, onStep }))
    expect(trainer.steps).toBe(18)
    // The second course of the rate goes over all 18 steps, of which 6 are over.
    expect(rates[0]).toBeLessThan(0.01)
    expect(rates[0]).toBeGreaterThan(0.005)
    expect(rates.at(-1)).toBeLessThan(0.001)
  })
})

describe('Trainer refuses', () => {
  const batch = (rest: Partial<ImageBatch> = {}): ImageBatch => ({
    images: train.images.slice(0, 16 * size * size),
    labels: train.labels.slice(0, 16),
    ...rest,
  })

  it.each<[string, Partial<ImageBatch>, string]>([
    [
      'pixels that are no whole images',
      { images: new Uint8Array(100) },
      'a batch has 100 pixel values, but each image of 1x8x8 has 64',
    ],
    ['another number of images', { images: new Uint8Array(3 * 64) }, 'a batch has 3 images'],
    ['no labels', { labels: undefined }, 'a batch of 16 images has no labels'],
    ['a class that is none', { labels: new Int32Array(16).fill(3) }, 'label 3 is not one of the 3'],
    ['a label that is no number', { labels: new Array(16).fill(NaN) }, 'label NaN is not one'],
  ])('%s', async (_, rest, message) => {
    await using trainer = await supervised({ totalSteps: 2 })
    await expect(trainer.step(batch(rest))).rejects.toThrow(message)
  })

  it('a cosine schedule without an end', async () => {
    await using trainer = await supervised()
    await expect(trainer.step(batch())).rejects.toThrow('needs the number of steps in advance')
  })

  it('centroids of other classes, and images without embeddings', async () => {
    const centroids = centroidsOf(embeddings, train.labels, { classes: 3 })
    const options = { ...common(), classes: 4, method: 'embed-kd' as const, teacher: { centroids } }
    await expect(Trainer.create(options)).rejects.toThrow(
      'centroids of 3 classes, but the data has 4',
    )
    await using trainer = await Trainer.create({
      ...common(),
      method: 'cached-kd',
      teacher: { samples: { width: 2 } },
      totalSteps: 3,
    })
    await expect(trainer.step(batch())).rejects.toThrow('has no embeddings, but 16 x 2 are needed')
  })

  it('teachers that do not speak of the same classes or images', async () => {
    const centroids = (classNames: string[]) =>
      centroidsOf(embeddings, train.labels, { classNames })
    const rows = (count: number, shift = 0) =>
      sampleEmbeddings(
        embeddings.slice(0, count),
        train.labels.slice(0, count).map((label) => (label + shift) % classes),
      )
    const a = centroids(['dark', 'left', 'top'])
    const embedKd = { ...common(), method: 'embed-kd' } as const
    const cachedKd = { ...common(), method: 'cached-kd' } as const
    const cases: [Promise<Trainer>, string][] = [
      [
        Trainer.create({
          ...embedKd,
          teacher: [
            { name: 'clip', centroids: a },
            { name: 'dino', centroids: centroids(['dark', 'top', 'left']) },
          ],
        }),
        'clip calls class 1 "left", dino "top"; compute the embeddings of both teachers',
      ],
      [
        Trainer.create({
          ...cachedKd,
          teacher: [
            { name: 'clip', samples: rows(90) },
            { name: 'dino', samples: rows(96) },
          ],
        }),
        'clip has embeddings of 90 images, dino of 96; give embeddings of the same images',
      ],
      [
        Trainer.create({
          ...cachedKd,
          teacher: [
            { name: 'clip', samples: rows(96) },
            { name: 'dino', samples: rows(96, 1) },
          ],
        }),
        'clip labels image 0 0, dino labels it 1',
      ],
      [Trainer.create({ ...cachedKd, teacher: [] }), 'cached-kd needs an embedding of each image'],
      [
        Trainer.create({
          ...embedKd,
          teacher: [
            { name: 'clip', centroids: a },
            { name: 'clip', centroids: a },
          ],
          totalSteps: 1,
        }),
        'two teachers are called clip',
      ],
    ]
    for (const [made, message] of cases) await expect(made).rejects.toThrow(message)
  })

  it('a state of another student', async () => {
    await using small = await supervised({ totalSteps: 1 })
    await using large = await supervised({
      totalSteps: 1,
      student: 'vit:width=32,layers=1,heads=2,patch=4,image=8',
    })
    await expect(large.restore(await small.state())).rejects.toThrow('restore into a trainer with')
    await expect(large.restore(new Uint8Array(9))).rejects.toThrow('the checkpoint cannot be read')
  })

  it('a learning rate of zero', async () => {
    await expect(supervised({ learningRate: 0 })).rejects.toThrow('a learning rate of 0')
  })

  it('a method without its teacher, as the compiler sees it', () => {
    const options = common()
    // @ts-expect-error -- embed-kd needs centroids
    const missing: TrainerOptions<'embed-kd'> = { ...options, method: 'embed-kd' }
    const wrong: TrainerOptions<'supervised'> = {
      ...options,
      method: 'supervised',
      // @ts-expect-error -- supervised takes no teacher
      teacher: { centroids: centroidsOf(embeddings, train.labels) },
    }
    const given = { ...options, method: 'cached-kd' as const, teacher: { samples: { width: 2 } } }
    const right: TrainerOptions<'cached-kd'> = given
    expect([missing, wrong, right]).toHaveLength(3)
  })
})
