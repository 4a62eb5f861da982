// Errors that the caller can fix, told apart from bugs of this project: the former print as one line, the latter with a stack.

/** Something the caller gave cannot be used. The message says what was given and why it fails, then what to do about it. */
export class UserError extends Error {
  override readonly name: string = 'UserError'

  constructor(cause: string, remedy?: string) {
    super(remedy === undefined ? cause : `${cause}; ${remedy}`)
  }
}

/** Whether an error's message already says all that its reader needs: cause and remedy. */
export const isForUser = (error: unknown): error is UserError => error instanceof UserError

/** Returns what a terminal shows of an error: one line for the caller's own, a stack for ours. */
export const describeError = (error: unknown): string =>
  isForUser(error)
    ? `error: ${error.message}`
    : `unexpected error, please report it: ${(error as Error)?.stack ?? String(error)}`

/** Returns the message of anything that was thrown. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
