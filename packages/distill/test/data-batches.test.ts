// Order, held-out part, augmentation, padding of the last batch, and what models see of the pixels.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { augmentImage, drawAugmentation } from '../src/images/augment.js'
import { evaluationBatches, trainingBatches } from '../src/node/data/batches.js'
import type { Batch } from '../src/node/data/batches.js'
import { createDataset } from '../src/node/data/in-memory.js'
import { createInputWriter } from '../src/node/data/input.js'
import { splitRun } from '../src/node/run/splits.js'
import { PixelStatistics } from '../src/node/data/statistics.js'
import {
  firstOfEachClass,
  holdOut,
  shareOfEachClass,
  wholeSplit,
} from '../src/node/data/subsets.js'

const shape = { channels: 2, height: 3, width: 4 }
const imageBytes = 24

/** Images whose bytes name them: byte j of image i is (7 i + j) mod 256, its label i mod classes. */
function dataset(trainCount: number, testCount = 1, classes = 3) {
  const split = (count: number) => ({
    images: Uint8Array.from({ length: count * imageBytes }, (_, at) => {
      const image = Math.floor(at / imageBytes)
      return 7 * image + (at % imageBytes)
    }),
    labels: Int32Array.from({ length: count }, (_, i) => i % classes),
    count,
  })
  return createDataset({
    name: 'test',
    classes,
    ...shape,
    train: split(trainCount),
    test: split(testCount),
  })
}

async function copied(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const all: Batch[] = []
  for await (const batch of batches) all.push(structuredClone(batch))
  return all
}

const imageOf = (data: ReturnType<typeof dataset>, index: number) =>
  data.train.images.subarray(index * imageBytes, (index + 1) * imageBytes)

describe('training batches', () => {
  const train = wholeSplit(dataset(10), 'train')
  const options = { size: 4, seed: 1, epoch: 0 }

  it('have each image at most once, with its label and pixels', async () => {
    const batches = trainingBatches(train, options)
    expect(batches).toHaveLength(2)
    const seen: number[] = []
    for await (const batch of batches) {
      expect(batch.count).toBe(4)
      expect([...batch.mask]).toEqual([1, 1, 1, 1])
      for (const [i, index] of batch.indices.entries()) {
        seen.push(index)
        expect(batch.labels[i]).toBe(index % 3)
        const pixels = batch.pixels.subarray(i * imageBytes, (i + 1) * imageBytes)
        expect(pixels).toEqual(imageOf(dataset(10), index))
      }
    }
    expect(new Set(seen).size).toBe(8)
  })

  it('repeat from seed and epoch, and differ between them', async () => {
    const order = async (seed: number, epoch: number) => {
      const batches = await copied(trainingBatches(train, { ...options, seed, epoch }))
      return batches.map(({ indices }) => [...indices])
    }
    expect(await order(1, 2)).toEqual(await order(1, 2))
    expect(await order(1, 2)).not.toEqual(await order(1, 3))
    expect(await order(1, 2)).not.toEqual(await order(2, 2))
  })

  it('can be read at any step, as an interrupted epoch must', async () => {
    const augmentation = { flip: true, cropPadding: 1 }
    const batches = trainingBatches(train, { ...options, augmentation })
    const all = await copied(batches)
    expect(await batches.read(1)).toEqual(all[1])
    expect(await batches.read(0)).toEqual(all[0])
    await expect(batches.read(2)).rejects.toThrow(/batches 0 to 1, not 2/)
    await expect(batches.read(-1)).rejects.toThrow(/batches 0 to 1, not -1/)
  })

  it('augment each image by (seed, epoch, index) alone', async () => {
    const augmentation = { flip: true, cropPadding: 2 }
    const data = dataset(10)
    for await (const batch of trainingBatches(train, { ...options, epoch: 5, augmentation }))
      for (const [i, index] of batch.indices.entries()) {
        const expected = new Uint8Array(imageBytes)
        const draw = drawAugmentation(augmentation, 1, 5, index)
        augmentImage(shape, draw, imageOf(data, index), 0, expected, 0)
        expect(batch.pixels.subarray(i * imageBytes, (i + 1) * imageBytes)).toEqual(expected)
      }
  })

  it('need enough images for one', () => {
    expect(() => trainingBatches(train, { ...options, size: 11 })).toThrow(
      'a batch of 11 needs as many images, there are 10; choose a smaller batch',
    )
  })

  it('need crops that show a part of each image', () => {
    const { height } = train.shape
    const crop = (cropPadding: number) => ({
      ...options,
      augmentation: { flip: false, cropPadding },
    })
    expect(() => trainingBatches(train, crop(height - 1))).not.toThrow()
    expect(() => trainingBatches(train, crop(height))).toThrow(
      `crop:${height} can miss an image of ${height}x${train.shape.width} pixels altogether`,
    )
  })
})

