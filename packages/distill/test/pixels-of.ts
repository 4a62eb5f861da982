// All pixels of a split, wherever it has them.
import type { Dataset } from '../src/node/data/dataset.js'
import { readImages } from '../src/node/data/pixels.js'

export async function pixelsOf(dataset: Dataset, which: 'train' | 'test'): Promise<Uint8Array> {
  const { channels, height, width, [which]: split } = dataset
  const pixels = new Uint8Array(split.count * channels * height * width)
  const all = Int32Array.from({ length: split.count }, (_, i) => i)
  await readImages(split, dataset, all, pixels)
  return pixels
}
