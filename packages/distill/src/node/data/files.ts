// Reading the files of a data set, with errors that name the file and the remedy. What is in them is the formats' business.

import { readFileSync, statSync } from 'node:fs'
import { dirname, extname } from 'node:path'
import { constants, gunzipSync } from 'node:zlib'

import { DatasetError } from './dataset.js'
import { listSome } from './labels.js'
import { listEntries } from './walk.js'

const causes: Record<string, string> = {
  ENOENT: 'there is no such file or directory',
  ENOTDIR: 'part of the path is not a directory',
  EISDIR: 'this is a directory, not a file',
  EACCES: 'permission to read it is denied',
  EPERM: 'permission to read it is denied',
  ELOOP: 'its symbolic links lead to each other',
  ENAMETOOLONG: 'the path is too long',
  EMFILE: 'too many files are open',
}

/** Returns in words why a file could not be read. */
export const causeOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException
  return causes[code ?? ''] ?? message
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

export function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
  } catch {
    return false
  }
}

/** @throws DatasetError with `remedy` unless `path` is a directory. */
export function requireDirectory(path: string, remedy: string): void {
  let directory: boolean
  try {
    directory = statSync(path).isDirectory()
  } catch (error) {
    throw new DatasetError(
      path,
      causeOf(error),
      /[*?{]/.test(path)
        ? 'give the directory of the files, without a pattern for their names'
        : remedy,
    )
  }
  if (!directory)
    throw new DatasetError(
      path,
      'this is a file, not a directory',
      isArchive(path)
        ? 'unpack the archive, and give the directory'
        : `give its directory, ${dirname(path)}`,
    )
}

/** Returns whether a file has the name of an archive. Plain tar files do not count: they are read as they are. */
export const isArchive = (name: string): boolean => /\.(zip|7z|rar|tgz|tbz2?|tar\.\w+)$/i.test(name)

/** Says what a directory holds, for errors about what it does not hold: `it has train/, notes.txt and 3 more`. */
export function describeDirectory(path: string): string {
  let names: string[]
  try {
    names = listEntries(path).map(({ name, kind }) => (kind === 'directory' ? `${name}/` : name))
  } catch {
    return 'it cannot be listed'
  }
  return names.length === 0 ? 'it is empty' : `it has ${listSome(names, 8)}`
}

/** Counts files by extension: `12 .txt, 1 .xml`. */
export function countByExtension(names: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const name of names) {
    const extension = extname(name).toLowerCase() || 'without extension'
    counts.set(extension, (counts.get(extension) ?? 0) + 1)
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a)
  return listSome(sorted.map(([extension, count]) => `${count} ${extension}`))
}

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b

/** Compressed bytes that are inflated to learn how much the rest may take. */
const HEAD_BYTES = 4096

/**
 * Returns the bytes of a file, inflated if they are gzip, whatever the file is called.
 * @param promised Returns how many bytes a file that begins with `head` has; an archive that holds more is refused, not inflated.
 */
export function readBytes(
  path: string,
  remedy: string,
  promised: (head: Uint8Array) => number,
): { readonly bytes: Uint8Array; readonly isInflated: boolean } {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    throw new DatasetError(path, causeOf(error), remedy)
  }
  const isInflated = isGzip(bytes)
  if (isInflated) bytes = inflate(bytes, path, remedy, promised)
  return { bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), isInflated }
}

function inflate(
  bytes: Buffer,
  path: string,
  remedy: string,
  promised: (head: Uint8Array) => number,
): Buffer {
  try {
    const head = gunzipSync(bytes.subarray(0, HEAD_BYTES), {
      finishFlush: constants.Z_SYNC_FLUSH,
    })
    const most = promised(head)
    try {
      return gunzipSync(bytes, { maxOutputLength: Math.max(most, 1) })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw error
      throw new DatasetError(
        path,
        `it inflates to more than the ${most} bytes of its header`,
        remedy,
      )
    }
  } catch (error) {
    if (error instanceof DatasetError) throw error
    throw new DatasetError(path, `gzip data is damaged (${(error as Error).message})`, remedy)
  }
}
