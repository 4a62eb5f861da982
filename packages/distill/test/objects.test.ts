// Object storage against a small store on loopback: data sets and embeddings are read from it, embeddings are written to it, and
// whatever is killed, broken off or changed meanwhile leaves nothing that is half there.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import type { Store } from '../src/embeddings/store.js'
import { loadDataset } from '../src/node/data/registry.js'
import { SampleStore } from '../src/node/embeddings/samples.js'
import { expandRanges, parseAddress } from '../src/node/objects/address.js'
import { loadSdk } from '../src/node/objects/client.js'
import { mirrorDirectory, mirrorEmbeddings } from '../src/node/objects/mirror.js'
import { ObjectStore } from '../src/node/objects/store.js'
import { embed } from '../src/node/run/embed.js'
import { digestFiles } from '../src/node/teachers/checkpoint.js'
import { S3Server } from './s3-server.js'
import { tarOf } from './tar-of.js'
import { temporaryDirectory } from './temporary.js'

const server = new S3Server()
const before = { ...process.env }
const directory = temporaryDirectory()
const at = (...path: string[]) => join(directory, ...path)

beforeAll(async () => {
  process.env.XDG_CACHE_HOME = at('cache')
  await server.start(['data', 'runs'])
})
afterAll(() => {
  server.stop()
  process.env = before
})
beforeEach(() => {
  server.requests.length = 0
  server.before = () => {}
  server.breakAfter = Infinity
})

const requestsOf = (method: string) =>
  server.requests.filter((request) => request.startsWith(`${method} `))

/** Bytes that an upload sends in three parts. */
const LARGE = 40 * 2 ** 20
function largeFile(): string {
  const file = at('large.bin')
  writeFileSync(file, Buffer.concat([randomBytes(2 ** 20), Buffer.alloc(LARGE - 2 ** 20, 7)]))
  return file
}

describe('addresses', () => {
  it('name a bucket and a key', () => {
    expect(parseAddress('s3://data/a/b.tar')).toEqual({ bucket: 'data', key: 'a/b.tar' })
    expect(parseAddress('s3://data')).toEqual({ bucket: 'data', key: '' })
    expect(() => parseAddress('s3:///a')).toThrow('names no bucket; give an address such as')
  })

  it('stand for numbered objects', () => {
    expect(expandRanges('s3://data/train-{008..010}.tar')).toEqual(
      ['008', '009', '010'].map((n) => `s3://data/train-${n}.tar`),
    )
    expect(expandRanges('s3://data/{1..2}/{0..1}')).toHaveLength(4)
    expect(() => expandRanges('s3://data/{3..2}')).toThrow('{3..2} stands for 0 objects')
  })
})

it('says what to install if the client is missing', () => {
  expect(() => loadSdk([])).toThrow(
    'addresses that begin with s3:// need @aws-sdk/client-s3, which is not installed; run npm install @aws-sdk/client-s3',
  )
})

describe('an upload', { timeout: 60_000 }, () => {
  const address = { bucket: 'runs', key: 'large.bin' }

  it('whose process is killed leaves no object, and is made whole by the next', async () => {
    const file = largeFile()
    const stopped = new Promise<void>((resolve) => {
      server.before = (request) => {
        const parts = requestsOf('PUT').filter((each) => each.endsWith('?partNumber'))
        if (!request.endsWith('?partNumber') || parts.length < 3) return undefined
        resolve()
        return new Promise(() => {})
      }
    })
    const store = fileURLToPath(new URL('../dist/node/objects/store.js', import.meta.url))
    const upload = `import { ObjectStore } from ${JSON.stringify(store)}
      await new ObjectStore().upload(${JSON.stringify(file)}, ${JSON.stringify(address)})`
    const child = spawn(process.execPath, ['--input-type=module', '-e', upload], {
      stdio: 'inherit',
    })
    await stopped
    child.kill('SIGKILL')
    await new Promise((resolve) => child.on('exit', resolve))
    expect(server.objects.size).toBe(0)
    expect(server.uploads.size).toBe(1)

    server.before = () => {}
    const again = new ObjectStore()
    await again.upload(file, address)
    expect(server.uploads.size).toBe(0)
    const { bytes, sha256 } = server.objects.get('runs/large.bin')!
    expect(bytes.equals(readFileSync(file))).toBe(true)
    expect(sha256).toBe(await digestFiles([file]))
  })

  it('that fails removes its parts', async () => {
    server.objects.clear()
    server.before = (request) => {
      if (request.startsWith('POST runs/large.bin?uploadId')) server.uploads.clear()
    }
    const store = new ObjectStore()
    await expect(store.upload(largeFile(), address)).rejects.toThrow(
      's3://runs/large.bin: there is no such object',
    )
    expect(server.objects.size).toBe(0)
    expect(requestsOf('DELETE')).toEqual(['DELETE runs/large.bin?uploadId'])
  })
})

