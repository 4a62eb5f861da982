// Files of embeddings: what is written is what the teacher gave, in any order, resumed, in shards, in half precision; and what does
// not belong together is refused.
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { classCentroids, formatSafetensors, hostTensor, parseSafetensors } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { ErrorMeter } from '../src/embeddings/store-error.js'
import { drawAugmentation } from '../src/images/augment.js'
import { evaluationBatches, trainingBatches } from '../src/node/data/batches.js'
import { createDataset } from '../src/node/data/in-memory.js'
import { wholeSplit } from '../src/node/data/subsets.js'
import { describeEmbeddings } from '../src/node/embeddings/describe.js'
import { loadCentroids } from '../src/node/embeddings/load-centroids.js'
import { makeCentroids, makeSamples, type SampleOptions } from '../src/node/embeddings/make.js'
import { SampleStore } from '../src/node/embeddings/samples.js'
import { digestStore, noteShard, readManifest, shardFile } from '../src/node/embeddings/shards.js'
import { digestFiles } from '../src/node/teachers/checkpoint.js'
import type { Encoder } from '../src/node/teachers/encoder.js'

const images = 23
const side = 4

const dataset = createDataset({
  name: 'tiny',
  classes: 3,
  classNames: ['ant', 'bee', 'cat'],
  channels: 1,
  height: side,
  width: side,
  train: {
    images: Uint8Array.from({ length: images * side * side }, (_, i) => (i * 37 + (i >> 4)) % 256),
    labels: Int32Array.from({ length: images }, (_, i) => i % 3),
    count: images,
  },
  test: { images: new Uint8Array(side * side), labels: new Int32Array(1), count: 1 },
})

/** Embeds an image as its first five pixels, each half of it, and fails after so many images. */
const pixelEncoder = (failAfter = Infinity): Encoder => {
  let seen = 0
  return {
    name: 'pixels',
    digest: 'd'.repeat(64),
    pooling: 'none',
    width: 5,
    input: { channels: 1, height: side, width: side, mean: [0], std: [1], fit: 'resize' },
    async embed(pixels, count) {
      seen += count
      if (seen > failAfter) throw new Error('the machine went down')
      const embeddings = new Float32Array(count * 5)
      for (let i = 0; i < count; i++)
        for (let k = 0; k < 5; k++) embeddings[i * 5 + k] = pixels[i * side * side + k]! / 2
      return { embeddings }
    },
    dispose: async () => {},
  }
}

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'embeddings-'))
})
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0
const newFile = () => join(directory, `${files++}.safetensors`)

const samples = (file: string, options: Partial<SampleOptions> = {}) =>
  makeSamples({
    encoder: pixelEncoder(),
    dataset,
    file,
    batch: 4,
    seed: 5,
    progress: () => {},
    augmentation: { flip: true, cropPadding: 1 },
    views: 2,
    shard: 1,
    shards: 1,
    ...options,
  })

/** The epoch's embeddings by the store, and by the encoder on the very pixels. */
async function compare(store: SampleStore, epoch: number): Promise<void> {
  const { augmentation } = store.metadata
  const view = store.viewOf(epoch)
  const options = { size: 6, seed: 99, epoch, augmentation, view }
  for await (const batch of trainingBatches(wholeSplit(dataset, 'train'), options)) {
    const { embeddings } = await pixelEncoder().embed(batch.pixels, batch.count)
    expect(store.read(batch, view).data).toEqual(embeddings)
  }
}

