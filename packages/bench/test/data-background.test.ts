// Batches made in another thread are those of this one, byte for byte, in any order; and what goes wrong there is heard here.
import { describe, expect, it } from 'vitest'

import { BackgroundBatches, type Loading } from '../src/data/background.js'
import { trainingBatches } from '../src/data/batches.js'
import { createDataset } from '../src/data/dataset.js'
import { createInputWriter } from '../src/data/input.js'
import { wholeSplit } from '../src/data/subsets.js'

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

describe('BackgroundBatches', () => {
  it('gives the batches of this thread, with their input', async () => {
    const background = new BackgroundBatches(loading)
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
