// A file that a command was asked to write: whole or not at all, under a temporary name until it is.
import { renameSync, writeFileSync } from 'node:fs'

import { messageOf, UserError } from './errors.js'

/** @throws UserError where the file cannot be written; what stood there before stays. */
export function writeOutputFile(file: string, text: string): void {
  try {
    writeFileSync(`${file}.tmp`, text)
    renameSync(`${file}.tmp`, file)
  } catch (error) {
    throw new UserError(`${file} cannot be written (${messageOf(error)})`, 'choose another --out')
  }
}
