// WebDataset: tar files of samples, each a few members that share a name up to its first dot: 0001.jpg, 0001.cls (or 0001.json). The
// archives are indexed once by their headers, and images are read from where they are in them.

import { open } from 'node:fs/promises'
import { join } from 'node:path'

import { messageOf } from '@embed-kd/core'
import { DatasetError, type Columns, type Tell } from './dataset.js'
import { arrangeSplits, type FoundSplit, type Located } from './listing.js'
import { countByExtension, describeDirectory, isFile, requireDirectory } from './files.js'
import { isJunk } from './junk.js'
import { countOf, listSome } from './labels.js'
import { checkShards } from './shard-names.js'
import { divideByName, type Source, type SplitName } from './splits.js'
import { listTar } from './tar.js'
import { walkFiles, type File } from './walk.js'
import { readFileSync } from 'node:fs'

const remedy =
  'give a directory of tar files called after their split (train-000000.tar, test-000000.tar), with <key>.jpg and <key>.cls in them'

const imageExtensions = new Set('jpg jpeg png webp gif tif tiff avif bmp ppm pgm'.split(' '))
/** Keys of a sample's JSON that hold its label, in the order they are tried. */
const labelKeys = ['label', 'cls', 'class', 'class_id', 'label_name', 'class_name']

/** File beside the archives that names the classes, one a line. */
const CLASS_NAMES = 'classnames.txt'

export function locateWebDataset(directory: string, _columns: Columns, _tell: Tell): Located {
  requireDirectory(directory, remedy)
  const all = [...walkFiles(directory, remedy)]
  const files = all.filter(({ name }) => /\.tar$/i.test(name))
  if (files.length === 0) {
    const compressed = all.find(({ name }) => /\.(tar\.\w+|tgz)$/i.test(name))?.name
    throw new DatasetError(
      directory,
      `there is no tar file in it; ${describeDirectory(directory)}`,
      compressed === undefined
        ? remedy
        : `decompress the archives, since images are read from the middle of them: ${decompressorOf(compressed)} ${compressed}`,
    )
  }
  const names = all.filter(({ relative }) => relative === CLASS_NAMES)
  return {
    root: directory,
    files: [...files, ...names],
    list: (tell) => list(directory, files, tell),
  }
}

const decompressors: Readonly<Record<string, string>> = {
  zst: 'unzstd',
  xz: 'unxz',
  bz2: 'bunzip2',
  lz4: 'unlz4',
}

const decompressorOf = (name: string): string =>
  decompressors[name.split('.').at(-1)!.toLowerCase()] ?? 'gunzip'

async function list(directory: string, files: readonly File[], tell: Tell) {
  const source = { path: directory, remedy, tell }
  const found: Partial<Record<SplitName, FoundSplit>> = {}
  for (const [which, shards] of Object.entries(divideByName(files, 'tar file', source))) {
    checkShards(shards, source)
    const split = which as SplitName
    found[split] = readSplit(split, shards, source)
  }
  return arrangeSplits(found, source, readClassNames(directory))
}

function readClassNames(directory: string): string[] | undefined {
  const path = join(directory, CLASS_NAMES)
  if (!isFile(path)) return undefined
  return readFileSync(path, 'utf8')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
}

/** An image in an archive. */
class ShardImage {
  readonly #shard: string
  readonly #key: string
  readonly #begin: number
  readonly #bytes: number

  constructor(shard: string, key: string, begin: number, bytes: number) {
    this.#shard = shard
    this.#key = key
    this.#begin = begin
    this.#bytes = bytes
  }

  get name(): string {
    return `${this.#shard}, ${this.#key}`
  }

