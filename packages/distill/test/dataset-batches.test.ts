// A data set as programs give it to a trainer: the same batches as images in memory make, with pixels and positions beside them.
import { expect, it } from 'vitest'

import { arrayBatches, type ImageBatch } from '../src/index.js'
import { createDataset } from '../src/node/data/in-memory.js'
import { datasetBatches } from '../src/node/index.js'

const [size, classes] = [4, 3]
const split = (count: number) => ({
  images: Uint8Array.from({ length: count * size * size }, (_, i) => (i * 31) % 256),
  labels: Int32Array.from({ length: count }, (_, i) => i % classes),
  count,
})
const shape = { channels: 1, height: size, width: size }
const dataset = createDataset({ name: 'x', classes, ...shape, train: split(20), test: split(7) })

async function collect(batches: AsyncIterable<ImageBatch> | Iterable<ImageBatch>) {
  const all: ImageBatch[] = []
  for await (const { images, labels, pixels, indices } of batches)
    all.push({ images: images.slice(), labels, pixels: pixels?.slice(), indices })
  return all
}

it('gives the batches of an epoch, normalised by the statistics of the training images', async () => {
  const { images, train } = datasetBatches(dataset, { batch: 8, seed: 3 })
  expect(images).toEqual({ channels: 1, size, ...dataset.statistics })
  const [mean, std] = [images.mean![0]!, images.std![0]!]
  for (const epoch of [0, 1]) {
    const batches = arrayBatches(split(20), { batch: 8, seed: 3 }) as typeof train
    const expected = await collect(batches(epoch))
    const found = await collect(train(epoch))
    expect(found.map(({ pixels, labels, indices }) => [pixels, labels, indices])).toEqual(
      expected.map(({ images, labels, indices }) => [images, Int32Array.from(labels!), indices]),
    )
    for (const { images, pixels } of found)
      images.forEach((value, i) => expect(value).toBeCloseTo((pixels![i]! / 255 - mean) / std, 4))
  }
})

it('gives the test images in order, without padding', async () => {
  const found = await collect(datasetBatches(dataset).test())
  expect(found).toHaveLength(1)
  expect(found[0]!.pixels).toEqual(split(7).images)
  expect(Array.from(found[0]!.labels!)).toEqual([...split(7).labels])
  expect(found[0]!.images).toHaveLength(7 * size * size)
})
