// Opens data sets of encoded images. They are decoded once into a file that is read by position from then on; if there is no room for
// the file, each image is decoded whenever it is read. The data set is the same either way.

import { createHash } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'

import { formatBytes } from '@embed-kd/records/terminal'
import {
  decodedName,
  defaultCacheDirectory,
  makeRoom,
  noteUse,
  removeAbandoned,
  surveyName,
  unfinishedName,
} from './cache-directory.js'
import {
  DatasetError,
  type Columns,
  type Dataset,
  type EncodedFormat,
  type EncodedImages,
  type Split,
  type Tell,
} from './dataset.js'
import { decodedChannels } from './decode.js'
import { decodeInOrder, readInOrder, type DecodeAllOptions } from './decode-all.js'
import { locateEncoded } from './encoded.js'
import { formatTail, readKept } from './kept.js'
import { checkClasses, isLabelled } from './labels.js'
import type { EncodedSplits, Located } from './listing.js'
import { DECODING, Survey } from './survey.js'
import { makeDirectory } from '../files/make-directory.js'

/** Progress of long work on a data set. */
export interface DataProgress {
  readonly phase: string
  readonly done: number
  readonly total: number
}

export interface EncodedOptions extends DecodeAllOptions, Columns {
  /** Directory that keeps decoded images and downloads; default the user's cache directory. */
  readonly cache?: string
  /** Bytes that all decoded images may take there; default half of what is free. */
  readonly cacheLimit?: number
  /** Receives what was chosen, ignored or skipped, one line a call. */
  readonly warn?: Tell
  readonly progress?: (progress: DataProgress) => void
}

type Which = 'train' | 'test'

interface Source {
  readonly format: EncodedFormat
  readonly directory: string
  readonly options: EncodedOptions
  readonly cache: string
  /** Identifies files and options: same key, same data. */
  readonly key: string
  /** Lines told while this source was read. */
  readonly warnings: string[]
  readonly warn: Tell
}

/**
 * Opens the data set of a directory. Its images are decoded at most once as long as no file changes its size or time.
 * @throws DatasetError
 */
