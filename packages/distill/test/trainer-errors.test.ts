// A user's mistakes with a trainer: batches, options, teachers and schedules that do not fit. Each is one line with a remedy.
import { UserError, type Backend } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import {
  centroidsOf,
  sampleEmbeddings,
  Trainer,
  type ImageBatch,
  type ImageSource,
  type TrainerOptions,
} from '../src/index.js'
import { openBackend } from '../src/node/index.js'
import { classes, common, embeddings, size, test, train } from './trainer-setup.js'

let backend: Backend
beforeAll(async () => {
  backend = await openBackend('ort:cpu')
})
afterAll(() => backend.dispose())

const supervised = (rest: Partial<TrainerOptions<'supervised'>> = {}) =>
  Trainer.create({ ...common(backend), method: 'supervised', ...rest })

describe('Trainer refuses', () => {
  const batch = (): ImageBatch => ({
    images: train.images.slice(0, 16 * size * size),
    labels: train.labels.slice(0, 16),
  })

  describe('a batch', () => {
    let trainer: Trainer
    beforeAll(async () => {
      trainer = await supervised({ totalSteps: 2 })
    })
    afterAll(() => trainer.dispose())

    it.each<[string, object, string]>([
      ['without images', { images: undefined }, 'images are undefined; give a Uint8Array'],
      ['of other numbers', { images: new Float64Array(1024) }, 'an object of type Float64Array'],
      ['of half images', { images: new Uint8Array(100) }, 'each image of 1x8x8 has 64'],
      ['of another size', { images: new Uint8Array(3 * 64) }, 'a batch has 3 images'],
      ['without labels', { labels: undefined }, 'a batch of 16 images has no labels'],
      ['of other classes', { labels: new Int32Array(16).fill(3) }, 'label 3 is not one of the 3'],
      ['with NaN as a label', { labels: new Array(16).fill(NaN) }, 'label NaN is not one'],
      ['with a word as a label', { labels: new Array(16).fill('1') }, 'label "1" is not one'],
    ])('%s', async (_, rest, message) => {
      await expect(trainer.step({ ...batch(), ...rest })).rejects.toThrow(message)
    })
  })

  /** Options and sources as a program in JavaScript may give them by mistake; each is refused before anything is compiled. */
  it.each<[string, object, string]>([
    ['backend', { backend: undefined }, 'was given no `backend`; give a backend, such as'],
    ['backend', { backend: 'ort:cpu' }, 'the backend is "ort:cpu"; give a backend, such as'],
    ['student', { student: undefined }, "was given no `student`; give a student, such as 'small'"],
    ['student', { student: 'smal' }, 'unknown student "smal"; did you mean small?'],
    ['method', { method: undefined }, 'was given no `method`; give one of supervised'],
    ['method', { method: 'embed_kd' }, 'there is no method "embed_kd"'],
    ['images', { images: undefined }, 'was given no `images`; give the sizes of the images'],
    ['classes', { classes: '3' }, 'classes must be a whole number of at least 1, got "3"'],
    ['batch', { batch: 0 }, 'batch must be a whole number of at least 1, got 0'],
    ['ema', { ema: 1.5 }, 'ema must be a finite number of at least 0 and below 1, got 1.5'],
    ['seed', { seed: 1.5 }, 'seed must be a whole number of at least 0, got 1.5'],
    ['totalSteps', { totalSteps: 0 }, 'totalSteps must be a whole number of at least 1, got 0'],
    ['preset', { preset: 'correct' }, 'preset must be one of paper, corrected, got "correct"; did'],
    ['learningRate', { learningRate: 0 }, 'a learning rate of 0 trains nothing'],
    ['teacher', { teacher: undefined }, 'give it as `teacher`'],
    [
      'teacher',
      { teacher: { centroids: [[1, 0]] } },
      '`centroids` is an object of type Array; give',
    ],
    [
      'teacher',
      { teacher: { centroids: Promise.resolve() } },
      'is an object of type Promise; give what centroidsOf or await readEmbeddings(file) returns',
    ],
  ])('the option %s: %o', async (_, change, message) => {
    const teacher = { centroids: centroidsOf(embeddings, train.labels) }
    const options = { ...common(backend), method: 'embed-kd', teacher, ...change }
    const made = Trainer.create(options as unknown as TrainerOptions<'supervised'>)
    await expect(made).rejects.toThrow(message)
    await expect(made).rejects.toThrow(UserError)
  })

  it.each<[string, unknown, object, string]>([
    ['no source', undefined, {}, 'the source of batches is undefined; give { images, labels }'],
    ['a promise', Promise.resolve(train), {}, 'is an object of type Promise; give'],
    ['a function without batches', () => undefined, {}, 'the source of batches is undefined; give'],
    ['no number of epochs', train, { epochs: NaN }, 'epochs must be a whole number'],
    ['an end before the start', train, { epochs: 1, from: { epochs: 2 } }, 'of at least 2, got 1'],
  ])('to train on %s', async (_, source, options, message) => {
    await using trainer = await supervised()
    await expect(trainer.fit(source as ImageSource, options).next()).rejects.toThrow(message)
  })

  it('anything once it is disposed, and answers about steps before the first', async () => {
    const trainer = await supervised()
    expect(() => trainer.parts).toThrow('the step is not compiled yet; give `totalSteps`')
    await expect(trainer.metrics()).rejects.toThrow('there was no step yet; train first')
    await expect(trainer.export('onx' as 'onnx')).rejects.toThrow('format must be one of onnx')
    await trainer.dispose()
    await trainer.dispose()
    await expect(trainer.predict(test.images)).rejects.toThrow('the trainer was disposed')
  })

  it('a cosine schedule without an end', async () => {
    await using trainer = await supervised()
    await expect(trainer.step(batch())).rejects.toThrow('needs the number of steps in advance')
  })

  it('centroids of other classes, and images without embeddings', async () => {
    const centroids = centroidsOf(embeddings, train.labels, { classes: 3 })
    const options = {
      ...common(backend),
      classes: 4,
      method: 'embed-kd' as const,
      teacher: { centroids },
    }
    await expect(Trainer.create(options)).rejects.toThrow(
      'centroids of 3 classes, but the data has 4',
    )
    await using trainer = await Trainer.create({
      ...common(backend),
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
    const embedKd = { ...common(backend), method: 'embed-kd' } as const
    const cachedKd = { ...common(backend), method: 'cached-kd' } as const
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
    const path = 'student.checkpoint' as unknown as Uint8Array
    await expect(large.restore(path)).rejects.toThrow('it is "student.checkpoint"; give the bytes')
  })

  it('a method without its teacher, as the compiler sees it', () => {
    const options = common(backend)
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
