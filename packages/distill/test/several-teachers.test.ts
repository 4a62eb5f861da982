// Files of embeddings of several teachers: how a user names them, and which pairs of files are refused because they speak of
// different images, pixels or classes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { formatSafetensors, hostTensor, parseSafetensors, type HostTensor } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'

import { createDataset } from '../src/node/data/in-memory.js'
import { makeCentroids, makeSamples } from '../src/node/embeddings/make.js'
import { openSignal, type Signal } from '../src/node/run/signal.js'
import type { Encoder } from '../src/node/teachers/encoder.js'
import { parseTeacherSet } from '../src/node/teachers/teacher-set.js'

const side = 4
const split = (count: number) => ({
  count,
  labels: Int32Array.from({ length: count }, (_, i) => i % 3),
  images: Uint8Array.from({ length: count * side * side }, (_, i) => (7 * i) % 251),
})
const datasetOf = (name: string, classNames: string[], count = 12) =>
  createDataset({
    name,
    classes: 3,
    classNames,
    channels: 1,
    height: side,
    width: side,
    train: split(count),
    test: split(6),
  })
const dataset = datasetOf('stripes', ['a', 'b', 'c'])
const other = datasetOf('dots', ['a', 'b', 'c'], 15)

/** Embeds an image as sums of its rows of pixels, repeated up to the width. */
const encoder = (width: number): Encoder => ({
  name: `sums of ${width}`,
  digest: `${width}`.repeat(64).slice(0, 64),
  pooling: 'none',
  width,
  input: { channels: 1, height: side, width: side, mean: [0], std: [1], fit: 'resize' },
  embed: async (pixels, count) => ({
    embeddings: Float32Array.from({ length: count * width }, (_, i) => {
      const first = Math.floor(i / width) * side * side + (i % side) * side
      return pixels.subarray(first, first + side).reduce((sum, value) => sum + value, i % width)
    }),
  }),
  dispose: async () => {},
})

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'teachers-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

const common = { batch: 4, progress: () => {} }
async function samples(
  name: string,
  {
    width = 5,
    data = dataset,
    views = 1,
    seed = 0,
    augmentation = { flip: false, cropPadding: 0 },
  },
): Promise<string> {
  const file = join(directory, name)
  const rest = { augmentation, views, seed, half: false, shard: 1, shards: 1 }
  await makeSamples({ ...common, encoder: encoder(width), dataset: data, file, ...rest })
  return file
}
async function centroids(name: string, data = dataset, width = 5): Promise<string> {
  const file = join(directory, name)
  const rest = { perClass: 4, normalise: false, prototypes: 1, seed: 0 }
  await makeCentroids({ ...common, encoder: encoder(width), dataset: data, file, ...rest })
  return file
}
/** Copies a file with other metadata. */
function relabelled(file: string, name: string, metadata: Record<string, string>): string {
  const found = parseSafetensors(readFileSync(file))
  const copy = join(directory, name)
  writeFileSync(copy, formatSafetensors(found.tensors, { ...found.metadata, ...metadata }))
  return copy
}

const open = (method: 'cached-kd' | 'embed-kd', a: string, b: string): Promise<Signal> =>
  openSignal({
    method,
    dataset,
    embeddings: [
      { name: 'a', file: a },
      { name: 'b', file: b, weight: 0.5 },
    ],
  })