export async function openEncoded(
  format: EncodedFormat,
  directory: string,
  options: EncodedOptions,
): Promise<Dataset> {
  const { cache = defaultCacheDirectory(), warn: tell = () => {} } = options
  const located = locateEncoded(format, directory, options, tell)
  const key = keyOf(format, located, options)
  const file = join(cache, decodedName(key))
  removeAbandoned(cache)
  const found = readKept(file)
  if (found) {
    noteUse(file)
    found.warnings.forEach(tell)
    // The same directory may have been given by another path.
    return { ...found.dataset, name: `${format}:${directory}` }
  }
  const warnings: string[] = []
  const warn = (message: string) => {
    warnings.push(message)
    tell(message)
  }
  const source: Source = { format, directory, options, cache, key, warnings, warn }
  const encoded = await located.list(warn)
  const unfinished = join(cache, unfinishedName(decodedName(key)))
  try {
    await keep(source, encoded, unfinished)
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

function keyOf(format: EncodedFormat, { root, files }: Located, options: EncodedOptions): string {
  const { imageSize = null, corrupt = 'fail', maxMegapixels = null } = options
  const { imageColumn = null, labelColumn = null } = options
  const decoding = [imageSize, corrupt, maxMegapixels, imageColumn, labelColumn]
  const hash = createHash('sha256')
  hash.update(JSON.stringify([DECODING, format, resolve(root), ...decoding]))
  for (const { relative, bytes, time } of files)
    hash.update(JSON.stringify([relative, bytes, time]))
  return hash.digest('hex').slice(0, 32)
}

/** The reason why decoded images cannot be kept: a full or read-only disk costs time, not the run. */
class NotKept extends Error {}

function orNotKept<T>(write: () => T): T {
  try {
    return write()
  } catch (error) {
    throw new NotKept((error as Error).message)
  }
}

/** Returns the fields that all splits of a source share. */
const describe = ({ format, directory }: Source, { classes, classNames }: EncodedSplits) => ({
  name: `${format}:${directory}`,
  classes,
  ...(classNames ? { classNames } : {}),
  channels: decodedChannels,
})

/** Decodes all images into a file. @throws NotKept if there is no room. */
async function keep(source: Source, encoded: EncodedSplits, path: string): Promise<void> {
  const { cache, options, warn } = source
  const file = orNotKept(() => {
    makeDirectory(cache)
    return openSync(path, 'wx')
  })
  const write = (bytes: Uint8Array) =>
    orNotKept(() => {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
    })
  const total = encoded.train.files.length + encoded.test.files.length
  const survey = new Survey(encoded, options.imageSize)
  let begin = 0
  let done = 0
  const decode = async (which: Which): Promise<Split> => {
    const images = { path, begin }
    const first = done
    for await (const decoded of decodeInOrder(encoded[which].files, options, warn)) {
      const { file, position, digest, image } = decoded
      if (begin === 0) requireRoom(total * image.pixels.length, source)
      survey.addImage(which, file.label, digest)
      survey.addPixels(which, position, file.name, image)
      write(image.pixels)
      begin += image.pixels.length
      done = first + position + 1
      options.progress?.({ phase: 'decoding images', done, total })
    }
    const labels = Int32Array.from(survey.labels[which])
    requireImages(labels.length, encoded, which)
    return {
      images,
      labels,
      count: labels.length,
      checksums: Uint32Array.from(survey.checksums[which]),
    }
  }
  // Whoever waits hears of the work before the first image, which may be large, is decoded.
  options.progress?.({ phase: 'decoding images', done: 0, total })
  try {
    const [train, test] = [await decode('train'), await decode('test')]
    checkSplits(source, encoded, train, test)
    const dataset = { ...describe(source, encoded), ...survey.finish(warn), train, test }
    write(formatTail({ dataset, warnings: source.warnings }))
    orNotKept(() => fsyncSync(file))
    closeSync(file)
  } catch (error) {
    closeSync(file)
    rmSync(path, { force: true })
    throw error
  }
}

function requireImages(count: number, encoded: EncodedSplits, which: Which): void {
  if (count > 0 || encoded[which].files.length === 0) return
  const { source } = encoded[which]
  throw new DatasetError(source, 'there is no image that can be decoded', encoded.remedy)
}

/** Checks the classes again: skipped images may have been all of a class. */
function checkSplits(source: Source, encoded: EncodedSplits, train: Split, test: Split): void {
  if (!isLabelled(encoded)) return
  checkClasses({
    ...describe(source, encoded),
    train: train.labels,
    test: test.labels,
    sources: { train: encoded.train.source, test: encoded.test.source },
  })
}

function requireRoom(needed: number, { cache, options, warn }: Source): void {
  const lacking = makeRoom(cache, needed, options.cacheLimit, warn)
  if (lacking)
    throw new NotKept(
      `they take ${formatBytes(needed)}, and ${formatBytes(lacking.room)} may be taken (--cache-limit)`,
    )
}

type Seen = Pick<Dataset, 'digest' | 'statistics' | 'height' | 'width'> & {
  readonly checksums: Readonly<Record<Which, readonly number[]>>
  /** Positions of images that cannot be decoded and are left out. */
  readonly skipped: Readonly<Record<Which, readonly number[]>>
  readonly warnings: readonly string[]
}

/** A data set whose images are decoded whenever they are read. Their bytes are read once for the digest. */
async function decodedAsRead(source: Source, encoded: EncodedSplits): Promise<Dataset> {
  const { format, directory, options, cache, key } = source
  const path = join(cache, surveyName(key))
  const seen = readSeen(path)
  seen?.warnings.forEach(source.warn)
  const { checksums, skipped, warnings: _, ...facts } = seen ?? (await look(source, encoded, path))
  const { imageSize, maxMegapixels, imageColumn, labelColumn } = options
  const settings = {
    ...(imageSize === undefined ? {} : { imageSize }),
    ...(maxMegapixels === undefined ? {} : { maxMegapixels }),
    ...(imageColumn === undefined ? {} : { imageColumn }),
    ...(labelColumn === undefined ? {} : { labelColumn }),
  }
  const split = (which: Which): Split => {
    const images: EncodedImages = { format, directory, which, skipped: skipped[which], ...settings }
    const leftOut = new Set(skipped[which])
    const files = encoded[which].files.filter((_, position) => !leftOut.has(position))
    const labels = Int32Array.from(files, ({ label }) => label)
    return { images, labels, count: labels.length, checksums: Uint32Array.from(checksums[which]) }
  }
  const [train, test] = [split('train'), split('test')]
  checkSplits(source, encoded, train, test)
  return { ...describe(source, encoded), ...facts, train, test }
}

/**
 * Reads all images once, and decodes those whose pixels count for the statistics. If images that cannot be decoded are to be
 * skipped, all are decoded, since nothing else finds them.
 */
async function look(source: Source, encoded: EncodedSplits, path: string): Promise<Seen> {
  const { options } = source
  const survey = new Survey(encoded, options.imageSize)
  const total = encoded.train.files.length + encoded.test.files.length
  const phase = options.corrupt === 'skip' ? 'decoding images' : 'reading images'
  const skipped = { train: [] as number[], test: [] as number[] }
  const warnings: string[] = []
  const warn = (message: string) => {
    warnings.push(message)
    source.warn(message)
  }
  let begun = 0
  options.progress?.({ phase, done: 0, total })
  for (const which of ['train', 'test'] as const) {
    const { files } = encoded[which]
    const images =
      options.corrupt === 'skip'
        ? decodeInOrder(files, options, warn)
        : readInOrder(files, options, (position) => which === 'train' && survey.samples(position))
    let next = 0
    for await (const { file, position, image, digest } of images) {
      while (next < position) skipped[which].push(next++)
      next++
      survey.addImage(which, file.label, digest)
      if (image) survey.addPixels(which, position, file.name, image)
      options.progress?.({ phase, done: begun + next, total })
    }
    while (next < files.length) skipped[which].push(next++)
    requireImages(survey.labels[which].length, encoded, which)
    begun += files.length
  }
  const seen = { ...survey.finish(warn), checksums: survey.checksums, skipped, warnings }
  try {
    const unfinished = join(path, '..', unfinishedName('survey'))
    writeFileSync(unfinished, JSON.stringify(seen))
    renameSync(unfinished, path)
  } catch {
    // Without the file the images are read again next time.
  }
  return seen
}

function readSeen(path: string): Seen | undefined {
  try {
    const seen = JSON.parse(readFileSync(path, 'utf8')) as Partial<Seen>
    // Surveys of earlier versions lack the skipped images.
    return seen.skipped ? (seen as Seen) : undefined
  } catch {
    return undefined
  }
}
