// A data set so small that a whole trial on it takes a moment: three classes of 8x8 images, each a bright quarter.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { Random } from '@embed-kd/core'

const SIZE = 8
const CLASSES = 3

function idx(dimensions: readonly number[], bytes: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * dimensions.length))
  header.setUint8(2, 0x08)
  header.setUint8(3, dimensions.length)
  dimensions.forEach((n, i) => header.setUint32(4 + 4 * i, n))
  return Buffer.concat([new Uint8Array(header.buffer), bytes])
}

function writeSplit(directory: string, prefix: string, count: number): void {
  const random = new Random(count)
  const labels = Uint8Array.from({ length: count }, (_, i) => i % CLASSES)
  const images = new Uint8Array(count * SIZE * SIZE)
  labels.forEach((label, image) => {
    for (let y = 0; y < SIZE; y++)
      for (let x = 0; x < SIZE; x++) {
        const quarter = (y < SIZE / 2 ? 0 : 2) + (x < SIZE / 2 ? 0 : 1)
        images[(image * SIZE + y) * SIZE + x] = random.int(100) + (quarter === label ? 150 : 0)
      }
  })
  writeFileSync(join(directory, `${prefix}-images-idx3-ubyte`), idx([count, SIZE, SIZE], images))
  writeFileSync(join(directory, `${prefix}-labels-idx1-ubyte`), idx([count], labels))
}

/** Writes the data set; its specification for --dataset. */
export function writeTinyDataset(directory: string): string {
  mkdirSync(directory, { recursive: true })
  writeSplit(directory, 'train', 120)
  writeSplit(directory, 't10k', 60)
  return `idx:${directory}`
}

export const tinyStudent = {
  name: 'dot',
  imageSize: 8,
  patch: 4,
  width: 8,
  layers: 1,
  heads: 2,
}

/** A grid of trials that take about a second each. */
export const tinyGrid = (dataset: string, rest: object = {}): object => ({
  dataset: [dataset],
  student: [tinyStudent],
  method: ['supervised'],
  batch: [16],
  dropout: 0,
  learningRate: 0.01,
  ...rest,
})

export function writeConfig(directory: string, ...grids: object[]): string {
  const file = join(directory, 'sweep.json')
  writeFileSync(file, JSON.stringify({ grids }))
  return file
}