describe('per-sample embeddings', () => {
  it('are those of the pixels the student sees, in any epoch', async () => {
    const { file, bytes, images: made } = await samples(newFile())
    expect(made).toBe(2 * images)
    expect(bytes).toBe(statSync(file).size)
    const store = SampleStore.open(file)
    store.requireDataset(dataset)
    for (const epoch of [0, 1, 2, 7]) await compare(store, epoch)
    store.close()
  })

  it('are resumed where they were interrupted, to the same bytes', async () => {
    const whole = await samples(newFile())
    const file = newFile()
    for (const failAfter of [9, 20]) {
      await expect(samples(file, { encoder: pixelEncoder(failAfter) })).rejects.toThrow('went down')
      expect(existsSync(file)).toBe(false)
    }
    const rest = await samples(file)
    // The second attempt got to the end of a view, and a batch into the next.
    expect(rest.images).toBe(2 * images - (8 + 15 + 4))
    expect(readFileSync(file)).toEqual(readFileSync(whole.file))
    expect(existsSync(`${file}.partial`) || existsSync(`${file}.progress`)).toBe(false)
  })

  it('are not resumed with other settings', async () => {
    const file = newFile()
    await expect(samples(file, { encoder: pixelEncoder(9) })).rejects.toThrow('went down')
    await expect(samples(file, { seed: 6 })).rejects.toThrow('was begun with another teacher')
  })

  it('can be made in shards, and are read as one', async () => {
    const file = newFile()
    for (const shard of [3, 1]) await samples(file, { shard, shards: 3 })
    expect(() => SampleStore.open(file)).toThrow('of the 3 shards')
    await samples(file, { shard: 2, shards: 3 })
    const store = SampleStore.open(file)
    await compare(store, 1)
    store.close()
  })

  it('take half the bytes as float16', async () => {
    const full = await samples(newFile())
    const half = await samples(newFile(), { store: 'float16' })
    // Multiples of 1/2 below 128 are exact.
    const store = SampleStore.open(half.file)
    await compare(store, 0)
    store.close()
    expect(full.bytes - half.bytes).toBeGreaterThanOrEqual(2 * images * 5 * 2 - 8)
    expect(half.error!.relative).toBe(0)
    expect(half.error!.cosine).toBeCloseTo(1, 12)
  })

  it.each(['int8', 'pca5', 'pca3', 'pq5'] as const)(
    'are stored as %s, resumed and in shards alike, with the error that is told',
    async (store) => {
      const whole = await samples(newFile(), { store })
      const file = newFile()
      // The basis takes a pass over all 23 images.
      const first = pixelEncoder(store === 'int8' ? 9 : images + 9)
      await expect(samples(file, { store, encoder: first })).rejects.toThrow('went down')
      await samples(file, { store })
      expect(readFileSync(file)).toEqual(readFileSync(whole.file))
      const [parts, one] = [newFile(), SampleStore.open(file)]
      for (const shard of [1, 2]) await samples(parts, { store, shard, shards: 2 })
      const two = SampleStore.open(parts)
      const { augmentation } = one.metadata
      const meter = new ErrorMeter()
      for (const epoch of [0, 1]) {
        const view = one.viewOf(epoch)
        const all = evaluationBatches(wholeSplit(dataset, 'train'), images, augmentation, view)
        for await (const batch of all) {
          const got = one.read(batch, view).data as Float32Array
          expect(two.read(batch, view).data).toEqual(got)
          const { embeddings } = await pixelEncoder().embed(batch.pixels, images)
          meter.add(embeddings, got, 5)
        }
      }
      expect(whole.error!.relative).toBeCloseTo(meter.result()!.relative, 10)
      expect(whole.error!.cosine).toBeCloseTo(meter.result()!.cosine, 10)
      expect(whole.error!.cosine).toBeGreaterThan(store === 'int8' ? 0.999 : 0.9)
      one.close()
      two.close()
    },
  )

  it('have a manifest once all shards are there, by which a shard of another size is refused', async () => {
    const file = newFile()
    await samples(file, { shard: 2, shards: 2 })
    await noteShard(file, 2, 2)
    expect(readManifest(file)).toBeUndefined()
    const { file: last } = await samples(file, { shard: 1, shards: 2 })
    await noteShard(file, 1, 2)
    const manifest = readManifest(file)!
    expect(manifest).toMatchObject({ rows: 2 * images, shards: [{ firstImage: 0 }, { rows: 24 }] })
    expect(await digestStore(file)).toBe(
      await digestFiles([shardFile(file, 1, 2), shardFile(file, 2, 2)]),
    )
    const store = SampleStore.open(file)
    await compare(store, 1)
    store.close()
    writeFileSync(last, readFileSync(last).subarray(8))
    expect(() => SampleStore.open(file)).toThrow()
    writeFileSync(last, readFileSync(shardFile(file, 2, 2)))
    const mixed = SampleStore.open(file)
    await expect(compare(mixed, 0)).rejects.toThrow('but the manifest of its shards says')
    mixed.close()
  })

  it('of the first format are read as before', async () => {
    const { file } = await samples(newFile())
    const { tensors, metadata } = parseSafetensors(readFileSync(file))
    const { store: _, first_image: __, ...rest } = metadata
    const keys = hostTensor('int32', [2 * images, 4])
    const order = Array.from({ length: 2 * images }, (_, row) => [
      row % images,
      row < images ? 0 : 1,
    ])
    order.forEach(([index, view], row) => {
      const { flip, top, left } = drawAugmentation({ flip: true, cropPadding: 1 }, 5, view!, index!)
      keys.data.set([Number(flip), top, left, tensors.get('keys')!.data[row]!], 4 * row)
    })
    tensors.set('keys', keys)
    tensors.set('indices', hostTensor('int32', [2 * images, 2], order.flat()))
    const old = newFile()
    writeFileSync(old, formatSafetensors(tensors, { ...rest, format: 'embed-kd 1' }))
    const store = SampleStore.open(old)
    await compare(store, 1)
    store.close()
  })

  it('of images that are not consecutive say which they are of', async () => {
    const subset = { ...wholeSplit(dataset, 'train'), indices: Int32Array.of(3, 4, 9) }
    const { file } = await samples(newFile(), { subset, store: 'int8' })
    const store = SampleStore.open(file)
    const [three, nine] = [store.vectorsOf([3]), store.vectorsOf([9])]
    expect(store.vectorsOf([9, 3])).toEqual(Float32Array.of(...nine, ...three))
    expect(store.spread(2)).toEqual(store.vectorsOf([3, 4]))
    expect(() => store.vectorsOf([5])).toThrow('there is no embedding of image 5')
    store.close()
  })

  it('refuse other pixels, other data and damaged files', async () => {
    const { file } = await samples(newFile())
    const store = SampleStore.open(file)
    const subset = wholeSplit(dataset, 'train')
    const view = store.viewOf(0)
    const plain = await trainingBatches(subset, { size: 6, seed: 5, epoch: 0 }).read(0)
    expect(() => store.read(plain, view)).toThrow(
      'are not those the teacher saw (flip and crop with 1',
    )
    const other = { ...dataset, digest: 'e'.repeat(64), name: 'other' }
    expect(() => store.requireDataset(other)).toThrow('has embeddings of tiny')
    store.close()
    truncateSync(file, statSync(file).size - 4)
    expect(() => SampleStore.open(file)).toThrow('it is truncated')
    expect(() => SampleStore.open(newFile())).toThrow('there is no file')
  })
})

