// Every method that the page offers trains by the page's own functions, from embeddings of the kind that it needs.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { centroidsOf, sampleEmbeddings } from '@embed-kd/distill'
import { openBackend } from '@embed-kd/distill/node'
import { describe, expect, it } from 'vitest'

import { methodsFor, needOf, type Dataset, type RunSettings } from '../src/messages.js'
import { createTrainer } from '../src/training.js'

const [count, size, width] = [80, 8, 16]
const labels = Int32Array.from({ length: count }, (_, i) => i % 2)
const images = Uint8Array.from({ length: count * size * size }, (_, i) => (i * 37) % 251)
const vectors = Float32Array.from({ length: count * width }, (_, i) => Math.sin(i * i))
const split = { images, labels }
const dataset: Dataset = {
  name: 'noise',
  channels: 1,
  size,
  classNames: ['even', 'odd'],
  train: split,
  test: split,
}
const embeddings = {
  none: undefined,
  centroids: centroidsOf(vectors, labels),
  samples: sampleEmbeddings(vectors, labels),
  // A teacher that is sure of the right class.
  scores: {
    ...sampleEmbeddings(
      Array.from(labels, (label) => [0, 1].map((c) => (c === label ? 9 : 0))),
      labels,
    ),
    content: 'scores' as const,
  },
}
const settingsFor = (method: RunSettings['method']): RunSettings => ({
  method,
  student: 'vit:width=16,layers=1,heads=2,patch=4,image=8',
  epochs: 1,
  batch: 40,
  learningRate: 0.003,
  dropout: 0.1,
  seed: 0,
  device: 'best',
})
const kinds = ['centroids', 'samples', 'scores'] as const
const offered = [...new Set(kinds.flatMap(methodsFor))]

describe('a method that the page offers', () => {
  it.each(offered)('trains: %s', async (method) => {
    const backend = await openBackend('ort:cpu')
    await using trainer = await createTrainer(
      backend,
      dataset,
      embeddings[needOf(method)],
      settingsFor(method),
    )
    const { value } = await trainer.fit(dataset.train).next()
    expect(value).toMatchObject({ steps: 2, trainLoss: expect.any(Number) })
    await backend.dispose()
  })

  it('is named in the guide', () => {
    const guide = readFileSync(join(import.meta.dirname, '../../../docs/studio.md'), 'utf8')
    for (const name of offered) expect(guide).toContain(`\`${name}\``)
  })

  it('asks for the embeddings that it needs', async () => {
    const backend = await openBackend('ort:cpu')
    const create = () =>
      createTrainer(backend, dataset, embeddings.centroids, settingsFor('cached-kd'))
    expect(create).toThrow(
      'Cached-KD needs one vector for each image, but the file has one vector for each class; choose another method, or another file',
    )
    await backend.dispose()
  })
})
