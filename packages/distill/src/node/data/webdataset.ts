// WebDataset: tar files of samples, each a few members that share a name up to its first dot: 0001.jpg, 0001.cls (or 0001.json). The
// archives are indexed once by their headers, and images are read from where they are in them.

import { open } from 'node:fs/promises'
import { join } from 'node:path'

import { messageOf } from '@embed-kd/core'
import { DatasetError, type Columns, type Tell } from './dataset.js'
import { arrangeSplits, type FoundSplit, type Located } from './listing.js'
import { countByExtension, describeDirectory, isFile, requireDirectory } from './files.js'
import { isJunk } from './junk.js'
import { countOf } from './labels.js'
import { checkShards } from './shard-names.js'
import { divideByName, type SplitName } from './splits.js'
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
    const compressed = all.find(({ name }) => /\.(tar\.\w+|tgz)$/i.test(name))
    throw new DatasetError(
      directory,
      `there is no tar file in it; ${describeDirectory(directory)}`,
      compressed
        ? `decompress the archives, since images are read from the middle of them: gunzip ${compressed.name}`
        : remedy,
    )
  }
  const names = all.filter(({ relative }) => relative === CLASS_NAMES)
  return {
    root: directory,
    files: [...files, ...names],
    list: (tell) => list(directory, files, tell),
  }
}

async function list(directory: string, files: readonly File[], tell: Tell) {
  const source = { path: directory, remedy, tell }
  const found: Partial<Record<SplitName, FoundSplit>> = {}
  for (const [which, shards] of Object.entries(divideByName(files, 'tar file', source))) {
    checkShards(shards, source)
    found[which as SplitName] = readSplit(directory, shards, tell)
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

function readSplit(directory: string, shards: readonly File[], tell: Tell): FoundSplit {
  const images: ShardImage[] = []
  const values: unknown[] = []
  const unread: string[] = []
  let lone = 0
  for (const { path } of shards) {
    const shard = path.toString()
    try {
      let key: string | undefined
      let image: ShardImage | undefined
      let label: unknown
      const finish = () => {
        if (image) {
          images.push(image)
          values.push(label)
        } else if (label !== undefined) lone++
        image = label = undefined
      }
      for (const { member, content } of listTar(shard)) {
        const [, name, extension] = /^((?:.*\/)?[^/.]+)\.([^/]+)$/.exec(member.name) ?? []
        if (
          name === undefined ||
          member.name.split('/').some((part) => part !== '.' && isJunk(part))
        )
          continue
        if (name !== key) finish()
        key = name
        const kind = extension!.toLowerCase()
        if (imageExtensions.has(kind.split('.').at(-1)!)) {
          if (image) throw new Error(`sample ${name} has two images; there must be one`)
          image = new ShardImage(shard, member.name, member.begin, member.bytes)
        } else if (/(^|\.)cls$|^(label|class)(\.txt)?$/.test(kind)) label = readText(content())
        else if (kind === 'json') label ??= readJson(content(), member.name)
        else unread.push(member.name)
      }
      finish()
    } catch (error) {
      throw new DatasetError(shard, messageOf(error), 'download or write the archive again')
    }
  }
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
  if (lone > 0)
    tell(`${directory}: ${countOf(lone, 'sample')} in archives ignored: a label without an image`)
  return { source: directory, images, labels: { values, describe: (i) => images[i]!.name } }
}

/** Returns the label in a text: a number if it looks like one. */
function readText(content: Buffer): unknown {
  const text = content.toString('utf8').trim()
  return /^-?\d+$/.test(text) ? Number(text) : text
}

function readJson(content: Buffer, name: string): unknown {
  let sample: unknown
  try {
    sample = JSON.parse(content.toString('utf8'))
  } catch {
    throw new Error(`${name} is not JSON`)
  }
  if (typeof sample === 'number' || typeof sample === 'string') return sample
  if (typeof sample !== 'object' || sample === null) return undefined
  const fields = sample as Record<string, unknown>
  return fields[labelKeys.find((key) => fields[key] !== undefined && fields[key] !== null) ?? '']
}
