// A file that a command was asked to write: whole or not at all, under a temporary name until its bytes are on the disk.
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

/** @throws UserError where the file cannot be written; what stood there before stays. */
export function writeOutputFile(file: string, content: string | Uint8Array): void {
  // Two processes may be at the same file.
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
    throw new UserError(`${file} cannot be written (${messageOf(error)})`, 'choose another --out')
  }
}

/** @throws UserError as `writeOutputFile`. */
export const writeJson = (file: string, value: unknown): void =>
  writeOutputFile(file, `${JSON.stringify(value, undefined, 2)}\n`)
