// Where what took long to make of a data set is kept for the next time: decoded images in one file, downloads as they came. Nothing
// here is needed: remove the directory, and it is made again.

import { createHash, randomUUID } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

import { createDataset, pixelArray, type Dataset } from './dataset.js'

/** `embed-kd` in the user's cache directory (XDG Base Directory Specification). */
export const defaultCacheDirectory = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'embed-kd')

/**
 * The data set that `load` gives, decoded once: as long as no file below `directory` changes its size or time, the next call reads the
 * pixels from the cache. Warnings are repeated.
 * @param settings what the result depends on besides the files.
 */
export async function decodedOnce(
  cache: string,
  directory: string,
  name: string,
  settings: readonly unknown[],
  load: (warn: (message: string) => void) => Promise<Dataset>,
  warn: (message: string) => void,
): Promise<Dataset> {
  const key = createHash('sha256').update(
    JSON.stringify([1, resolve(directory), settings, ...filesBelow(directory)]),
  )
  const file = join(cache, `decoded-${key.digest('hex').slice(0, 32)}.bin`)
  const found = readDecoded(file)
  if (found) {
    found.warnings.forEach(warn)
    return { ...found.dataset, name }
  }
  const warnings: string[] = []
  const dataset = await load((message) => {
    warnings.push(message)
    warn(message)
  })
  try {
    writeDecoded(file, dataset, warnings)
  } catch (error) {
    // A full or read-only disk costs time, not the run.
    warn(`${cache}: decoded images cannot be kept (${(error as Error).message})`)
  }
  return dataset
}

function* filesBelow(directory: string): Iterable<[path: string, bytes: number, time: number]> {
  let paths: string[]
  try {
    paths = (readdirSync(directory, { recursive: true }) as string[]).sort()
  } catch {
    // Whoever loads it says what is wrong.
    return
  }
  for (const path of paths) {
    const status = statSync(join(directory, path), { throwIfNoEntry: false })
    if (status?.isFile()) yield [path, status.size, status.mtimeMs]
  }
}

type Facts = Pick<Dataset, 'name' | 'classes' | 'channels' | 'height' | 'width' | 'digest'> & {
  readonly classNames?: readonly string[]
  readonly counts: readonly [train: number, test: number]
  readonly warnings: readonly string[]
}

/** The length of a JSON header, the header, then labels and pixels of both splits. */
function writeDecoded(file: string, dataset: Dataset, warnings: readonly string[]): void {
  const { name, classes, classNames, channels, height, width, digest, train, test } = dataset
  const facts: Facts = {
    name,
    classes,
    channels,
    height,
    width,
    digest,
    warnings,
    ...(classNames ? { classNames } : {}),
    counts: [train.count, test.count],
  }
  const header = Buffer.from(JSON.stringify(facts))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  mkdirSync(join(file, '..'), { recursive: true })
  const unfinished = `${file}.${randomUUID()}.tmp`
  const descriptor = openSync(unfinished, 'w')
  try {
    for (const part of [length, header, train.labels, test.labels, train.images, test.images]) {
      const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
      for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at)
    }
  } catch (error) {
    rmSync(unfinished)
    throw error
  } finally {
    closeSync(descriptor)
  }
  renameSync(unfinished, file)
}

/** Undefined where there is no such file, or its contents are not what its digest says. */
function readDecoded(file: string): { dataset: Dataset; warnings: readonly string[] } | undefined {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch {
    return undefined
  }
  try {
    const size = fstatSync(descriptor).size
    let position = 0
    const take = (
      bytes: number,
      allocate: (bytes: number) => Uint8Array = (n) => new Uint8Array(n),
    ): Uint8Array => {
      if (!(bytes >= 0 && position + bytes <= size)) throw new Error('it is truncated')
      const part = allocate(bytes)
      for (let at = 0; at < bytes;) {
        // One read gives at most 2 GiB.
        const count = readSync(descriptor, part, at, Math.min(bytes - at, 2 ** 30), position + at)
        if (count === 0) throw new Error('it is truncated')
        at += count
      }
      position += bytes
      return part
    }
    const length = Number(Buffer.from(take(8).buffer).readBigUInt64LE())
    const { counts, warnings, digest, ...facts } = JSON.parse(
      Buffer.from(take(length).buffer).toString(),
    ) as Facts
    const labels = counts.map((count) => new Int32Array(take(4 * count).buffer))
    const area = facts.channels * facts.height * facts.width
    const [train, test] = counts.map((count, i) => ({
      labels: labels[i]!,
      images: take(count * area, pixelArray),
      count,
    }))
    const dataset = createDataset({ ...facts, train: train!, test: test! })
    return dataset.digest === digest ? { dataset, warnings } : undefined
  } catch {
    return undefined
  } finally {
    closeSync(descriptor)
  }
}
