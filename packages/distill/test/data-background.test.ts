// Batches made in another thread are those of this one, byte for byte, in any order; and what goes wrong there is heard here.
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, describe, expect, it } from 'vitest'

import { BackgroundBatches, type Loading } from '../src/node/data/background.js'
import { trainingBatches } from '../src/node/data/batches.js'
import { createDataset } from '../src/node/data/in-memory.js'
import { createInputWriter } from '../src/node/data/input.js'
import { wholeSplit } from '../src/node/data/subsets.js'

const count = 50
const dataset = createDataset({
  name: 'tiny',
  classes: 5,
  channels: 1,
  height: 6,
  width: 6,
  train: {
    images: Uint8Array.from({ length: count * 36 }, (_, i) => (i * i) % 256),
    labels: Int32Array.from({ length: count }, (_, i) => i % 5),
    count,
  },
  test: { images: new Uint8Array(36), labels: new Int32Array(1), count: 1 },
})
const loading: Loading = {
  subset: wholeSplit(dataset, 'train'),
  size: 8,
  seed: 3,
  augmentation: { flip: true, cropPadding: 2 },
  input: { channels: 3, height: 9, width: 9, mean: [0, 0.5, 1], std: [1, 2, 3], fit: 'resize' },
}

const directory = mkdtempSync(join(tmpdir(), 'background-'))
afterAll(() => rmSync(directory, { recursive: true }))

describe('BackgroundBatches', () => {
  it.each([false, true])(
    'gives the batches of this thread (images in a file: %s)',
    async (stored) => {
      const path = join(directory, 'some')
      writeFileSync(path, Buffer.concat([Buffer.alloc(7), dataset.train.images]))
      const split = { ...dataset.train, images: { path, begin: 7 } }
      const subset = stored ? { ...loading.subset, split } : loading.subset
      const background = new BackgroundBatches({ ...loading, subset })
      const write = createInputWriter(dataset, loading.input)
      for (const epoch of [0, 1, 2]) {
        const { subset, ...rest } = loading
        const here = trainingBatches(subset, { ...rest, epoch })
        const there = background.epoch(epoch)
        expect(there.length).toBe(here.length)
        for (const step of [0, 1, 2, 5, 3]) {
          const expected = await here.read(step)
          const input = new Float32Array(8 * 3 * 81)
          write(expected.pixels, expected.count, input)
          expect(await there.read(step)).toEqual({ ...expected, input })
        }
      }
      await background.dispose()
    },
  )

  it(
    'reads images of a file, without ever holding more than a few batches of them',
    { timeout: 180_000 },
    async () => {
      const path = join(directory, 'many')
      const shape = { channels: 3, height: 224, width: 224 }
      const imageBytes = 3 * 224 * 224
      const [count, size] = [3000, 16]
      // Of most images the file has a hole; some begin with their number.
      const file = openSync(path, 'w')
      ftruncateSync(file, count * imageBytes)
      for (let i = 0; i < count; i += 10)
        writeSync(file, Uint32Array.of(i), 0, 4, 1000 + i * imageBytes)
      closeSync(file)
      const images = { path, begin: 0 }
      const split = { images, labels: new Int32Array(count), count }
      const indices = Int32Array.from({ length: count }, (_, i) => i)
      const augmentation = { flip: false, cropPadding: 0 }
      const input = { ...shape, mean: [0, 0, 0], std: [1, 1, 1], fit: 'resize' as const }
      const subset = { shape, split, indices }
      const background = new BackgroundBatches({ subset, size, seed: 0, augmentation, input })
      const { length, read } = background.epoch(0)
      const before = process.memoryUsage().rss
      let peak = 0
      const right = new Set<number>()
      for (let step = 0; step < length; step++) {
        const batch = await read(step)
        for (const [i, index] of batch.indices.entries()) {
          const begin = i * imageBytes + 1000
          const number = Buffer.from(batch.pixels.buffer, begin, 4).readUInt32LE()
          if (number === (index % 10 === 0 ? index : 0)) right.add(index)
        }
        peak = Math.max(peak, process.memoryUsage().rss)
      }
      await background.dispose()
      expect(right.size).toBe(size * length)
      const megabytes = (bytes: number) => Math.round(bytes / 1e6)
      console.log(
        `an epoch over ${megabytes(count * imageBytes)} MB of images: resident set grew by ${megabytes(peak - before)} MB`,
      )
      expect(peak - before).toBeLessThan(0.4 * count * imageBytes)
    },
  )

  it('passes on what went wrong', async () => {
    const broken = { ...loading, input: { ...loading.input, channels: 2 } }
    const background = new BackgroundBatches(broken)
    await expect(background.epoch(0).read(0)).rejects.toThrow('2 channels needs as many means')
    await expect(new BackgroundBatches(loading).epoch(0).read(99)).rejects.toThrow(
      'there are batches 0 to 5, not 99',
    )
    await background.dispose()
  })
})
