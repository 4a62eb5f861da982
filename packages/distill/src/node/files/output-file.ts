// Writes a file whole or not at all: under a temporary name until its bytes are on the disk. Devices and pipes are written to directly.
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'

import { messageOf, UserError } from '@embed-kd/core'
import { makeDirectory } from './make-directory.js'

/** How a file system refuses to write for want of space: full, over a quota, over a limit of a file's size. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** Whether an error says that no space is left. */
export const isFull = (error: unknown): boolean =>
  FULL.has((error as NodeJS.ErrnoException | undefined)?.code ?? '')

/**
 * Returns the error to throw after a write to `file` failed.
 * @param next advice for after the user has freed some space.
 */
export function writeFailure(file: string, error: unknown, next: string): UserError {
  const reason = messageOf(error)
  return isFull(error)
    ? new UserError(
        `no space is left to write ${file} (${reason})`,
        `free some space, then ${next}`,
      )
    : new UserError(`${file} cannot be written (${reason})`, 'choose another --out')
}

/** Content of a file, or pieces of text that are made while they are written. */
type FileContent = string | Uint8Array | Iterable<string>

/** @throws UserError if the file cannot be written; an earlier file of that name then stays. */
export function writeOutputFile(file: string, content: FileContent): void {
  try {
    const target = statSync(file, { throwIfNoEntry: false })
    // A device or a pipe takes what is written to it, and would be lost to a file that takes its name.
    const isStream = target !== undefined && !target.isFile() && !target.isDirectory()
    if (isStream) writeTo(file, content)
    else writeWhole(target ? realpathSync(file) : file, content)
  } catch (error) {
    throw writeFailure(file, error, 'run the command again')
  }
}

function writeTo(file: string, content: FileContent, durably = false): void {
  const descriptor = openSync(file, 'w')
  try {
    const whole = typeof content === 'string' || content instanceof Uint8Array
    for (const piece of whole ? [content] : content) writeFileSync(descriptor, piece)
    if (durably) fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function writeWhole(file: string, content: FileContent): void {
  // Two processes may write the same file.
  const unfinished = `${file}.${process.pid}.tmp`
  try {
    makeDirectory(dirname(file))
    writeTo(unfinished, content, true)
    renameSync(unfinished, file)
  } finally {
    rmSync(unfinished, { force: true })
  }
}

/**
 * Checks before any work that a file can be made.
 * @throws UserError if its name is that of a directory or of a device.
 */
export function checkOutputFile(file: string): void {
  if (!existsSync(file)) return
  const target = statSync(file)
  if (!target.isFile())
    throw new UserError(
      `${file} is ${target.isDirectory() ? 'a directory' : 'no file'}`,
      'give the name of a file',
    )
}

/** Writes a value as indented JSON. @throws UserError as `writeOutputFile`. */
export const writeJson = (file: string, value: unknown): void =>
  writeOutputFile(file, `${JSON.stringify(value, undefined, 2)}\n`)
