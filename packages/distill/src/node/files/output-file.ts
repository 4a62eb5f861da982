// Writes a file whole or not at all: under a temporary name until its bytes are on the disk.
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'

import { messageOf, UserError } from '@embed-kd/core'

/** How a file system refuses to write for want of space: full, over a quota, over a limit of a file's size. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/**
 * Returns the error to throw after a write to `file` failed.
 * @param next advice for after the user has freed some space.
 */
export function writeFailure(file: string, error: unknown, next: string): UserError {
  const reason = messageOf(error)
  return FULL.has((error as NodeJS.ErrnoException).code ?? '')
    ? new UserError(
        `no space is left to write ${file} (${reason})`,
        `free some space, then ${next}`,
      )
    : new UserError(`${file} cannot be written (${reason})`, 'choose another --out')
}

/** @throws UserError if the file cannot be written; an earlier file of that name then stays. */
export function writeOutputFile(file: string, content: string | Uint8Array): void {
  // Two processes may write the same file.
  const unfinished = `${file}.${process.pid}.tmp`
  try {
    mkdirSync(dirname(file), { recursive: true })
    const descriptor = openSync(unfinished, 'w')
    try {
      writeFileSync(descriptor, content)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(unfinished, file)
  } catch (error) {
    rmSync(unfinished, { force: true })
    throw writeFailure(file, error, 'run the command again')
  }
}

/** Writes a value as indented JSON. @throws UserError as `writeOutputFile`. */
export const writeJson = (file: string, value: unknown): void =>
  writeOutputFile(file, `${JSON.stringify(value, undefined, 2)}\n`)
