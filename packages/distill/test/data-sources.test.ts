// Where data sets come from besides files in place: parquet tables of the Hugging Face Hub, the official CIFAR archives (from a
// server of our own), and the cache of decoded images.
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'

import { parquetWriteBuffer } from 'hyparquet-writer'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { BackgroundBatches } from '../src/node/data/background.js'
import { fetchArchive } from '../src/node/data/cifar-download.js'
import { fetchIdxFiles } from '../src/node/data/mnist-download.js'
import { loadDataset, type DatasetOptions } from '../src/node/data/registry.js'
import { wholeSplit } from '../src/node/data/subsets.js'
import { describeError } from '@embed-kd/core'
import { pixelsOf } from './pixels-of.js'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sources-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const write = (path: string, bytes: Uint8Array | string): string => {
  const file = join(directory, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, bytes)
  return file
}

const png = (red: number, side = 2): Promise<Buffer> =>
  sharp({ create: { width: side, height: side, channels: 3, background: { r: red, g: 7, b: 9 } } })
    .png()
    .toBuffer()

describe('parquet', () => {
  /** A table as the datasets library writes it: a struct of bytes and path, a class number, and its names. */
  const table = async (
    reds: readonly number[],
    labels: readonly number[],
    { image = 'image', label = 'label', names = ['cat', 'dog'] as string[] | null } = {},
  ): Promise<Uint8Array> => {
    const images = await Promise.all(reds.map((red) => png(red)))
    const info = { info: { features: { [label]: { names, _type: 'ClassLabel' } } } }
    return new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          {
            name: image,
            data: images.map((bytes, i) => ({ bytes: new Uint8Array(bytes), path: `${i}.png` })),
          },
          { name: label, data: labels.map(BigInt) },
        ],
        schema: [
          { name: 'root', num_children: 2 },
          { name: image, num_children: 2, repetition_type: 'OPTIONAL' },
          { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
          { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
          { name: label, type: 'INT64', repetition_type: 'OPTIONAL' },
        ],
        // Images are read by groups.
        rowGroupSize: 2,
        ...(names ? { kvMetadata: [{ key: 'huggingface', value: JSON.stringify(info) }] } : {}),
      }),
    )
  }
  const load = (options: DatasetOptions = {}) =>
    loadDataset(`parquet:${directory}/d`, { cache: join(directory, 'cache'), ...options })

  it('reads images, labels and class names, shard after shard', async () => {
    write('d/data/train-00000-of-00002.parquet', await table([10, 20], [1, 0]))
    write('d/data/train-00001-of-00002.parquet', await table([30], [1]))
    write('d/data/test-00000-of-00001.parquet', await table([40], [0]))
    const data = await load()
    expect(data).toMatchObject({ classes: 2, classNames: ['cat', 'dog'], channels: 3, height: 2 })
    expect([...data.train.labels]).toEqual([1, 0, 1])
    const pixels = await pixelsOf(data, 'train')
    expect([0, 12, 24].map((at) => pixels[at])).toEqual([10, 20, 30])
    expect([data.test.count, (await pixelsOf(data, 'test'))[0]]).toEqual([1, 40])
  })

  it('knows other names of columns and splits, and does without class names', async () => {
    const other = { image: 'img', label: 'fine_label', names: null }
    write('d/train.parquet', await table([10, 20, 30], [0, 2, 1], other))
    write('d/validation.parquet', await table([40], [2], other))
    const data = await load()
    expect([data.classes, data.classNames]).toEqual([3, undefined])
  })

  it('says what is wrong, where', async () => {
    await expect(load()).rejects.toThrow('there is no such file or directory')
    write('d/train.parquet', await table([10, 20], [0, 1]))
    await expect(load()).rejects.toThrow(
      'there is no test split, and 2 training images are too few',
    )
    write('d/test.parquet', await table([10], [5]))
    await expect(load()).rejects.toThrow('the label of image 0 is 5, but there are 2 classes')
    write('d/test.parquet', await table([10, 20], [-1, 0]))
    await expect(load()).rejects.toThrow('row 0: its label is -1, not a class number')
    write('d/test.parquet', await table([10], [0], { image: 'pixels' }))
    await expect(load()).resolves.toMatchObject({ classes: 2 })
    await expect(load({ imageColumn: 'img' })).rejects.toThrow(
      'it has no column "img"; its columns are pixels, label; name the column of images (--image-column)',
    )
    write('d/test.parquet', 'PAR1 and no more')
    await expect(load()).rejects.toThrow('/d/test.parquet: ')
  })
})

