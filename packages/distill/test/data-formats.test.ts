// Each format from files made here, and every way they can be wrong.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'

import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { pixelsOf } from './pixels-of.js'
import { planeResize } from '../src/node/data/resize.js'
import { loadDataset } from '../src/node/data/registry.js'
import { temporaryDirectory } from './temporary.js'

let directory = ''
beforeEach(() => {
  directory = temporaryDirectory()
  vi.stubEnv('XDG_CACHE_HOME', temporaryDirectory())
})
afterEach(() => void vi.unstubAllEnvs())

type Files = Record<string, Uint8Array | string>

function write(files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
}

function idx(shape: number[], elements: ArrayLike<number>, magic = 0x0800 | shape.length) {
  const bytes = new Uint8Array(4 + 4 * shape.length + elements.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, magic)
  for (const [axis, size] of shape.entries()) view.setUint32(4 + 4 * axis, size)
  bytes.set(elements, 4 + 4 * shape.length)
  return bytes
}

const counting = (length: number, start = 0) => Uint8Array.from({ length }, (_, i) => start + i)

const trainImages = 'train-images-idx3-ubyte'
const trainLabels = 'train-labels-idx1-ubyte'
const testImages = 't10k-images-idx3-ubyte'
const testLabels = 't10k-labels-idx1-ubyte'

const smallIdx = {
  [trainImages]: idx([3, 2, 2], counting(12)),
  [trainLabels]: idx([3], [1, 0, 2]),
  [testImages]: idx([1, 2, 2], counting(4, 100)),
  [testLabels]: idx([1], [2]),
}

describe('idx', () => {
  it('reads images and labels', async () => {
    write(smallIdx)
    const data = await loadDataset(`idx:${directory}`)
    expect(data).toMatchObject({ classes: 3, channels: 1, height: 2, width: 2 })
    expect(data.classNames).toBeUndefined()
    expect(data.train).toEqual({
      images: counting(12),
      labels: Int32Array.of(1, 0, 2),
      count: 3,
    })
    expect(data.test).toEqual({ images: counting(4, 100), labels: Int32Array.of(2), count: 1 })
  })

  it('has one digest, compressed or not, and another for other data', async () => {
    write(smallIdx)
    const plain = await loadDataset(`idx:${directory}`)
    for (const [name, bytes] of Object.entries(smallIdx)) {
      rmSync(join(directory, name))
      write({ [`${name}.gz`]: gzipSync(bytes) })
    }
    const compressed = await loadDataset(`idx:${directory}`)
    expect(compressed).toEqual(plain)
    write({ [testLabels]: idx([1], [1]) })
    expect((await loadDataset(`idx:${directory}`)).digest).not.toBe(plain.digest)
  })

  const gzipped = gzipSync(smallIdx[trainImages]!)
  const failures: [string, Files, string, RegExp][] = [
    ['an empty file', { [testLabels]: '' }, testLabels, /it is empty \(0 bytes\)/],
    ['a web page', { [testImages]: '<!DOCTYPE html>' }, testImages, /it is a web page/],
    [
      'labels for images',
      { [trainImages]: smallIdx[trainLabels]! },
      trainImages,
      /starts with 0x00000801, where an IDX file of images starts with 0x00000803/,
    ],
    [
      'images for labels',
      { [trainLabels]: smallIdx[trainImages]! },
      trainLabels,
      /starts with 0x00000803, where an IDX file of labels starts with 0x00000801/,
    ],
    ['text', { [trainImages]: 'not an IDX file at all' }, trainImages, /starts with 0x6e6f7420/],
    [
      'truncated images',
      { [trainImages]: smallIdx[trainImages]!.subarray(0, 20) },
      trainImages,
      /it is truncated: it says 3x2x2, which is 12 bytes, but 4 follow/,
    ],
    [
      'more than it says',
      { [trainLabels]: idx([2], [0, 1, 2]) },
      trainLabels,
      /it says 2, which is 2 bytes, but 3 follow/,
    ],
    [
      'a shape beyond memory',
      { [trainImages]: idx([0xffffffff, 0xffffffff, 0xffffffff], []) },
      trainImages,
      /truncated/,
    ],
    [
      'counts that disagree',
      { [trainLabels]: idx([2], [0, 1]) },
      trainLabels,
      /2 labels for the 3 images of .*train-images/,
    ],
    [
      'no images',
      { [trainImages]: idx([0, 2, 2], []), [trainLabels]: idx([0], []) },
      trainImages,
      /no pixels \(0x2x2\)/,
    ],
    [
      'sizes that disagree',
      { [testImages]: idx([1, 1, 4], counting(4)) },
      testImages,
      /images are 1x4, those of .*train-images-idx3-ubyte 2x2/,
    ],
    [
      'a test label that is no class',
      { [testLabels]: idx([1], [3]) },
      testLabels,
      /the label of image 0 is 3, but there are 3 classes, 0 to 2/,
    ],
    [
      'damaged gzip',
      { [`${trainImages}.gz`]: gzipped.subarray(0, gzipped.length - 9) },
      `${trainImages}.gz`,
      /gzip data is damaged/,
    ],
  ]

  it.each(failures)('refuses %s', async (_, files, culprit, cause) => {
    write(smallIdx)
    if (culprit.endsWith('.gz')) rmSync(join(directory, trainImages))
    write(files)
    const error = await loadDataset(`idx:${directory}`).catch((e: unknown) => e as Error)
    expect(error).toMatchObject({ name: 'DatasetError', message: expect.stringMatching(cause) })
    expect((error as Error).message.startsWith(join(directory, culprit))).toBe(true)
    expect((error as Error).message).toMatch(/; (give|check|download) /)
  })

  it('refuses a directory that is not there, or not one, or without the files', async () => {
    const missing = join(directory, 'missing')
    await expect(loadDataset(`idx:${missing}`)).rejects.toThrow(
      `${missing}: there is no such directory, and no IDX files whose names begin like this; give`,
    )
    write({ file: '' })
    await expect(loadDataset(`idx:${directory}/file/x`)).rejects.toThrow(/part of the path is not/)
    await expect(loadDataset(`idx:${directory}`)).rejects.toThrow(
      /there are no IDX files in it \(train-images-idx3-ubyte …\); it has file; give/,
    )
  })
})