describe('several files', () => {
  it('give each batch the rows of each teacher, and differ by their weights', async () => {
    const [a, b] = [
      await samples('a.safetensors', {}),
      await samples('b.safetensors', { width: 7 }),
    ]
    const signal = await open('cached-kd', a, b)
    const pixels = dataset.train.images as Uint8Array
    const indices = Int32Array.from({ length: 12 }, (_, i) => i)
    const batch = { count: 12, pixels, indices, labels: dataset.train.labels as Int32Array }
    const rows = signal.embeddingsOf!({ ...batch, mask: new Float32Array(12) })
    for (const [name, width] of [
      ['a', 5],
      ['b', 7],
    ] as const) {
      const { embeddings } = await encoder(width).embed(pixels, 12)
      expect((rows as Record<string, Float32Array>)[name]).toEqual(embeddings)
    }
    expect(signal.teacher).toMatchObject([
      { name: 'a', samples: { width: 5 } },
      { name: 'b', weight: 0.5, samples: { width: 7 } },
    ])
    const again = await openSignal({
      method: 'cached-kd',
      dataset,
      embeddings: [
        { name: 'a', file: a },
        { name: 'b', file: b, weight: 0.7 },
      ],
    })
    expect(again.identity).not.toBe(signal.identity)
    await signal.dispose()
    await again.dispose()
  })

  it('of centroids and of samples teach embed-kd together', async () => {
    const [a, b] = [await centroids('c.safetensors'), await samples('d.safetensors', { width: 7 })]
    const { teacher } = await open('embed-kd', a, b)
    expect(teacher).toMatchObject([
      { name: 'a', centroids: { classes: 3, width: 5 } },
      { name: 'b', centroids: { classes: 3, width: 7 }, weight: 0.5 },
    ])
  })

  const flip = { flip: true, cropPadding: 0 }
  test.each<[string, () => Promise<[string, string]>, RegExp]>([
    [
      'of different data',
      async () => [
        await samples('e1.safetensors', {}),
        await samples('e2.safetensors', { data: other }),
      ],
      /e1\.safetensors has embeddings of stripes \(digest \w{12}\), but .*e2\.safetensors has embeddings of dots \(digest/,
    ],
    [
      'of different augmentation',
      async () => [
        await samples('f1.safetensors', {}),
        await samples('f2.safetensors', { augmentation: flip }),
      ],
      /f1\.safetensors has embeddings of images with no augmentation, .*f2\.safetensors has embeddings of images with flip; make both files/,
    ],
    [
      'of different views',
      async () => [
        await samples('g1.safetensors', { augmentation: flip, views: 2 }),
        await samples('g2.safetensors', { augmentation: flip, views: 3 }),
      ],
      /g1\.safetensors has 2 views of each image, .*g2\.safetensors has 3 views/,
    ],
    [
      'of different seeds of augmentation',
      async () => [
        await samples('h1.safetensors', { augmentation: flip }),
        await samples('h2.safetensors', { augmentation: flip, seed: 1 }),
      ],
      /h1\.safetensors has augmentations of seed 0, .*h2\.safetensors has augmentations of seed 1/,
    ],
    [
      'of classes in another order',
      async () => {
        const a = await samples('i1.safetensors', {})
        return [a, relabelled(a, 'i2.safetensors', { class_names: '["a","c","b"]' })]
      },
      /i1\.safetensors calls class 1 "b", .*i2\.safetensors "c"; compute/,
    ],
  ])('%s are refused', async (_, files, message) => {
    await expect(open('cached-kd', ...(await files()))).rejects.toThrow(message)
  })

  it('of centroids of different data are refused', async () => {
    const [a, b] = [await centroids('j1.safetensors'), await centroids('j2.safetensors', other)]
    await expect(open('embed-kd', a, b)).rejects.toThrow(
      /j1\.safetensors has embeddings of stripes .*, but .*j2\.safetensors has embeddings of dots/,
    )
  })

  it('that say nothing of their data are compared by their rows', async () => {
    const plain = (name: string, count: number) => {
      const file = join(directory, name)
      const rows = hostTensor('float32', [count, 2], new Float32Array(2 * count).fill(1))
      const labels = hostTensor(
        'int32',
        [count],
        Int32Array.from({ length: count }, (_, i) => i % 3),
      )
      writeFileSync(
        file,
        formatSafetensors(
          new Map<string, HostTensor>([
            ['embeddings', rows],
            ['labels', labels],
          ]),
        ),
      )
      return file
    }
    const [a, b] = [plain('k1.safetensors', 12), plain('k2.safetensors', 11)]
    await (await open('cached-kd', a, a)).dispose()
    await expect(open('cached-kd', a, b)).rejects.toThrow(
      /k1\.safetensors has embeddings of 12 images, .*k2\.safetensors has embeddings of 11 images/,
    )
  })
})

describe('parseTeacherSet', () => {
  const weights = (text: string, separator: ',' | '+' = ',') =>
    parseTeacherSet(text, separator).map(({ word, name, weight }) => [word, name, weight])

  it('reads names and weights', () => {
    expect(weights('x/clip.safetensors,dino.v2.safetensors@0.5')).toEqual([
      ['x/clip.safetensors', 'clip', 1],
      ['dino.v2.safetensors', 'dino-v2', 0.5],
    ])
    expect(weights('a.onnx+org/model@main+b.onnx@2', '+')).toEqual([
      ['a.onnx', 'a', 1],
      ['org/model@main', 'model-main', 1],
      ['b.onnx', 'b', 2],
    ])
  })

  it('tells files of one name apart', () => {
    expect(weights('a/x.onnx,b/x.onnx,c/x.onnx').map(([, name]) => name)).toEqual([
      'x',
      'x-2',
      'x-3',
    ])
  })

  it('finds no several teachers in one, even if a path has the separator', () => {
    expect(parseTeacherSet('clip.safetensors@0.5', ',')).toEqual([])
    const file = join(directory, 'a,b.safetensors')
    writeFileSync(file, '')
    expect(parseTeacherSet(file, ',')).toEqual([])
  })

  test.each([
    ['a.onnx,', 'a teacher without a name in "a.onnx,"'],
    ['a.onnx@0,b.onnx', 'the weight of a.onnx is 0; give a number above 0, such as a.onnx@0.5'],
    ['a.onnx@-1,b.onnx', 'the weight of a.onnx is -1'],
    ['a.onnx@1.2.3,b.onnx', 'the weight of a.onnx is 1.2.3'],
  ])('refuses %s', (text, message) => {
    expect(() => parseTeacherSet(text, ',')).toThrow(message)
  })
})
