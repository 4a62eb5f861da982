// Errors that are the user's to mend, told apart from our own bugs: the former are printed as one line, the latter with a stack.
import { RecordError } from '@embed-kd/record'

import { DatasetError } from './data/dataset.js'

/** Something the user gave cannot be used: what was given and why, then what to do about it. */
export class UserError extends Error {
  override readonly name = 'UserError'

  constructor(cause: string, remedy: string) {
    super(`${cause}; ${remedy}`)
  }
}

/** A user's error from another thread, of which the message is all that comes across. */
export class RelayedError extends Error {}

/** Errors whose message already says all: cause and remedy. */
export const isForUser = (error: unknown): error is Error =>
  [UserError, RelayedError, DatasetError, RecordError].some((type) => error instanceof type)

/** What the terminal shows of an error. */
export const describeError = (error: unknown): string =>
  isForUser(error)
    ? `error: ${error.message}`
    : `unexpected error, please report it: ${(error as Error)?.stack ?? String(error)}`

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