describe('encoded images', () => {
  const folder = async (each = 3) => {
    for (const [label, name] of ['cat', 'dog'].entries())
      for (let i = 0; i < each; i++) {
        write(`d/train/${name}/${i}.png`, await png(10 * i + label, 4))
        write(`d/test/${name}/${i}.png`, await png(100 + 10 * i + label, 4))
      }
    return `images:${directory}/d`
  }
  const cache = () => join(directory, 'cache')
  const warnings: string[] = []
  beforeEach(() => void warnings.splice(0))
  const load = (spec: string, options: DatasetOptions = {}) =>
    loadDataset(spec, { cache: cache(), warn: (message) => warnings.push(message), ...options })

  it('are decoded again only where a file has changed, or what was kept is not whole', async () => {
    const spec = await folder()
    write('d/train/cat/notes.txt', 'about cats')
    const first = await load(spec)
    const kept = readdirSync(cache()).map((file) => join(cache(), file))
    expect(kept).toHaveLength(1)
    const decodedAt = () => statSync(kept[0]!).ino
    const before = decodedAt()
    expect(await load(spec)).toEqual(first)
    expect(decodedAt()).toBe(before)
    expect(warnings.map((warning) => warning.slice(-15))).toEqual([
      'ignored: 1 .txt',
      'ignored: 1 .txt',
    ])
    truncateSync(kept[0]!, 20)
    expect(await load(spec)).toEqual(first)
    expect(decodedAt()).not.toBe(before)
    expect((await load(spec, { imageSize: 1 })).height).toBe(1)
    utimesSync(write('d/train/cat/0.png', await png(77, 4)), 1, 1)
    const changed = await load(spec)
    expect(changed.digest).not.toBe(first.digest)
    expect((await pixelsOf(changed, 'train'))[0]).toBe(77)
    expect(readdirSync(cache())).toHaveLength(3)
  })

  it('are the same where there is no room to keep them decoded, and each is decoded when it is read', async () => {
    const spec = await folder()
    const kept = await load(spec)
    // 12 images of 48 bytes.
    const read = await load(spec, { cacheLimit: 575, cache: join(directory, 'small') })
    expect(readdirSync(join(directory, 'small'))).toEqual([expect.stringMatching(/^survey-/)])
    expect(warnings.at(-1)).toMatch(
      /small: decoded images are not kept \(they take 576 B, and 575 B may be taken \(--cache-limit\)\), so each is decoded whenever/,
    )
    for (const which of ['train', 'test'] as const)
      expect(await pixelsOf(read, which)).toEqual(await pixelsOf(kept, which))
    const facts = ({ train, test, ...rest }: typeof read) => ({
      ...rest,
      labels: [train.labels, test.labels],
      checksums: [train.checksums, test.checksums],
    })
    expect(facts(read)).toEqual(facts(kept))
    const again = await load(spec, { cacheLimit: 575, cache: join(directory, 'small') })
    expect(facts(again)).toEqual(facts(kept))
    write('d/train/dog/1.png', 'no image')
    const input = { channels: 3, height: 4, width: 4, ...read.statistics, fit: 'resize' as const }
    const subset = wholeSplit(read, 'train')
    const augmentation = { flip: false, cropPadding: 0 }
    const batches = new BackgroundBatches({ subset, size: 6, seed: 0, augmentation, input })
    const error = await batches.epoch(0).read(0).catch(describeError)
    expect(error).toMatch(/^error: .*dog\/1\.png: it cannot be decoded/)
    await batches.dispose()
  })

  it('are read as they are where the cache cannot be written', async () => {
    const spec = await folder()
    await load(spec, { cache: join(write('blocked', 'a file'), 'x') })
    expect(warnings.at(-1)).toMatch(/decoded images are not kept \(.*ENOTDIR|EEXIST/)
  })

  it('skip what cannot be decoded, kept or not', async () => {
    const spec = await folder()
    write('d/train/cat/1.png', 'no image')
    write('d/test/dog/0.png', 'no image')
    write('d/train/dog/0.png', '')
    const skipping = { corrupt: 'skip' } as const
    const kept = await load(spec, skipping)
    const told = warnings.slice()
    const facts = async (dataset: typeof kept) => ({
      ...dataset,
      train: [dataset.train.count, dataset.train.labels, await pixelsOf(dataset, 'train')],
      test: [dataset.test.count, dataset.test.labels, await pixelsOf(dataset, 'test')],
    })
    for (const _ of ['decoded', 'known from the survey']) {
      warnings.length = 0
      const read = await load(spec, { ...skipping, cacheLimit: 1, cache: join(directory, 'none') })
      expect(await facts(read)).toEqual(await facts(kept))
      for (const line of told) expect(warnings).toContain(line)
    }
    expect(told.filter((line) => line.endsWith('skipped'))).toHaveLength(5)
  })
})

describe('fetchArchive', () => {
  /** A ustar archive. */
  const tar = (members: Readonly<Record<string, Uint8Array>>): Buffer => {
    const blocks = Object.entries(members).flatMap(([name, bytes]) => {
      const header = Buffer.alloc(512)
      header.write(name)
      header.write(bytes.length.toString(8).padStart(11, '0'), 124)
      header.write('0', 156)
      return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
    })
    return Buffer.concat([...blocks, Buffer.alloc(1024)])
  }
  const noise = Uint8Array.from({ length: 70_000 }, (_, i) => (i * i * 31 + (i >> 3)) % 251)
  const content = gzipSync(
    tar({
      'cifar/train.bin': noise,
      'cifar/../../evil.bin': noise,
      'cifar/test.bin': noise.subarray(0, 9),
    }),
  )
  const md5 = createHash('md5').update(content).digest('hex')
  const archive = { file: 'cifar-x.tar.gz', md5, members: ['train.bin', 'test.bin'] }

  let server: Server
  let url: string
  const ranges: (string | undefined)[] = []
  let breakAfter: number
  beforeEach(async () => {
    ranges.length = 0
    breakAfter = Infinity
    server = createServer((request, response) => {
      ranges.push(request.headers.range)
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
      if (!request.url!.endsWith('cifar-x.tar.gz') || request.url!.includes('gone'))
        return response.writeHead(404).end()
      if (from >= content.length) return response.writeHead(416).end()
      const part = content.subarray(from)
      response.writeHead(from > 0 ? 206 : 200, { 'content-length': part.length })
      if (part.length <= breakAfter) return response.end(part)
      response.write(part.subarray(0, breakAfter))
      // The connection breaks once all that was sent has been kept.
      const partial = join(directory, 'cifar-x.tar.gz.partial')
      const look = setInterval(() => {
        if (statSync(partial, { throwIfNoEntry: false })?.size !== breakAfter) return
        clearInterval(look)
        response.destroy()
      }, 5)
      return response
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(() => new Promise((closed) => server.close(closed)))

  it('downloads once, and writes only the files it knows', async () => {
    const at = await fetchArchive(archive, directory, { url })
    expect(readdirSync(at).sort()).toEqual(['test.bin', 'train.bin'])
    expect(readFileSync(join(at, 'train.bin'))).toEqual(Buffer.from(noise))
    expect(readdirSync(directory)).toEqual(['cifar-x'])
    expect(await fetchArchive(archive, directory, { url })).toBe(at)
    expect(ranges).toEqual([undefined])
  })

  it('resumes where it broke off', async () => {
    breakAfter = 1000
    await expect(fetchArchive(archive, directory, { url })).rejects.toThrow('cannot be downloaded')
    breakAfter = Infinity
    await fetchArchive(archive, directory, { url })
    expect(ranges).toEqual([undefined, 'bytes=1000-'])
  })

  it('believes nothing with another digest', async () => {
    writeFileSync(join(directory, 'cifar-x.tar.gz.partial'), Buffer.alloc(500))
    await expect(fetchArchive(archive, directory, { url })).rejects.toThrow(
      `but must be ${md5}; it was removed`,
    )
    expect(existsSync(join(directory, 'cifar-x.tar.gz.partial'))).toBe(false)
    await expect(
      fetchArchive({ ...archive, members: ['data.bin'] }, directory, { url }),
    ).rejects.toThrow('there is no data.bin in it')
    await expect(
      fetchArchive({ ...archive, file: 'y.tar.gz' }, directory, { url }),
    ).rejects.toThrow('the server says 404')
  })

  it('takes a file from the first mirror that has it, once', async () => {
    const files = { 'cifar-x.tar.gz': md5 }
    const told: string[] = []
    const fetchOnce = () =>
      fetchIdxFiles(
        'x',
        { mirrors: [`${url}/gone/no`, url], files },
        directory,
        'try again',
        (line) => told.push(line.replace(url, '')),
      )
    const at = await fetchOnce()
    expect(readFileSync(join(at, 'cifar-x.tar.gz'))).toEqual(content)
    await fetchOnce()
    expect(told).toEqual(['downloading /gone/no/cifar-x.tar.gz', 'downloading /cifar-x.tar.gz'])
    await expect(
      fetchIdxFiles(
        'y',
        { mirrors: [`${url}/gone/no`], files: { y: md5 } },
        directory,
        'try again',
        () => {},
      ),
    ).rejects.toThrow(/gone\/no\/y: it cannot be downloaded \(the server says 404\); try again/)
  })
})
