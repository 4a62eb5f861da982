// Data sets of encoded images. They are decoded once into a file that is read by position from then on; where there is no room for
// it, each image is decoded whenever it is read. Nothing here is needed: remove the directory, and it is made again.

import { createHash, randomUUID } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

import { formatBytes } from '@embed-kd/records/terminal'
import {
  createDataset,
  DatasetError,
  type Dataset,
  type EncodedImages,
  type ImageFile,
  type Split,
} from './dataset.js'
import {
  decodedChannels,
  decodeImage,
  decodeInOrder,
  type DecodeOptions,
  type Decoded,
  type EncodedSplits,
} from './decode.js'
import { listEncoded } from './encoded.js'
import { PixelStatistics } from './statistics.js'
import { readFully } from './stored.js'

/** `embed-kd` in the user's cache directory (XDG Base Directory Specification). */
export const defaultCacheDirectory = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'embed-kd')

export interface EncodedOptions extends DecodeOptions {
  /** Where decoded images are kept; default the user's cache directory. */
  readonly cache?: string
  /** Bytes that the decoded images of a data set may take there; default half of what is free. */
  readonly cacheLimit?: number
}

interface Source {
  readonly format: EncodedImages['format']
  readonly directory: string
  readonly options: EncodedOptions
  /** All of the data set's files: path in the directory, bytes, time of last change. */
  readonly files: readonly (readonly [path: string, bytes: number, time: number])[]
  readonly warn: (message: string) => void
}

/**
 * The data set of a directory, its images decoded at most once as long as no file in it changes its size or time. Warnings are
 * repeated.
 * @throws DatasetError
 */
export async function openEncoded(
  format: EncodedImages['format'],
  directory: string,
  options: EncodedOptions,
): Promise<Dataset> {
  const { cache = defaultCacheDirectory(), imageSize = null, corrupt = 'fail' } = options
  const { warn: tell = () => {} } = options
  const files = [...filesBelow(directory)]
  const key = JSON.stringify([2, format, resolve(directory), imageSize, corrupt, ...files])
  const name = `decoded-${createHash('sha256').update(key).digest('hex').slice(0, 32)}.bin`
  const file = join(cache, name)
  const found = readKept(file)
  if (found) {
    found.warnings.forEach(tell)
    // It may have been given by another path.
    return { ...found.dataset, name: `${format}:${directory}` }
  }
  const warnings: string[] = []
  const warn = (message: string) => {
    warnings.push(message)
    tell(message)
  }
  const source: Source = { format, directory, options, files, warn }
  const encoded = await listEncoded(format, directory, warn)
  try {
    const unfinished = `${file}.${randomUUID()}.tmp`
    await keep(source, encoded, cache, unfinished, warnings)
    renameSync(unfinished, file)
    return readKept(file)!.dataset
  } catch (error) {
    if (!(error instanceof NotKept)) throw error
    tell(
      `${cache}: decoded images are not kept (${error.message}), so each is decoded whenever it is needed`,
    )
    return decodedAsRead(source, encoded)
  }
}

function* filesBelow(directory: string): Iterable<Source['files'][number]> {
  let paths: string[]
  try {
    paths = (readdirSync(directory, { recursive: true }) as string[]).sort()
  } catch {
    // Whoever lists it says what is wrong.
    return
  }
  for (const path of paths) {
    const status = statSync(join(directory, path), { throwIfNoEntry: false })
    if (status?.isFile()) yield [path, status.size, status.mtimeMs]
  }
}

/** Why decoded images cannot be kept: a full or read-only disk costs time, not the run. */
class NotKept extends Error {}

function orNotKept<T>(write: () => T): T {
  try {
    return write()
  } catch (error) {
    throw new NotKept((error as Error).message)
  }
}

/** Decodes all images into a file. @throws NotKept where there is no room. */
async function keep(
  { format, directory, options, warn }: Source,
  encoded: EncodedSplits,
  cache: string,
  path: string,
  warnings: readonly string[],
): Promise<void> {
  const file = orNotKept(() => {
    mkdirSync(cache, { recursive: true })
    return openSync(path, 'wx')
  })
  const write = (bytes: Uint8Array) =>
    orNotKept(() => {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
    })
  let first: { readonly name: string; readonly image: Decoded } | undefined
  let begin = 0
  const decode = async (which: 'train' | 'test'): Promise<Split & { images: ImageFile }> => {
    const { source, files } = encoded[which]
    const labels: number[] = []
    const images = { path, begin }
    for await (const { file, image } of decodeInOrder(files, { ...options, warn })) {
      if (!first) {
        first = { name: file.name, image }
        requireRoom(encoded, image, cache, options.cacheLimit)
      }
      if (image.height !== first.image.height || image.width !== first.image.width)
        throw new DatasetError(
          file.name,
          `it is ${image.height}x${image.width}, but ${first.name} is ${first.image.height}x${first.image.width}`,
          'give an image size to resize all images to',
        )
      write(image.pixels)
      labels.push(file.label)
      begin += image.pixels.length
    }
    if (labels.length === 0)
      throw new DatasetError(source, 'there is no image that can be decoded', encoded.remedy)
    return { images, labels: Int32Array.from(labels), count: labels.length }
  }
  try {
    const [train, test] = [await decode('train'), await decode('test')]
    const { height, width } = first!.image
    const dataset = createDataset({
      name: `${format}:${directory}`,
      classes: encoded.classes,
      ...(encoded.classNames ? { classNames: encoded.classNames } : {}),
      channels: decodedChannels,
      height,
      width,
      train,
      test,
    })
    for (const { labels } of [train, test]) write(new Uint8Array(labels.buffer))
    write(formatFacts(dataset, warnings))
    orNotKept(() => fsyncSync(file))
    closeSync(file)
  } catch (error) {
    closeSync(file)
    rmSync(path)
    throw error
  }
}

