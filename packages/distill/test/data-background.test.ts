// Batches made in another thread are those of this one, byte for byte, in any order; and what goes wrong there is heard here.
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { describe, expect, it } from 'vitest'

import { BackgroundBatches, type Loading } from '../src/node/data/background.js'
import { trainingBatches } from '../src/node/data/batches.js'
import { createDataset } from '../src/node/data/in-memory.js'
import { createInputWriter } from '../src/node/data/input.js'
import { wholeSplit } from '../src/node/data/subsets.js'
import { temporaryDirectory } from './temporary.js'

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

const directory = temporaryDirectory()

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Returns the bytes outside the heap, those of arrays, that this thread can still reach. */
function bytesHeld(): number {
  collectGarbage()
  return process.memoryUsage().external
}

/** Returns the bytes that all threads have read from files so far; 0 if the system does not tell. */
function bytesRead(): number {
  const counters = '/proc/self/io'
  return existsSync(counters) ? Number(/rchar: (\d+)/.exec(readFileSync(counters, 'utf8'))![1]) : 0
}

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

  it('reads images of a file when batches are asked for, and holds a few batches of them', async () => {
    const path = join(directory, 'many')
    const shape = { channels: 3, height: 128, width: 128 }
    const imageBytes = 3 * 128 * 128
    const [count, size] = [800, 8]
    // The file has a hole for most images; some begin with their number.
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
    const before = { read: bytesRead(), held: bytesHeld() }
    const right = new Set<number>()
    let mostHeld = 0
    for (let step = 0; step < length; step++) {
      const batch = await read(step)
      // A few batches were asked for, of a hundred; modules that the thread loads are read too.
      if (step === 0) expect(bytesRead() - before.read).toBeLessThan((count / 4) * imageBytes)
      for (const [i, index] of batch.indices.entries()) {
        const begin = i * imageBytes + 1000
        const number = Buffer.from(batch.pixels.buffer, begin, 4).readUInt32LE()
        if (number === (index % 10 === 0 ? index : 0)) right.add(index)
      }
      if (step % 10 === 9) mostHeld = Math.max(mostHeld, bytesHeld() - before.held)
    }
    await background.dispose()
    expect(right.size).toBe(size * length)
    // A batch has its pixels, and the same as floats. Garbage of some steps may wait to be freed.
    expect(mostHeld).toBeLessThan((length / 2) * 5 * size * imageBytes)
  })

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
