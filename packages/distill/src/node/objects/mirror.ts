// Copies objects into the cache, so that everything that reads files reads objects. A copy is made once for as long as the object in
// the store stays the same.
import {
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

import { UserError } from '@embed-kd/core'
import { formatBytes } from '@embed-kd/records/terminal'

import type { DataProgress } from '../data/cache.js'
import { defaultCacheDirectory, removeAbandoned, unfinishedName } from '../data/cache-directory.js'
import { Gate } from '../data/gate.js'
import { walkFiles } from '../data/walk.js'
import { writeJson } from '../files/output-file.js'
import { hashOf } from '../files/tensors.js'
import { expandRanges, formatAddress, parseAddress } from './address.js'
import { endpointOf } from './client.js'
import { ObjectStore, type StoredObject } from './store.js'
import { makeDirectory } from '../files/make-directory.js'

export interface MirrorOptions {
  /** Directory in which copies are kept (default: the user's cache directory). */
  readonly cache?: string | undefined
  readonly warn?: ((message: string) => void) | undefined
  readonly progress?: ((progress: DataProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Objects that are copied at a time. */
const AT_A_TIME = 4
/** File that holds the ETag of each copy; hidden, and so no data. */
const INDEX = '.objects.json'
/** Milliseconds between two writings of that file: copies made since are made again if the process is killed. */
const SAVE_MS = 5000

/**
 * Copies what a directory of a store holds, or a range of objects such as `s3://bucket/train-{000..010}.tar`.
 * @returns the directory of the copies
 * @throws UserError if there is nothing, or no room for it.
 */
export async function mirrorDirectory(text: string, options: MirrorOptions = {}): Promise<string> {
  const store = new ObjectStore()
  const [first, ...more] = expandRanges(text)
  if (more.length === 0) {
    const { bucket, key } = parseAddress(text)
    const prefix = key.replace(/\/*$/, key === '' ? '' : '/')
    const objects = await store.list({ bucket, key: prefix })
    return mirror(store, text, objects, prefix, options)
  }
  const gate = new Gate(AT_A_TIME)
  const objects = await Promise.all(
    [first!, ...more].map((each) =>
      gate.run(1, async () => {
        const found = await store.find(parseAddress(each))
        if (!found) throw new UserError(`${each}: there is no such object`, 'check the range')
        return found
      }),
    ),
  )
  const { key } = parseAddress(text)
  const prefix = key.slice(0, key.lastIndexOf('/', key.indexOf('{')) + 1)
  return mirror(store, text, objects, prefix, options)
}

/** Copies a file of embeddings, or its shards. @returns the path at which the copies are as `text` is in the store */
export async function mirrorEmbeddings(text: string, options: MirrorOptions = {}): Promise<string> {
  const store = new ObjectStore()
  const { bucket, key } = parseAddress(text)
  const stem = key.replace(/\.safetensors$/, '')
  const found = await store.list({ bucket, key: stem })
  const whole = found.filter((object) => object.key === key)
  const shards = found.filter((object) =>
    /^-\d{5}-of-\d{5}\.safetensors$/.test(object.key.slice(stem.length)),
  )
  const objects = whole.length > 0 ? whole : shards
  const prefix = key.slice(0, key.lastIndexOf('/') + 1)
  return join(await mirror(store, text, objects, prefix, options), key.slice(prefix.length))
}

/** Copies a file of records, or all of a directory. @returns the path of the copies */
export async function mirrorRecords(text: string, options: MirrorOptions = {}): Promise<string> {
  const store = new ObjectStore()
  const { bucket, key } = parseAddress(text)
  const isFile = /\.jsonl(\.gz)?$/.test(key)
  const prefix = isFile
    ? key.slice(0, key.lastIndexOf('/') + 1)
    : key.replace(/\/*$/, key === '' ? '' : '/')
  const found = await store.list({ bucket, key: isFile ? key : prefix })
  const objects = found.filter((object) =>
    isFile ? object.key === key : /^[^/]+\.jsonl(\.gz)?$/.test(object.key.slice(prefix.length)),
  )
  return join(
    await mirror(store, text, objects, prefix, options),
    isFile ? key.slice(prefix.length) : '',
  )
}

async function mirror(
  store: ObjectStore,
  text: string,
  objects: readonly StoredObject[],
  prefix: string,
  { cache = defaultCacheDirectory(), warn = () => {}, progress, signal }: MirrorOptions,
): Promise<string> {
  const wanted = new Map<string, StoredObject>()
  for (const object of objects)
    if (!object.key.endsWith('/')) wanted.set(relativeOf(object, prefix), object)
  if (wanted.size === 0)
    throw new UserError(
      `${text}: there are no objects`,
      'check the address, which is a directory or a file',
    )
  const endpoint = endpointOf()
  const directory = join(cache, `s3-${hashOf({ endpoint, text: text.replace(/\/+$/, '') })}`)
  makeDirectory(directory)
  removeAbandoned(cache)
  const index = readIndex(directory)
  for (const { relative } of walkFiles(directory, ''))
    if (!wanted.has(relative)) removeCopy(directory, relative)
  const missing = [...wanted].filter(
    ([relative, { etag, bytes }]) =>
      index[relative] !== etag || sizeOf(join(directory, relative)) !== bytes,
  )
  if (missing.length === 0) return directory
  const bytes = missing.reduce((sum, [, object]) => sum + object.bytes, 0)
  requireRoom(text, directory, bytes)
  warn(
    `${text}: copying ${missing.length} of ${wanted.size} objects, ${formatBytes(bytes)}, to ${directory}`,
  )
  const gate = new Gate(AT_A_TIME)
  const saveIndex = () => writeJson(join(directory, INDEX), index)
  let done = 0
  let saved = Date.now()
  let failure: unknown
  const copy = async ([relative, object]: [string, StoredObject]): Promise<void> => {
    if (failure !== undefined) return
    try {
      signal?.throwIfAborted()
      const file = join(directory, relative)
      const unfinished = join(cache, unfinishedName(`object-${hashOf({ endpoint, ...object })}`))
      await store.download(object, unfinished, signal)
      // The time tells a data set that the file is the same one; where it was copied does not matter.
      utimesSync(unfinished, object.modified, object.modified)
      makeDirectory(dirname(file))
      renameSync(unfinished, file)
      index[relative] = object.etag
      progress?.({ phase: 'copying objects', done: ++done, total: missing.length })
      if (Date.now() - saved < SAVE_MS) return
      saveIndex()
      saved = Date.now()
    } catch (error) {
      failure ??= error
    }
  }
  await Promise.all(missing.map((each) => gate.run(1, () => copy(each))))
  saveIndex()
  if (failure !== undefined) throw failure
  return directory
}

/** Returns the path of an object's copy. @throws UserError if the key is no path below the directory. */
function relativeOf(object: StoredObject, prefix: string): string {
  const relative = object.key.slice(prefix.length)
  const isPath = relative.split('/').every((part) => !['', '.', '..', INDEX].includes(part))
  if (!isPath || /[\\\0]/.test(relative))
    throw new UserError(
      `${formatAddress(object)}: the key ${JSON.stringify(relative)} is no path of a file`,
      'give the object another key',
    )
  return relative
}

function requireRoom(text: string, directory: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(directory)
  if (bytes <= bavail * bsize) return
  throw new UserError(
    `${text}: its objects take ${formatBytes(bytes)}, and ${formatBytes(bavail * bsize)} are free in ${directory}`,
    'set XDG_CACHE_HOME to a larger disk, or give a part of the objects, such as train-{000..010}.tar',
  )
}

/** Removes a copy, and the directories that are empty then: a data set could take them for classes. */
function removeCopy(directory: string, relative: string): void {
  rmSync(join(directory, relative))
  for (let above = dirname(relative); above !== '.'; above = dirname(above))
    if (readdirSync(join(directory, above)).length > 0) return
    else rmdirSync(join(directory, above))
}

function readIndex(directory: string): Record<string, string> {
  try {
    return JSON.parse(readFileSync(join(directory, INDEX), 'utf8')) as Record<string, string>
  } catch {
    return {}
  }
}

const sizeOf = (file: string): number | undefined => statSync(file, { throwIfNoEntry: false })?.size