describe('evaluation batches', () => {
  it('have every image once in order, and pad the last', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 9 }),
        async (count, size) => {
          const data = dataset(count)
          const batches = await copied(evaluationBatches(wholeSplit(data, 'train'), size))
          expect(batches).toHaveLength(Math.ceil(count / size))
          const real = batches.flatMap(({ indices, count }) => [...indices.subarray(0, count)])
          expect(real).toEqual(Array.from({ length: count }, (_, i) => i))
          const pixels = Buffer.concat(batches.map(({ pixels }) => pixels))
          expect(pixels.subarray(0, count * imageBytes).equals(data.train.images)).toBe(true)
          expect(pixels.subarray(count * imageBytes).every((byte) => byte === 0)).toBe(true)
          for (const { indices, mask, count } of batches)
            for (let i = 0; i < size; i++)
              expect([indices[i]! >= 0, mask[i]]).toEqual(i < count ? [true, 1] : [false, 0])
          expect(batches.at(-1)!.labels.subarray(batches.at(-1)!.count)).toEqual(
            new Int32Array(size - batches.at(-1)!.count),
          )
        },
      ),
    )
  })
})

describe('augmentation', () => {
  const image = Uint8Array.from({ length: imageBytes }, (_, i) => i + 1)
  const augmented = (draw: { flip: boolean; top: number; left: number }) => {
    const target = new Uint8Array(imageBytes).fill(99)
    augmentImage(shape, draw, image, 0, target, 0)
    return target
  }

  it('is the crop of the padded image, then its mirror image', () => {
    const offset = fc.integer({ min: -6, max: 6 })
    fc.assert(
      fc.property(fc.boolean(), offset, offset, (flip, top, left) => {
        const expected: number[] = []
        for (let channel = 0; channel < 2; channel++)
          for (let y = 0; y < 3; y++)
            for (let x = 0; x < 4; x++) {
              const row = y + top
              const column = (flip ? 3 - x : x) + left
              const inside = row >= 0 && row < 3 && column >= 0 && column < 4
              expected.push(inside ? image[channel * 12 + row * 4 + column]! : 0)
            }
        expect([...augmented({ flip, top, left })]).toEqual(expected)
      }),
    )
  })

  it('draws every crop and both sides about equally often', () => {
    const counts = new Map<string, number>()
    for (let index = 0; index < 9000; index++) {
      const draw = drawAugmentation({ flip: true, cropPadding: 1 }, 3, 0, index)
      const key = `${draw.flip} ${draw.top} ${draw.left}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    expect(counts.size).toBe(18)
    for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(110)
  })

  it('does nothing where it is off', () => {
    for (let index = 0; index < 50; index++)
      expect(drawAugmentation({ flip: false, cropPadding: 0 }, 3, 0, index)).toEqual({
        flip: false,
        top: 0,
        left: 0,
      })
  })
})

describe('subsets', () => {
  const data = dataset(31)
  const train = wholeSplit(data, 'train')

  it('hold out the same part of each class, and nothing of it is trained on', () => {
    const { training, heldOut } = holdOut(train, 0.2, 7)
    const all = [...training.indices, ...heldOut.indices].sort((a, b) => a - b)
    expect(all).toEqual([...train.indices])
    const labels = [...heldOut.indices].map((index) => data.train.labels[index]!)
    for (const label of [0, 1, 2]) expect(labels.filter((l) => l === label)).toHaveLength(2)
    expect(holdOut(train, 0.2, 7)).toEqual({ training, heldOut })
    expect(holdOut(train, 0.2, 8).heldOut.indices).not.toEqual(heldOut.indices)
  })

  it.each([0, 1, -0.1, NaN])('refuse to hold out %s', (fraction) => {
    expect(() => holdOut(train, fraction, 1)).toThrow(/between 0 and 1/)
  })

  it('refuse to hold out nothing', () => {
    expect(() => holdOut(train, 0.01, 1)).toThrow(
      'no class of the 31 training images has enough of them to hold out a share of 0.01',
    )
  })

  it('take a share of each class at random, whose smaller shares are parts of larger ones', () => {
    const share = fc.double({ min: 1e-3, max: 1, noNaN: true })
    fc.assert(
      fc.property(
        fc.array(fc.nat(4), { minLength: 5, maxLength: 80 }),
        fc.tuple(share, share),
        fc.nat(),
        (classes, shares, seed) => {
          const labels = Int32Array.from(classes)
          const subset = { ...train, split: { ...data.train, labels, count: labels.length } }
          const all = { ...subset, indices: labels.map((_, i) => i) }
          const [small, large] = shares
            .toSorted((a, b) => a - b)
            .map((each) => shareOfEachClass(all, each, seed).indices)
          const inLarge = new Set(large)
          expect([...small!].every((index) => inLarge.has(index))).toBe(true)
          expect([...small!]).toEqual([...small!].toSorted((a, b) => a - b))
          for (const label of new Set(classes)) {
            const of = (indices: Int32Array) =>
              [...indices].filter((index) => labels[index] === label).length
            const wanted = Math.round(Math.min(...shares) * of(all.indices))
            expect(of(small!)).toBe(Math.max(1, wanted))
          }
          expect(shareOfEachClass(all, 1, seed).indices).toEqual(all.indices)
        },
      ),
    )
    const half = (seed: number) => shareOfEachClass(train, 0.5, seed).indices
    expect(half(1)).toEqual(half(1))
    expect(half(1)).not.toEqual(half(2))
  })

  it('train a run on a share of what is not held out', () => {
    const split = (labels?: number, seed = 1) =>
      splitRun(data, { heldOut: 0.2, labels, seed }, fail)
    const fail = (message: string) => expect.unreachable(message)
    const [all, half] = [split(), split(0.5)]
    expect(half.heldOut).toEqual(all.heldOut)
    expect([all.training.indices.length, half.training.indices.length]).toEqual([25, 13])
    expect([...half.training.indices].every((i) => all.training.indices.includes(i))).toBe(true)
    expect(split(0.5, 2).training.indices).not.toEqual(half.training.indices)
    expect(() => split(0)).toThrow('a share of 0 of the labels cannot be used')
  })

  it('take the first of each class', () => {
    expect([...firstOfEachClass(train, 2).indices]).toEqual([0, 1, 2, 3, 4, 5])
    expect(firstOfEachClass(train, 100).indices).toEqual(train.indices)
  })
})

describe('model input', () => {
  const grey = { channels: 1, height: 2, width: 2 }
  const pixels = Uint8Array.of(0, 51, 102, 255)

  const write = (
    source: typeof grey,
    target: Parameters<typeof createInputWriter>[1],
    bytes: Uint8Array,
  ) => {
    const images = bytes.length / (source.channels * source.height * source.width)
    const into = new Float32Array(images * target.channels * target.height * target.width)
    createInputWriter(source, target)(bytes, images, into)
    return Array.from(into, (value) => Math.round(value * 1e5) / 1e5)
  }

  it('is (p / 255 - mean) / std', () => {
    const target = { ...grey, mean: [0.2], std: [0.5], fit: 'resize' as const }
    expect(write(grey, target, pixels)).toEqual([-0.4, 0, 0.4, 1.6])
  })

  it('sets a smaller image in the middle of black', () => {
    const target = {
      channels: 1,
      height: 5,
      width: 4,
      mean: [0.2],
      std: [0.5],
      fit: 'crop' as const,
    }
    const b = -0.4
    const image = [b, b, b, b, b, b, 0, b, b, 0.4, 1.6, b, b, b, b, b, b, b, b, b]
    expect(write(grey, target, Uint8Array.of(...pixels, ...pixels))).toEqual([...image, ...image])
  })

  it.each(['resize', 'crop'] as const)('repeats grey for three channels (%s)', (fit) => {
    const [mean, std] = [
      [0, 0.2, 0.4],
      [1, 0.5, 0.2],
    ]
    const size = { height: 4, width: 4 }
    const three = write(grey, { channels: 3, ...size, mean, std, fit }, pixels)
    const each = mean.flatMap((center, i) =>
      write(grey, { channels: 1, ...size, mean: [center], std: [std[i]!], fit }, pixels),
    )
    expect(three).toEqual(each)
  })

  it('resizes bytes and then normalises', () => {
    const target = {
      channels: 1,
      height: 1,
      width: 1,
      mean: [0.2],
      std: [0.5],
      fit: 'resize' as const,
    }
    // The mean of the four is 102, but each of the two passes rounds.
    expect(write(grey, target, pixels)).toEqual([0.40784])
  })

  it.each([
    [
      { channels: 3, mean: [0, 0, 0], std: [1, 1, 1] },
      { channels: 2 },
      /2 channels cannot be given to a model of 3/,
    ],
    [{ channels: 1, mean: [0, 0], std: [1] }, {}, /as many means and positive/],
    [{ channels: 1, mean: [0], std: [0] }, {}, /as many means and positive/],
    [
      { channels: 1, mean: [0], std: [1], height: 1, fit: 'none' as const },
      {},
      /2x2 stay 2x2, the model takes 1x2/,
    ],
  ])('refuses %j from %j', (target, source, message) => {
    const full = { ...grey, fit: 'resize' as const, ...target }
    expect(() => createInputWriter({ ...grey, ...source }, full)).toThrow(message)
  })

  it('statistics are those of the images, per channel', () => {
    const data = dataset(9)
    const some = new PixelStatistics(shape)
    for (const index of [2, 5]) some.add(imageOf(data, index))
    const { mean, std } = some.finish()
    for (const channel of [0, 1]) {
      const values = [2, 5].flatMap((index) =>
        Array.from({ length: 12 }, (_, i) => (7 * index + 12 * channel + i) / 255),
      )
      const expectedMean = values.reduce((a, b) => a + b) / values.length
      const variance = values.reduce((a, b) => a + (b - expectedMean) ** 2, 0) / values.length
      expect(mean[channel]).toBeCloseTo(expectedMean, 10)
      expect(std[channel]).toBeCloseTo(Math.sqrt(variance), 10)
    }
  })
})
