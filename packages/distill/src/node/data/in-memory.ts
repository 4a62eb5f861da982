// Data sets whose pixels are in memory: digest and statistics are computed from the pixels.

import { createHash } from 'node:crypto'

import type { Dataset, Split } from './dataset.js'
import { PixelStatistics } from './statistics.js'

export type PixelSplit = Split & { readonly images: Uint8Array }

/** Allocates memory for pixels that workers can read too, so that none needs a copy. */
export const pixelArray = (bytes: number): Uint8Array =>
  new Uint8Array(new SharedArrayBuffer(bytes))

/** Completes a data set with the digest and statistics of its pixels. */
export function createDataset<T extends PixelSplit>(
  parts: Omit<Dataset, 'digest' | 'statistics' | 'train' | 'test'> & { train: T; test: T },
): Dataset & { readonly train: T; readonly test: T } {
  const { classes, channels, height, width, train, test } = parts
  const hash = createHash('sha256').update(JSON.stringify([classes, channels, height, width]))
  for (const split of [train, test])
    hash.update(`${split.count}`).update(split.images).update(split.labels)
  const statistics = new PixelStatistics(parts)
  statistics.add(train.images)
  return { ...parts, digest: hash.digest('hex'), statistics: statistics.finish() }
}

/** Returns the images of a split at these positions, as a split of its own. */
export function selectImages({ images, labels, count }: PixelSplit, positions: Int32Array) {
  const imageBytes = images.length / count
  const selected = pixelArray(positions.length * imageBytes)
  positions.forEach((position, i) =>
    selected.set(
      images.subarray(position * imageBytes, (position + 1) * imageBytes),
      i * imageBytes,
    ),
  )
  return {
    images: selected,
    labels: Int32Array.from(positions, (position) => labels[position]!),
    count: positions.length,
  }
}