  async read(): Promise<Uint8Array> {
    const file = await open(this.#shard)
    try {
      const bytes = Buffer.alloc(this.#bytes)
      await file.read(bytes, 0, this.#bytes, this.#begin)
      return bytes
    } finally {
      await file.close()
    }
  }
}

/** Entries of a split's shards that are not images with labels. */
interface Beside {
  /** Samples with a label and no image. */
  lone: number
  /** Names of files that are not read. */
  readonly unread: string[]
  /** Fields of JSON without a label, of the first such sample. */
  fields?: readonly string[]
}

function readSplit(
  which: SplitName,
  shards: readonly File[],
  { path: directory, tell }: Source,
): FoundSplit {
  const images: ShardImage[] = []
  const values: unknown[] = []
  const beside: Beside = { lone: 0, unread: [] }
  for (const { path } of shards)
    for (const { image, label } of readSamples(path.toString(), beside))
      if (image) {
        images.push(image)
        values.push(label)
      } else if (label !== undefined) beside.lone++
  const { lone, unread } = beside
  if (images.length === 0)
    throw new DatasetError(
      shards[0]!.path.toString(),
      `there is no image in it${unread.length > 0 ? `; it has ${countByExtension(unread)}` : ''}`,
      remedy,
    )
  if (unread.length > 0)
    tell(
      `${directory}: ${countOf(unread.length, 'file')} in archives ignored: ${countByExtension(unread)}`,
    )
  const missing = values.indexOf(undefined)
  if (missing >= 0 && lone > 0)
    throw new DatasetError(
      images[missing]!.name,
      'its label is not next to it in the archive',
      'write the archive in the order of the names of its files: tar --sort=name -cf …',
    )
  if (which === 'train' && values.every((value) => value === undefined))
    throw unlabelled(directory, beside)
  if (lone > 0)
    tell(`${directory}: ${countOf(lone, 'sample')} in archives ignored: a label without an image`)
  return { source: directory, images, labels: { values, describe: (i) => images[i]!.name } }
}

interface Sample {
  readonly image?: ShardImage
  readonly label?: unknown
}

/** Yields the samples of an archive: what stands next to each other under one key. @throws DatasetError */
function* readSamples(shard: string, beside: Beside): Iterable<Sample> {
  let key: string | undefined
  let sample: { image?: ShardImage; imageName?: string; label?: unknown } = {}
  try {
    for (const { member, content } of listTar(shard)) {
      const [, name, extension] = /^((?:.*\/)?[^/.]+)\.([^/]+)$/.exec(member.name) ?? []
      if (name === undefined || member.name.split('/').some((part) => part !== '.' && isJunk(part)))
        continue
      if (name !== key) {
        yield sample
        sample = {}
      }
      key = name
      const kind = extension!.toLowerCase()
      if (imageExtensions.has(kind.split('.').at(-1)!)) {
        if (sample.image)
          throw new DatasetError(
            shard,
            `sample ${name} has two images, ${sample.imageName} and ${member.name}`,
            'write archives of one image a sample',
          )
        sample.image = new ShardImage(shard, member.name, member.begin, member.bytes)
        sample.imageName = member.name
      } else if (/(^|\.)cls$|^(cls|label|class)(\.txt)?$/.test(kind))
        sample.label = readText(content())
      else if (kind === 'json') {
        const { label, fields } = readJson(content(), member.name)
        sample.label ??= label
        if (fields) beside.fields ??= fields
      } else beside.unread.push(member.name)
    }
    yield sample
  } catch (error) {
    if (error instanceof DatasetError) throw error
    throw new DatasetError(shard, messageOf(error), 'download or write the archive again')
  }
}

/** Explains a training split that has no label at all. */
function unlabelled(directory: string, { unread, fields }: Beside): DatasetError {
  const found = fields
    ? `its JSON has ${listSome(fields, 8)}`
    : unread.length > 0
      ? `beside the images there are ${countByExtension(unread)}`
      : 'there are images alone'
  return new DatasetError(
    directory,
    `no training image has a label: ${found}`,
    fields || unread.length > 0
      ? `write each label as <key>.cls, or into <key>.json as ${labelKeys.join(' or ')}`
      : 'write each label as <key>.cls; if the folders in the archive are classes, unpack it and give images:DIR',
  )
}

/** Returns the label in a text: a number if it looks like one. */
function readText(content: Buffer): unknown {
  const text = content.toString('utf8').trim()
  return /^-?\d+$/.test(text) ? Number(text) : text
}

/** Returns the label in a sample's JSON, or the fields there are instead. @throws Error if it is no JSON. */
function readJson(
  content: Buffer,
  name: string,
): { readonly label?: unknown; readonly fields?: readonly string[] } {
  let sample: unknown
  try {
    sample = JSON.parse(content.toString('utf8'))
  } catch {
    throw new Error(`${name} is not JSON`)
  }
  if (typeof sample !== 'object' || sample === null) return { label: sample }
  const fields = sample as Record<string, unknown>
  const label = labelKeys.map((key) => fields[key]).find((value) => value !== undefined)
  return label === undefined || label === null ? { fields: Object.keys(fields) } : { label }
}