describe('centroids', () => {
  const centroids = (options: object = {}) =>
    makeCentroids({
      encoder: pixelEncoder(),
      dataset,
      file: newFile(),
      batch: 4,
      seed: 0,
      progress: () => {},
      perClass: 4,
      normalise: false,
      prototypes: 1,
      ...options,
    })
  const all = async () => (await pixelEncoder().embed(dataset.train.images, images)).embeddings

  it("are the means of each class's first images", async () => {
    const { file, images: used } = await centroids()
    const got = loadCentroids(file, dataset)
    const { metadata } = parseSafetensors(readFileSync(file))
    const expected = classCentroids(
      hostTensor('float32', [images, 5], await all()),
      dataset.train.labels,
      3,
      4,
    )
    expect(got.vectors).toEqual(expected.data)
    expect(used).toBe(12)
    expect(metadata).toMatchObject({ counts: '[4,4,4]', per_class: '4', normalisation: 'none' })
  })

  it('tell the size of their teacher, as far as it is known', async () => {
    const sizes = { parameterCount: 12, patch: 2 }
    const { file } = await centroids({ encoder: { ...pixelEncoder(), ...sizes } })
    const { teacher } = await describeEmbeddings(file, dataset)
    expect(teacher).toEqual({ ...sizes, imageSize: side })
    const { file: other } = await samples(newFile())
    expect((await describeEmbeddings(other, dataset)).teacher).toEqual({ imageSize: side })
  })

  it('can be of normalised embeddings', async () => {
    const { file } = await centroids({ normalise: true, perClass: 1 })
    const got = loadCentroids(file, dataset).vectors
    for (let label = 0; label < 3; label++) {
      const row = got.subarray(label * 5, (label + 1) * 5)
      expect(Math.hypot(...row)).toBeCloseTo(1, 6)
    }
  })

  it('can be several of each class: as many images as prototypes are the prototypes', async () => {
    const { file } = await centroids({ perClass: 2, prototypes: 2 })
    const { vectors: got, width, prototypes } = loadCentroids(file, dataset)
    expect([prototypes, width, got.length]).toEqual([2, 5, 30])
    const rows = await all()
    const row = (data: Float32Array, i: number) => [...data.subarray(i * 5, i * 5 + 5)].join()
    for (let label = 0; label < 3; label++) {
      const found = [0, 1].map((k) => row(got, 2 * label + k)).sort()
      expect(found).toEqual([row(rows, label), row(rows, label + 3)].sort())
    }
    await expect(centroids({ perClass: 1, prototypes: 2 })).rejects.toThrow('has 1 images for 2')
  })

  const write = (tensors: Record<string, readonly number[]>, shape: number[]): string => {
    const file = newFile()
    const entries = Object.entries(tensors).map(
      ([name, data]) => [name, hostTensor('float32', shape, data)] as const,
    )
    writeFileSync(file, formatSafetensors(new Map(entries)))
    return file
  }

  it('can be text embeddings of class names', () => {
    const matrix = write({ text_embeds: [1, 2, 3, 4, 5, 6] }, [3, 2])
    const named = write({ cat: [5, 6], ant: [1, 2], bee: [3, 4], dog: [7, 8] }, [2])
    for (const file of [matrix, named])
      expect([...loadCentroids(file, dataset).vectors]).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('refuse another number of classes, other classes, and what is not finite', async () => {
    const { file } = await centroids()
    expect(() => loadCentroids(file, { classes: 4 })).toThrow(
      'has 3 centroids, the data set needs 4',
    )
    expect(() => loadCentroids(file, { classes: 3, classNames: ['ant', 'dog', 'cat'] })).toThrow(
      'calls class 1 "bee", the data set "dog"',
    )
    expect(() => loadCentroids(write({ a: [1, 2, 3, 4] }, [2, 2]), dataset)).toThrow(
      'has 2 centroids',
    )
    expect(() => loadCentroids(write({ a: [1, NaN, 3] }, [3, 1]), dataset)).toThrow('finite floats')
    expect(() => loadCentroids(write({ a: [1] }, [1, 1, 1]), dataset)).toThrow('has 0 matrices')
  })
})
