// The contents of a data set in a few bytes an image: kept beside a run, so that a later run can say what changed in the data.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { crc32 } from 'node:zlib'

import { UserError } from '@embed-kd/core'

import type { Dataset, Split } from './dataset.js'
import { locateEncoded } from './encoded.js'
import { listSome } from './labels.js'

/** Plain JSON, to be stored. */
export interface DatasetContents {
  readonly name: string
  readonly digest: string
  readonly shape: readonly [channels: number, height: number, width: number]
  readonly classNames?: readonly string[]
  readonly classes: number
  /** Base64 of a 32-bit checksum for every image. */
  readonly train: string
  readonly test: string
}

const whiches = ['train', 'test'] as const
const splitLabel = { train: 'training', test: 'test' } as const

export function describeContents(dataset: Dataset): DatasetContents {
  const { name, digest, channels, height, width, classes, classNames } = dataset
  const encode = (which: 'train' | 'test') =>
    Buffer.from(Uint32Array.from(checksumsOf(dataset[which])).buffer).toString('base64')
  return {
    name,
    digest,
    shape: [channels, height, width],
    ...(classNames ? { classNames } : {}),
    classes,
    train: encode('train'),
    test: encode('test'),
  }
}

function checksumsOf({ checksums, images, count }: Split): Uint32Array {
  if (checksums) return checksums
  if (!(images instanceof Uint8Array))
    throw new Error('a split that is not in memory has checksums')
  const bytes = images.length / count
  return Uint32Array.from({ length: count }, (_, i) =>
    crc32(images.subarray(i * bytes, (i + 1) * bytes)),
  )
}

/** Keeps what a data set contains in a file, unless the file is there. */
export function keepContents(file: string, dataset: Dataset): void {
  if (!existsSync(file)) writeFileSync(file, JSON.stringify(describeContents(dataset)))
}

/** @throws UserError saying what changed if a data set differs from what a file says it contained. */
export async function requireSameContents(file: string, dataset: Dataset): Promise<void> {
  if (!existsSync(file)) return
  let before: DatasetContents
  try {
    before = JSON.parse(readFileSync(file, 'utf8')) as DatasetContents
  } catch {
    return
  }
  if (before.digest === dataset.digest) return
  const change = await explainChange(before, dataset)
  throw new UserError(
    `data set ${dataset.name} is not what it was when the run began: ${change}`,
    'restore the data and repeat the command, or begin another run with another --out',
  )
}

/** Says in words how a data set differs from what it contained before: `36 → 37 training images, the first that differs is …`. */
export async function explainChange(before: DatasetContents, dataset: Dataset): Promise<string> {
  const now = describeContents(dataset)
  if (before.shape.join() !== now.shape.join())
    return `its images had ${before.shape.join('x')} values, and have ${now.shape.join('x')} now`
  if (before.classes !== now.classes)
    return `it had ${before.classes} classes, and has ${now.classes} now`
  const changes: string[] = []
  for (const which of whiches) {
    const [old, current] = [decode(before[which]), decode(now[which])]
    const label = splitLabel[which]
    const first = current.findIndex((checksum, i) => checksum !== old[i])
    if (old.length === current.length && first < 0) continue
    const counts =
      old.length === current.length
        ? `${count(old, current)} of ${old.length} ${label} images changed`
        : `${old.length} → ${current.length} ${label} images`
    const position = first < 0 ? current.length : first
    const name = await nameOf(dataset, which, position)
    changes.push(`${counts}, the first that differs is ${name ?? `number ${position}`}`)
  }
  if (changes.length > 0) return changes.join('; ')
  return before.classNames?.join('\0') === now.classNames?.join('\0')
    ? 'its labels changed'
    : `its classes were ${listSome(before.classNames ?? [])}, and are ${listSome(now.classNames ?? [])} now`
}

const decode = (text: string): Uint32Array => {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'))
  return new Uint32Array(bytes.buffer)
}

const count = (a: Uint32Array, b: Uint32Array): number =>
  a.reduce((sum, checksum, i) => sum + (checksum === b[i] ? 0 : 1), 0)

/** Returns the file of an image, if its data set has one for each image. */
async function nameOf(
  dataset: Dataset,
  which: 'train' | 'test',
  position: number,
): Promise<string | undefined> {
  const { name } = dataset
  const [format, directory] = [name.slice(0, name.indexOf(':')), name.slice(name.indexOf(':') + 1)]
  if (format !== 'images' && format !== 'parquet' && format !== 'webdataset') return undefined
  try {
    const tell = () => {}
    const encoded = await locateEncoded(format, directory, {}, tell).list(tell)
    const { files } = encoded[which]
    // Skipped images would shift the positions.
    return files.length === dataset[which].count ? files[position]?.name : undefined
  } catch {
    return undefined
  }
}