describe('copies of objects', () => {
  const files = ['a/1.txt', 'a/2.txt', 'b/1.txt', 'b/2.txt', 'b/c/3.txt']
  const list = (path: string) =>
    readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
      .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
      .toSorted()

  beforeEach(() => {
    server.objects.clear()
    for (const name of files) server.put(`data/set/${name}`, name.repeat(50))
    server.put('data/set-of-others/x.txt', 'x')
  })

  it('are made once, and follow the objects', async () => {
    const copy = () => mirrorDirectory('s3://data/set/')
    const path = await copy()
    expect(list(path)).toEqual(files)
    expect(readFileSync(join(path, 'b/c/3.txt'), 'utf8')).toBe('b/c/3.txt'.repeat(50))

    server.requests.length = 0
    expect(await copy()).toBe(path)
    expect(requestsOf('GET').filter((each) => !each.endsWith('?list-type'))).toEqual([])

    server.put('data/set/a/1.txt', 'A/1.TXT'.repeat(50))
    for (const name of ['b/1.txt', 'b/2.txt', 'b/c/3.txt'])
      server.objects.delete(`data/set/${name}`)
    await copy()
    expect(requestsOf('GET')).toContain('GET data/set/a/1.txt')
    expect(readdirSync(path).filter((name) => !name.startsWith('.'))).toEqual(['a'])
    expect(readFileSync(join(path, 'a/1.txt'), 'utf8')).toBe('A/1.TXT'.repeat(50))
  })

  it('are continued where a connection broke off', async () => {
    server.breakAfter = 200
    const path = await mirrorDirectory('s3://data/set/b')
    expect(list(path)).toEqual(['1.txt', '2.txt', 'c/3.txt'])
    expect(requestsOf('GET').filter((each) => each.endsWith('c/3.txt'))).toHaveLength(3)
    expect(readFileSync(join(path, 'c/3.txt'), 'utf8')).toBe('b/c/3.txt'.repeat(50))
  })

  it('are refused if they are damaged, or no files below the directory', async () => {
    server.put('data/damaged/x.txt', 'x', 'another digest')
    for (let attempt = 0; attempt < 2; attempt++)
      await expect(mirrorDirectory('s3://data/damaged')).rejects.toThrow(
        's3://data/damaged/x.txt is damaged: its SHA-256 is not another digest',
      )
    for (const key of ['../x.txt', 'a//x.txt', '.objects.json', 'a\\x.txt']) {
      server.objects.clear()
      server.objects.set(`data/odd/${key}`, {
        bytes: Buffer.alloc(1),
        etag: '"1"',
        modified: new Date(),
        sha256: undefined,
      })
      await expect(mirrorDirectory('s3://data/odd')).rejects.toThrow('is no path of a file')
    }
  })

  it('are not continued once one has failed', async () => {
    for (let i = 0; i < 30; i++) server.put(`data/damaged-${i}/x.txt`, 'x', 'another digest')
    await expect(mirrorDirectory('s3://data/damaged-{0..29}/x.txt')).rejects.toThrow('is damaged')
    expect(requestsOf('GET').length).toBeLessThan(10)
  })

  it.each([
    ['s3://data/none', 's3://data/none: there are no objects; check the address'],
    ['s3://nobody/x', 's3://nobody/x/: there is no such bucket'],
    ['s3://data/set/a/{1..3}.txt', 's3://data/set/a/3.txt: there is no such object'],
  ])('of nothing are an error: %s', async (text, message) => {
    await expect(mirrorDirectory(text)).rejects.toThrow(message)
  })
})

describe('embeddings', { timeout: 60_000 }, () => {
  const teacher = fileURLToPath(new URL('fixtures/onnx/scores.onnx', import.meta.url))
  const shards = ['train-000.tar', 'train-001.tar', 'test-000.tar']

  async function shard(first: number): Promise<Buffer> {
    const members: Record<string, Uint8Array> = {}
    for (let i = first; i < first + 6; i++) {
      const background = { r: 40 * (i % 3), g: 9 * i, b: 20 }
      const image = sharp({ create: { width: 8, height: 8, channels: 3, background } })
      members[`${i}.png`] = await image.png().toBuffer()
      members[`${i}.cls`] = Buffer.from(`${i % 2}`)
    }
    return tarOf(members)
  }

  it('of shards in a store are written to it as shards, once, and read from it', async () => {
    mkdirSync(at('local'))
    for (const [i, name] of shards.entries()) {
      const tar = await shard(6 * i)
      writeFileSync(at('local', name), tar)
      server.put(`data/photos/${name}`, tar)
    }
    const dataset = await loadDataset('webdataset:s3://data/photos/')
    const local = await loadDataset(`webdataset:${at('local')}`)
    expect(dataset.name).toBe('webdataset:s3://data/photos')
    expect([dataset.digest, dataset.train.count]).toEqual([local.digest, 12])

    const make = (out: string, index: number) =>
      embed({ teacher, dataset, kind: 'samples', out, shard: { index, count: 2 } })
    const out = 's3://runs/photos/e.safetensors'
    const made = await make(out, 1)
    expect(made).toMatchObject({ file: 's3://runs/photos/e-00001-of-00002.safetensors', images: 6 })
    expect(await make(out, 1)).toMatchObject({ images: 0, bytes: made.bytes })
    expect(requestsOf('PUT')).toEqual(['PUT runs/photos/e-00001-of-00002.safetensors'])

    await expect(mirrorEmbeddings(out).then(SampleStore.open)).rejects.toThrow('of the 2 shards of')
    await make(out, 2)
    for (const index of [1, 2]) {
      const { file } = await make(at('e.safetensors'), index)
      const { bytes, sha256 } = server.objects.get(`runs/photos/${basename(file)}`)!
      expect(bytes.equals(readFileSync(file))).toBe(true)
      expect(sha256).toBe(await digestFiles([file]))
    }
    const store = SampleStore.open(await mirrorEmbeddings(out))
    store.requireDataset(dataset)
    store.close()
  })

  it('of other settings under the same name are made again', async () => {
    const dataset = await loadDataset('webdataset:s3://data/photos/')
    const out = 's3://runs/other/e.safetensors'
    const make = (store: Store) => embed({ teacher, dataset, kind: 'samples', out, store })
    expect(await make('float32')).toMatchObject({ images: 12 })
    expect(await make('float16')).toMatchObject({ images: 12 })
    expect(await make('float16')).toMatchObject({ images: 0 })
  })
})
