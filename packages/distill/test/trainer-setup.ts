// Images, embeddings and options of the trainers under test: three classes of 8x8 images that a student learns in seconds.
import { Random, type Backend } from '@embed-kd/core'

import { arrayBatches } from '../src/index.js'

export const size = 8
export const classes = 3

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

export const train = makeImages(96, 1)
export const test = makeImages(30, 2)
/** Brightness of the left and of the upper half of each image. */
export const embeddings = Array.from(train.labels, (_, i) => {
  const pixels = train.images.subarray(i * size * size, (i + 1) * size * size)
  const sum = (inside: (x: number, y: number) => boolean) =>
    pixels.reduce((a, p, k) => a + (inside(k % size, Math.floor(k / size)) ? p : 0), 0) / 8000
  return [sum((x) => x < size / 2), sum((_, y) => y < size / 2)]
})

export const common = (backend: Backend) => ({
  backend,
  student: 'vit:width=16,layers=1,heads=2,patch=4,image=8',
  classes,
  images: { channels: 1, size },
  batch: 16,
  learningRate: 1e-2,
  dropout: 0.1,
})
export const batches = () => arrayBatches(train, { batch: 16 })
export const validation = () => arrayBatches(test, { order: 'as given', batch: 7 })

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
