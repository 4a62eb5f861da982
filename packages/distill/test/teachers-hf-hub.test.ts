// Downloading a checkpoint, from a hub of our own on the loopback interface: what is fetched, resumed, refused, and found offline.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { goldenDirectory } from '@embed-kd/conformance/golden'
import { fetchModel, parseHubId, type FetchOptions } from '../src/node/teachers/hf-hub.js'
import { loadHfTeacher } from '../src/node/teachers/hf.js'
import { resolveTeacher } from '../src/node/teachers/resolve.js'
import { commit, newHub, sha256, startHub, stopHub, type Hub } from './hub.js'

const fetchCheckpoint = (id: string, options: FetchOptions = {}) =>
  fetchModel(parseHubId(id)!, options)

describe('fetchModel', () => {
  let hub: Hub
  let server: Server
  let cache: string

  beforeEach(async () => {
    const file = (name: string) => readFileSync(join(goldenDirectory, 'hf-vit', name))
    const wanted = ['config.json', 'model.safetensors'].map((name) => [name, file(name)] as const)
    const files = new Map<string, Uint8Array>(wanted)
    files.set('README.md', Buffer.from('not needed')).set('pytorch_model.bin', Buffer.from('PK'))
    hub = newHub(files)
    const started = await startHub(hub)
    server = started.server
    cache = mkdtempSync(join(tmpdir(), 'hub-'))
    vi.stubEnv('HF_ENDPOINT', started.address)
    vi.stubEnv('HF_HUB_CACHE', cache)
    vi.stubEnv('HF_HUB_OFFLINE', '')
    vi.stubEnv('HF_TOKEN', '')
    vi.stubEnv('HF_HOME', cache)
    vi.stubEnv('TRANSFORMERS_OFFLINE', '')
    vi.spyOn(console, 'debug').mockImplementation(() => {})
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
    await stopHub(server)
    rmSync(cache, { recursive: true })
  })

  const blobs = () => readdirSync(join(cache, 'models--us--tiny', 'blobs')).sort()

  it('fetches what is needed into the usual cache, once, and finds it offline', async () => {
    const directory = await fetchCheckpoint('us/tiny')
    expect(directory).toBe(join(cache, 'models--us--tiny', 'snapshots', commit))
    expect(readdirSync(directory).sort()).toEqual(['config.json', 'model.safetensors'])
    expect(loadHfTeacher(directory).model.width).toBe(24)

    const downloads = hub.ranges.length
    await fetchCheckpoint('us/tiny')
    expect(hub.ranges).toHaveLength(downloads)

    vi.stubEnv('HF_HUB_OFFLINE', '1')
    const asked = hub.requests
    expect(await fetchCheckpoint('us/tiny')).toBe(directory)
    expect(await fetchCheckpoint(`us/tiny@${commit}`)).toBe(directory)
    expect(hub.requests).toBe(asked)
    await expect(fetchCheckpoint('us/other')).rejects.toThrow('HF_HUB_OFFLINE forbids to download')
  })

  it('resumes where a download broke off', async () => {
    const weights = hub.files.get('model.safetensors')!
    hub.breakAfter = 20_000
    await expect(fetchCheckpoint('us/tiny')).rejects.toThrow('cannot be downloaded from the hub')
    const incomplete = join(cache, 'models--us--tiny', 'blobs', `${sha256(weights)}.incomplete`)
    expect(readFileSync(incomplete)).toEqual(Buffer.from(weights.subarray(0, 20_000)))
    hub.breakAfter = Infinity
    hub.ranges.length = 0
    const directory = await fetchCheckpoint('us/tiny')
    expect(hub.ranges.at(-1)).toBe(`20000-${weights.length}`)
    expect(readFileSync(join(directory, 'model.safetensors'))).toEqual(Buffer.from(weights))
  })

  it('believes nothing whose digest is wrong', async () => {
    const weights = hub.files.get('model.safetensors')!
    const blob = join(cache, 'models--us--tiny', 'blobs', sha256(weights))
    await fetchCheckpoint('us/tiny')
    rmSync(blob)
    writeFileSync(`${blob}.incomplete`, Buffer.alloc(1000, 1))
    await expect(fetchCheckpoint('us/tiny')).rejects.toThrow('the download has the digest')
    expect(existsSync(`${blob}.incomplete`)).toBe(false)
    await fetchCheckpoint('us/tiny')
    expect(blobs()).toContain(sha256(weights))
  })

  it('says why it will not have pickles, and what it could not find', async () => {
    hub.files.delete('model.safetensors')
    await expect(fetchCheckpoint('us/tiny')).rejects.toThrow('pickled weights (.bin) are not read')
    await expect(fetchCheckpoint('us/absent')).rejects.toThrow(
      'there is no directory us/absent, and us/absent cannot be downloaded from the hub (Repository not found',
    )
  })

  it('sends the token that a login has left, and names it nowhere', async () => {
    const told: string[] = []
    writeFileSync(join(cache, 'token'), 'hf_secret\n')
    await fetchCheckpoint('us/tiny', { tell: (line) => told.push(line) })
    expect(hub.authorization).toBe('Bearer hf_secret')
    writeFileSync(join(cache, 'other'), 'hf_other')
    vi.stubEnv('HF_TOKEN_PATH', join(cache, 'other'))
    await fetchCheckpoint('us/tiny')
    expect(hub.authorization).toBe('Bearer hf_other')
    vi.stubEnv('HF_TOKEN', 'hf_given')
    const error: unknown = await fetchCheckpoint('us/absent').catch((e: unknown) => e)
    expect(hub.authorization).toBe('Bearer hf_given')
    expect(`${told.join(' ')}${String(error)}`).not.toMatch(/hf_(secret|other|given)/)
  })

  it('waits as long as a busy hub asks', async () => {
    hub.busy = 2
    const told: string[] = []
    await fetchCheckpoint('us/tiny', { tell: (line) => told.push(line) })
    expect(told.slice(0, 2)).toEqual(Array(2).fill('the hub is busy (503): trying again in 0 s'))
  })

  it('takes what is in the cache if there is no hub', async () => {
    const directory = await fetchCheckpoint('us/tiny')
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9')
    const told: string[] = []
    expect(await fetchCheckpoint('us/tiny', { tell: (line) => told.push(line) })).toBe(directory)
    expect(told[0]).toMatch(/^the hub cannot be reached \(.*\): us\/tiny as it is in the cache$/)
    vi.stubEnv('TRANSFORMERS_OFFLINE', '1')
    expect(await fetchCheckpoint('us/tiny')).toBe(directory)
    await expect(fetchCheckpoint('us/other')).rejects.toThrow('TRANSFORMERS_OFFLINE forbids')
    rmSync(join(directory, 'model.safetensors'))
    await expect(fetchCheckpoint('us/tiny')).rejects.toThrow('is not in the cache')
  })

  it('takes the image encoder of repositories that have ONNX only', async () => {
    hub.files.delete('model.safetensors')
    const fixture = (name: string) => readFileSync(join(import.meta.dirname, 'fixtures/onnx', name))
    for (const name of ['model', 'vision_model_fp16', 'text_model'])
      hub.files.set(`onnx/${name}.onnx`, fixture('plain.onnx'))
    hub.files.set('onnx/vision_model.onnx', fixture('external.onnx'))
    hub.files.set('onnx/other name.bin', fixture('other name.bin'))
    hub.files.set('onnx/unused.bin', Buffer.from('not needed'))
    const resolve = (options: FetchOptions = {}) => resolveTeacher('hf:us/tiny', options)
    const directory = join(cache, 'models--us--tiny', 'snapshots', commit)
    const file = (name: string) => ({ kind: 'onnx', file: join(directory, 'onnx', name) })
    expect(await resolve()).toEqual(file('vision_model.onnx'))
    // The model names the file of its weights.
    expect(readdirSync(join(directory, 'onnx')).sort()).toEqual([
      'other name.bin',
      'vision_model.onnx',
    ])
    expect(await resolve({ onnxFile: 'fp16' })).toEqual(file('vision_model_fp16.onnx'))
    expect(await resolve({ onnxFile: 'text_model.onnx' })).toEqual(file('text_model.onnx'))
    expect(
      await resolveTeacher('https://huggingface.co/us/tiny/blob/main/onnx/model.onnx'),
    ).toEqual(file('model.onnx'))
    await expect(resolve({ onnxFile: 'q4' })).rejects.toThrow(
      'has no ONNX file q4; choose one with --onnx-file: onnx/model.onnx, onnx/text_model.onnx,',
    )
  })

  it('believes no digest that is a path', async () => {
    hub.digest = '../../../escaped'
    await expect(fetchCheckpoint('us/tiny')).rejects.toThrow(
      'the hub gives "../../../escaped" as the digest of config.json, which is none',
    )
  })

  it.each<[string, object | undefined]>([
    ['a/b', { name: 'a/b', revision: 'main' }],
    ['a.b/c-d@v1', { name: 'a.b/c-d', revision: 'v1' }],
    ['hf:a/b', { name: 'a/b', revision: 'main' }],
    ['hf://a/b@refs/pr/1', { name: 'a/b', revision: 'refs/pr/1' }],
    ['https://huggingface.co/a/b', { name: 'a/b', revision: 'main' }],
    ['https://huggingface.co/a/b/', { name: 'a/b', revision: 'main' }],
    ['hf.co/a/b/tree/dev', { name: 'a/b', revision: 'dev' }],
    [
      'https://huggingface.co/a/b/blob/main/onnx/model_fp16.onnx?x=1',
      { name: 'a/b', revision: 'main', file: 'onnx/model_fp16.onnx' },
    ],
    ['a', undefined],
    ['./a/b', undefined],
    ['/a/b', undefined],
    ['a/b/c', undefined],
    ['a/b.onnx@', undefined],
    ['a/b@../../x', undefined],
  ])('reads %s', (id, expected) => expect(parseHubId(id)).toEqual(expected))
})
