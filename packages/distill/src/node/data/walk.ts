// Walks directories for data: regular files, whether linked or not, without junk, in the order of their paths. A link that leads
// back to a directory above itself is not followed.

import { readdirSync, realpathSync, statSync, type BigIntStats } from 'node:fs'
import { dirname } from 'node:path'

import { DatasetError } from './dataset.js'
import { isJunk } from './junk.js'
import { compareText } from './labels.js'

export interface Entry {
  /** The name, with bytes that are not UTF-8 shown as `\xE9`. */
  readonly name: string
  /** Path of the entry; bytes if the name is not UTF-8, as text cannot hold them. */
  readonly path: string | Buffer
  /** `other`: links that lead nowhere, devices, sockets. */
  readonly kind: 'file' | 'directory' | 'other'
  /** Size of a file in bytes. */
  readonly bytes: number
  /** Time of the last change in milliseconds. */
  readonly time: number
  /** Identity of a directory on its machine, to recognise link loops. */
  readonly inode: string
}

export interface File extends Entry {
  /** Path below the directory that was walked, with `/` between its parts. */
  readonly relative: string
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Returns a file name as text, and whether the text stands for its bytes. */
function decodeName(bytes: Buffer): { name: string; exact: boolean } {
  try {
    return { name: utf8.decode(bytes), exact: true }
  } catch {
    const escape = (byte: number) =>
      byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16).toUpperCase()}`
    return { name: Array.from(bytes, escape).join(''), exact: false }
  }
}

const joinPath = (directory: string | Buffer, name: Buffer, exact: boolean): string | Buffer =>
  typeof directory === 'string' && exact
    ? `${directory}/${name.toString()}`
    : Buffer.concat([Buffer.from(directory), Buffer.from('/'), name])

/** Whether a name could be read as text. */
export const isText = ({ path }: Entry): boolean => typeof path === 'string'

/** Returns the files and directories in a directory, without junk, in the order of their names. @throws as the file system does. */
export function listEntries(directory: string | Buffer): Entry[] {
  const entries: Entry[] = []
  for (const bytes of readdirSync(directory, { encoding: 'buffer' })) {
    const { name, exact } = decodeName(bytes)
    if (isJunk(name)) continue
    const path = joinPath(directory, bytes, exact)
    let status: BigIntStats | undefined
    try {
      status = statSync(path, { bigint: true, throwIfNoEntry: false })
    } catch {
      // Links that lead to each other, or a file that may not be looked at, are no files to us.
    }
    entries.push({
      name,
      path,
      kind: status?.isFile() ? 'file' : status?.isDirectory() ? 'directory' : 'other',
      bytes: Number(status?.size ?? 0),
      time: Number(status?.mtimeMs ?? 0),
      inode: `${status?.dev}:${status?.ino}`,
    })
  }
  return entries.sort((a, b) => compareText(a.name, b.name))
}

/** Returns the identities of a directory and of all directories above it. */
export function inodesAbove(directory: string | Buffer): string[] {
  const inodes: string[] = []
  try {
    for (let path = realpathSync(directory); ; path = dirname(path)) {
      const { dev, ino } = statSync(path, { bigint: true })
      inodes.push(`${dev}:${ino}`)
      if (path === dirname(path)) return inodes
    }
  } catch {
    return inodes
  }
}

/**
 * Yields all files, and what is neither file nor directory, below a directory.
 * @param above identities of directories to which links are not followed; the directory and those above it always belong to them.
 * @throws DatasetError if a directory cannot be listed.
 */
export function walkFiles(
  directory: string | Buffer,
  remedy: string,
  {
    maxDepth = Infinity,
    above = [],
  }: { readonly maxDepth?: number; readonly above?: readonly string[] } = {},
): Iterable<File> {
  return walk(directory, '', [...above, ...inodesAbove(directory)], remedy, maxDepth)
}

function* walk(
  directory: string | Buffer,
  prefix: string,
  above: readonly string[],
  remedy: string,
  maxDepth: number,
): Iterable<File> {
  let entries: Entry[]
  try {
    entries = listEntries(directory)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const cause = code === 'EACCES' ? 'permission to list it is denied' : message
    throw new DatasetError(directory.toString(), cause, remedy)
  }
  for (const entry of entries) {
    const relative = prefix + entry.name
    if (entry.kind !== 'directory') yield { ...entry, relative }
    else if (maxDepth > 0 && !above.includes(entry.inode))
      yield* walk(entry.path, `${relative}/`, [...above, entry.inode], remedy, maxDepth - 1)
  }
}
