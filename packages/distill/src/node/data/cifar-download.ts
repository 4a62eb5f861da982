// The official archives of CIFAR-10 and CIFAR-100, downloaded once: resumed where it broke off, believed only with the digest that
// the official page gives, and unpacked by name, so that an archive can write nothing else.

import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

import { DatasetError } from './dataset.js'
import { download } from './download.js'
import { makeDirectory } from '../files/make-directory.js'

export interface Archive {
  readonly file: string
  /** MD5 (hex), as https://www.cs.toronto.edu/~kriz/cifar.html publishes it. It finds damage, not malice. */
  readonly md5: string
  readonly members: readonly string[]
}

export const cifarArchives = {
  cifar10: {
    file: 'cifar-10-binary.tar.gz',
    md5: 'c32a1d4ab5d03f1284b67883e8d87530',
    members: [
      ...[1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}.bin`),
      'test_batch.bin',
      'batches.meta.txt',
    ],
  },
  cifar100: {
    file: 'cifar-100-binary.tar.gz',
    md5: '03b5dce01913d631647c71ecec9e9cb8',
    members: ['train.bin', 'test.bin', 'fine_label_names.txt'],
  },
} satisfies Record<string, Archive>

const site = 'https://www.cs.toronto.edu/~kriz'
const remedy = 'try again, or download it yourself and give its directory, as cifar10:DIR'

/**
 * The directory with an archive's members, below `cache`; downloaded where it is not there yet.
 * @throws DatasetError
 */
export async function fetchArchive(
  { file, md5, members }: Archive,
  cache: string,
  {
    url = site,
    tell = () => {},
  }: { readonly url?: string; readonly tell?: (message: string) => void } = {},
): Promise<string> {
  const directory = join(cache, file.replace('.tar.gz', ''))
  if (existsSync(directory)) return directory
  makeDirectory(cache)
  const archive = join(cache, file)
  const source = `${url}/${file}`
  tell(`downloading ${source}`)
  await download(source, `${archive}.partial`, md5, remedy)
  const found = unpack(gunzipSync(readFileSync(`${archive}.partial`)), members)
  const missing = members.find((member) => !found.has(member))
  if (missing !== undefined) throw new DatasetError(source, `there is no ${missing} in it`, remedy)
  const unfinished = `${directory}.tmp`
  makeDirectory(unfinished)
  for (const [name, bytes] of found) writeFileSync(join(unfinished, name), bytes)
  renameSync(unfinished, directory)
  rmSync(`${archive}.partial`)
  return directory
}

const block = 512

/** Members of a tar archive (POSIX.1-1988 ustar) by the last part of their names; all others are passed over. */
function unpack(tar: Buffer, members: readonly string[]): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  for (let at = 0; at + block <= tar.length && tar[at] !== 0;) {
    const text = (begin: number, bytes: number) =>
      tar.toString('latin1', at + begin, at + begin + bytes).replace(/\0.*$/s, '')
    const size = Number.parseInt(text(124, 12).trim(), 8)
    if (!Number.isSafeInteger(size) || size < 0) break
    const name = basename(text(0, 100))
    const isFile = ['0', ''].includes(text(156, 1))
    if (isFile && members.includes(name))
      found.set(name, tar.subarray(at + block, at + block + size))
    at += block + Math.ceil(size / block) * block
  }
  return found
}