/** CIFAR records: label bytes, then 3072 pixels that are all `fill`. */
const records = (...of: { label: number[]; fill: number }[]) =>
  Buffer.concat(
    of.map(({ label, fill }) => Buffer.from([...label, ...new Uint8Array(3072).fill(fill)])),
  )

describe('cifar', () => {
  const cifar10: Files = {
    ...Object.fromEntries(
      [1, 2, 3, 4, 5].map((i) => [
        `data_batch_${i}.bin`,
        records({ label: [i - 1], fill: i }, { label: [i + 4], fill: 10 * i }),
      ]),
    ),
    'test_batch.bin': records({ label: [7], fill: 77 }),
  }

  it('reads CIFAR-10, batch after batch', async () => {
    write({ ...cifar10, 'batches.meta.txt': 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n' })
    const data = await loadDataset(`cifar10:${directory}`)
    expect(data).toMatchObject({ classes: 10, channels: 3, height: 32, width: 32 })
    expect(data.classNames?.join('')).toBe('abcdefghij')
    expect([...data.train.labels]).toEqual([0, 5, 1, 6, 2, 7, 3, 8, 4, 9])
    const pixels = await pixelsOf(data, 'train')
    const fills = Array.from({ length: 10 }, (_, i) => pixels[i * 3072 + 3071])
    expect(fills).toEqual([1, 10, 2, 20, 3, 30, 4, 40, 5, 50])
    expect(data.test.images).toEqual(new Uint8Array(3072).fill(77))
    expect(data.test.labels).toEqual(Int32Array.of(7))
  })

  it('reads the fine labels of CIFAR-100', async () => {
    const labels = Array.from({ length: 100 }, (_, i) => 99 - i)
    write({
      'train.bin': records(...labels.map((fine) => ({ label: [fine % 20, fine], fill: fine }))),
      'test.bin': records({ label: [0, 50], fill: 3 }),
    })
    const data = await loadDataset(`cifar100:${directory}`)
    expect(data.classes).toBe(100)
    expect([...data.train.labels]).toEqual(labels)
    const pixels = await pixelsOf(data, 'train')
    expect([pixels[0], pixels[3072]]).toEqual([99, 98])
  })

  const failures: [string, Files, string, RegExp][] = [
    [
      'a truncated batch',
      { 'data_batch_3.bin': Buffer.alloc(3072) },
      'data_batch_3.bin',
      /3072 bytes are not a whole number of 3073-byte records/,
    ],
    ['an empty split', { 'test_batch.bin': '' }, 'test_batch.bin', /it is empty/],
    [
      'a label that is no class',
      { 'data_batch_2.bin': records({ label: [0], fill: 1 }, { label: [10], fill: 1 }) },
      'data_batch_2.bin',
      /label of image 1 is 10, but there are 10 classes/,
    ],
    [
      'too few class names',
      { 'batches.meta.txt': 'airplane\n' },
      'batches.meta.txt',
      /1 names for 10 classes/,
    ],
  ]

  it.each(failures)('refuses %s', async (_, files, culprit, cause) => {
    write({ ...cifar10, ...files })
    const error = await loadDataset(`cifar10:${directory}`).catch((e: unknown) => e as Error)
    expect(error).toMatchObject({ name: 'DatasetError', message: expect.stringMatching(cause) })
    expect((error as Error).message.startsWith(join(directory, culprit))).toBe(true)
  })

  it('refuses a directory without the files, saying which archive has them', async () => {
    await expect(loadDataset(`cifar100:${directory}`)).rejects.toThrow(
      /there is no train\.bin in it, nor .*; it is empty; .*cifar-100-binary\.tar\.gz/,
    )
  })
})

describe('images', () => {
  /** A PNG of one colour. */
  const png = (colour: readonly number[], height = 2, width = 3) =>
    sharp(Buffer.from(Array.from({ length: height * width }, () => colour).flat()), {
      raw: { height, width, channels: colour.length as 1 | 2 | 3 | 4 },
    })
      .png()
      .toBuffer()

  const small = async (): Promise<Files> => ({
    'train/cat/b.png': await png([1, 2, 3]),
    'train/cat/a.PNG': await png([9]),
    'train/dog/a.png': await png([4, 5, 6, 7]),
    'test/dog/z.png': await png([7, 8, 9]),
  })

  it('reads classes and files in the order of their names, all as RGB planes', async () => {
    write({ ...(await small()), 'train/.hidden/x.png': 'x' })
    const data = await loadDataset(`images:${directory}`)
    expect(data).toMatchObject({ classes: 2, channels: 3, height: 2, width: 3 })
    expect(data.classNames).toEqual(['cat', 'dog'])
    expect([...data.train.labels]).toEqual([0, 0, 1])
    const pixels = await pixelsOf(data, 'train')
    const planes = Array.from({ length: 9 }, (_, plane) => pixels[6 * plane])
    expect(planes).toEqual([9, 9, 9, 1, 2, 3, 4, 5, 6])
    expect(await pixelsOf(data, 'test')).toEqual(
      Uint8Array.from([7, 8, 9].flatMap((v) => Array(6).fill(v) as number[])),
    )
    expect([...data.test.labels]).toEqual([1])
  })

  it('keeps the place of every pixel', async () => {
    const pixels = counting(18)
    const file = await sharp(Buffer.from(pixels), { raw: { height: 2, width: 3, channels: 3 } })
      .png()
      .toBuffer()
    write({ 'train/a/x.png': file, 'train/b/x.png': file, 'test/a/x.png': file })
    const data = await loadDataset(`images:${directory}`)
    const planar = [0, 1, 2].flatMap((channel) => [0, 3, 6, 9, 12, 15].map((at) => at + channel))
    expect([...(await pixelsOf(data, 'test'))]).toEqual(planar)
  })

  it('refuses sizes that differ, unless it is told a size', async () => {
    write({ ...(await small()), 'train/dog/a.png': await png([4, 5, 6], 4, 4) })
    await expect(loadDataset(`images:${directory}`)).rejects.toThrow(
      /train\/dog\/a\.png: it is 4x4, but .*train\/cat\/a\.PNG is 2x3; give a size .*--data-size/,
    )
    const data = await loadDataset(`images:${directory}`, { imageSize: 5 })
    expect(data).toMatchObject({ height: 5, width: 5 })
    const pixels = await pixelsOf(data, 'train')
    const planes = Array.from({ length: 9 }, (_, plane) => pixels[25 * plane + 24])
    expect(planes).toEqual([9, 9, 9, 1, 2, 3, 4, 5, 6])
  })

  it('are resized as PyTorch does it (data-resize.test.ts), to the nearest whole level', async () => {
    const pixels = Uint8Array.from({ length: 28 * 28 * 3 }, (_, i) => (i * i * 31 + (i >> 2)) % 256)
    const file = await sharp(pixels, { raw: { height: 28, width: 28, channels: 3 } })
      .png()
      .toBuffer()
    write({ 'train/a/x.png': file, 'train/b/x.png': file, 'test/a/x.png': file })
    const data = await loadDataset(`images:${directory}`, { imageSize: 20 })
    const resize = planeResize({ height: 28, width: 28 }, { height: 20, width: 20 })
    const expected = [0, 1, 2].flatMap((channel) => {
      const plane = Float32Array.from({ length: 784 }, (_, i) => pixels[3 * i + channel]!)
      const resized = new Float32Array(400)
      resize(plane, 0, resized, 0)
      return Array.from(resized, Math.round)
    })
    expect([...(await pixelsOf(data, 'test'))]).toEqual(expected)
  })

  it('refuses a test image that differs from the training images', async () => {
    write({ ...(await small()), 'test/dog/z.png': await png([1, 2, 3], 3, 2) })
    await expect(loadDataset(`images:${directory}`)).rejects.toThrow(
      /z\.png: it is 3x2, but .*train/,
    )
  })

  it('ends at a corrupt file, or skips it with a warning', async () => {
    const files = await small()
    const whole = files['train/dog/a.png'] as Uint8Array
    const jpeg = await sharp(whole).jpeg().toBuffer()
    write({
      ...files,
      'train/cat/0.png': 'no image',
      'train/cat/aa.png': '',
      'train/dog/a0.png': whole.subarray(0, 50),
      'train/dog/a1.jpg': jpeg.subarray(0, jpeg.length - 9),
      'train/dog/notes.txt': 'about dogs',
    })
    await expect(loadDataset(`images:${directory}`)).rejects.toThrow(
      /train\/cat\/0\.png: it cannot be decoded \(.*\); repair or remove it, or have such images skipped/,
    )
    const warnings: string[] = []
    const skipping = await loadDataset(`images:${directory}`, {
      corrupt: 'skip',
      warn: (message) => warnings.push(message.replace(`${directory}/`, '')),
    })
    expect(warnings.map((warning) => warning.replace(/\(.*\)/, '()'))).toEqual([
      'train: 1 file in class folders ignored: 1 .txt',
      'train/cat/0.png: it cannot be decoded (); skipped',
      'train/cat/aa.png: it cannot be decoded (); skipped',
      'train/dog/a0.png: it cannot be decoded (); skipped',
      'train/dog/a1.jpg: it cannot be decoded (); skipped',
      '4 of 7 images cannot be decoded, and were skipped',
    ])
    for (const name of ['cat/0.png', 'cat/aa.png', 'dog/a0.png', 'dog/a1.jpg'])
      rmSync(join(directory, 'train', name))
    expect(skipping.digest).toBe((await loadDataset(`images:${directory}`)).digest)
  })

  const failures: [string, string[], Files, RegExp][] = [
    [
      'no class',
      ['train/cat', 'train/dog'],
      {},
      /: there is no training split in it, only a test split/,
    ],
    [
      'no images',
      ['train/cat', 'train/dog', 'test/dog'],
      { 'train/cat/readme.txt': '' },
      /\/train: there is no image in it .* have 1 \.txt/,
    ],
    [
      'a class of the test split alone',
      [],
      { 'test/fish/a.png': '' },
      /test\/fish: there is no class of that name in the training split, which has "cat", "dog"/,
    ],
  ]

  it.each(failures)('refuses %s', async (_, removed, added, message) => {
    write(await small())
    for (const path of removed) rmSync(join(directory, path), { recursive: true })
    write(added)
    await expect(loadDataset(`images:${directory}`)).rejects.toThrow(message)
  })

  it('refuses images none of which can be decoded', async () => {
    write({ ...(await small()), 'test/dog/z.png': 'no image' })
    await expect(loadDataset(`images:${directory}`, { corrupt: 'skip' })).rejects.toThrow(
      /\/test: there is no image that can be decoded/,
    )
  })
})
