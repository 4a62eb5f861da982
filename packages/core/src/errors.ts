// Errors that the caller can fix, told apart from bugs of this project: the former print as one line, the latter with a stack.

/** Error that the caller can fix. The message says what was given and why it cannot be used, then what to do. */
export class UserError extends Error {
  override readonly name: string = 'UserError'

  constructor(cause: string, remedy?: string) {
    super(remedy === undefined ? cause : `${cause}; ${remedy}`)
  }
}

/**
 * Returns a question such as `did you mean mnist? ` with the choice that is closest to a misspelt word, for the start of a remedy.
 * Returns an empty text if no choice is close.
 */
export function guess(word: string, choices: readonly string[]): string {
  const [best] = choices
    .map((choice) => ({ choice, distance: editDistance(word, choice) }))
    .filter(({ choice, distance }) => distance <= Math.max(1, Math.floor(choice.length / 3)))
    .toSorted((a, b) => a.distance - b.distance)
  return best ? `did you mean ${best.choice}? ` : ''
}

/** Number of letters to insert, delete, replace, or swap with their neighbours, until one word is the other. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(replaced, rows[i - 1]![j]! + 1, row[j - 1]! + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}

/** Whether the message of an error says cause and remedy, so that no stack is needed. */
export const isForUser = (error: unknown): error is UserError => error instanceof UserError

/** Returns what a terminal shows of an error: one line for the caller's own, a stack for ours. */
export const describeError = (error: unknown): string =>
  isForUser(error)
    ? `error: ${error.message}`
    : `unexpected error, please report it: ${(error as Error)?.stack ?? String(error)}`

/** Returns the message of anything that was thrown. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