function requireRoom(
  { train, test }: EncodedSplits,
  { pixels }: Decoded,
  cache: string,
  limit: number | undefined,
): void {
  const needed = (train.files.length + test.files.length) * pixels.length
  const { bavail, bsize } = statfsSync(cache)
  const room = Math.min((bavail * bsize) / 2, limit ?? Infinity)
  if (needed > room)
    throw new NotKept(`they take ${formatBytes(needed)}, and ${formatBytes(room)} may be taken`)
}

/** Of a training split that is not kept, the images whose statistics are taken for those of all, evenly spaced. */
const STATISTICS_IMAGES = 4096

async function decodedAsRead(
  { format, directory, options: { imageSize, corrupt }, files }: Source,
  encoded: EncodedSplits,
): Promise<Dataset> {
  const { classes, classNames, train } = encoded
  if (corrupt === 'skip')
    throw new DatasetError(
      directory,
      'corrupt images can only be left out where the decoded ones are kept',
      'make room in the cache, or remove the corrupt files',
    )
  const { height, width } = await decodeImage(train.files[0]!, imageSize)
  const shape = { channels: decodedChannels, height, width }
  const statistics = new PixelStatistics(shape)
  const spacing = Math.max(train.files.length / STATISTICS_IMAGES, 1)
  const some = train.files.filter((_, i) => Math.floor(i % spacing) === 0)
  for await (const { image } of decodeInOrder(some, imageSize === undefined ? {} : { imageSize }))
    statistics.add(image.pixels)
  const split = (which: 'train' | 'test'): Split => {
    const labels = Int32Array.from(encoded[which].files, ({ label }) => label)
    const size = imageSize === undefined ? {} : { imageSize }
    return { images: { format, directory, which, ...size }, labels, count: labels.length }
  }
  const names = files.map(([path, bytes]) => [path, bytes])
  const identity = JSON.stringify([format, classes, shape, ...names])
  return {
    name: `${format}:${directory}`,
    classes,
    ...(classNames ? { classNames } : {}),
    ...shape,
    train: split('train'),
    test: split('test'),
    digest: createHash('sha256').update(identity).digest('hex'),
    statistics: statistics.finish(),
  }
}

type Facts = Omit<Dataset, 'train' | 'test'> & {
  readonly counts: Readonly<Record<'train' | 'test', number>>
  readonly warnings: readonly string[]
}

/** What follows pixels and labels: the rest of the data set as JSON, and its length in the last eight bytes. */
function formatFacts({ train, test, ...rest }: Dataset, warnings: readonly string[]): Buffer {
  const counts = { train: train.count, test: test.count }
  const facts = Buffer.from(JSON.stringify({ ...rest, counts, warnings } satisfies Facts))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(facts.length))
  return Buffer.concat([facts, length])
}

/** Undefined where there is no such file, or it is not whole. Its pixels are not looked at: there may be too many. */
function readKept(path: string): { dataset: Dataset; warnings: readonly string[] } | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return undefined
  }
  try {
    const { size } = statSync(path)
    let end = size
    /** The bytes before those that were read last. */
    const take = (bytes: number): Uint8Array => {
      if (!(bytes >= 0 && bytes <= end)) throw new Error('it is not whole')
      const part = new Uint8Array(bytes)
      readFully(file, part, 0, bytes, (end -= bytes))
      return part
    }
    const length = Number(Buffer.from(take(8)).readBigUInt64LE())
    const facts = JSON.parse(Buffer.from(take(length)).toString()) as Facts
    const { counts, warnings, ...rest } = facts
    const test = new Int32Array(take(4 * counts.test).buffer)
    const train = new Int32Array(take(4 * counts.train).buffer)
    const imageBytes = rest.channels * rest.height * rest.width
    if (end !== (counts.train + counts.test) * imageBytes) return undefined
    const split = (labels: Int32Array, begin: number) => ({
      images: { path, begin },
      labels,
      count: labels.length,
    })
    const dataset = {
      ...rest,
      train: split(train, 0),
      test: split(test, counts.train * imageBytes),
    }
    return { dataset, warnings }
  } catch {
    return undefined
  } finally {
    closeSync(file)
  }
}
