// The trainer as a program uses it, on plain arrays: it learns, resumes to the bit, is observed, and is stopped.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { defineMethod, hostTensor, parseSafetensors, type Backend } from '@embed-kd/core'
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
import {
  batches,
  classes,
  collect,
  common,
  embeddings,
  size,
  test,
  train,
  validation,
} from './trainer-setup.js'

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

const supervised = (rest: Partial<TrainerOptions<'supervised'>> = {}) =>
  Trainer.create({ ...common(backend), method: 'supervised', ...rest })

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
      ...common(backend),
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
    await collect(second.fit(batches(), { epochs: 2, from: { epochs: 1 } }))
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

  it('answers while it trains, after the step in progress, with the same training', async () => {
    const run = async (meanwhile: (trainer: Trainer) => unknown) => {
      await using trainer = await supervised()
      const training = collect(trainer.fit(batches(), { epochs: 2 }))
      await meanwhile(trainer)
      await training
      return trainer.state()
    }
    const alone = await run(() => undefined)
    const asked = await run(async (trainer) => {
      const { probabilities } = await trainer.predict(test.images)
      expect(probabilities.every(Number.isFinite)).toBe(true)
      await Promise.all([trainer.evaluate(test), trainer.export('checkpoint'), trainer.metrics()])
    })
    expect(asked).toEqual(alone)
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
      ...common(backend),
      method: 'cached-kd',
      teacher: { samples: sampleEmbeddings(embeddings, train.labels) },
    })
    await using live = await Trainer.create({
      ...common(backend),
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
      ...common(backend),
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
      ...common(backend),
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
