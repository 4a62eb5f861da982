// Reading the files of a data set, with errors that name the file and the remedy. What is in them is the formats' business.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

import { DatasetError } from './dataset.js'

const causes: Record<string, string> = {
  ENOENT: 'there is no such file or directory',
  ENOTDIR: 'part of the path is not a directory',
  EISDIR: 'this is a directory, not a file',
  EACCES: 'permission to read it is denied',
}

const causeOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException
  return causes[code ?? ''] ?? message
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** @throws DatasetError with `remedy` unless `path` is a directory. */
export function requireDirectory(path: string, remedy: string): void {
  let directory: boolean
  try {
    directory = statSync(path).isDirectory()
  } catch (error) {
    throw new DatasetError(path, causeOf(error), remedy)
  }
  if (!directory) throw new DatasetError(path, 'this is a file, not a directory', remedy)
}

/** The names in a directory, with `recursive` the paths below it, sorted by UTF-16 code unit. */
export function listDirectory(
  path: string,
  remedy: string,
  { recursive = false }: { readonly recursive?: boolean } = {},
): string[] {
  try {
    return (readdirSync(path, { recursive }) as string[]).sort()
  } catch (error) {
    throw new DatasetError(path, causeOf(error), remedy)
  }
}

/** The bytes of a file; those of a name ending in `.gz` decompressed. */
export function readBytes(path: string, remedy: string): Uint8Array {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    throw new DatasetError(path, causeOf(error), remedy)
  }
  if (path.endsWith('.gz'))
    try {
      bytes = gunzipSync(bytes)
    } catch (error) {
      throw new DatasetError(path, `gzip data is damaged (${(error as Error).message})`, remedy)
    }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}
