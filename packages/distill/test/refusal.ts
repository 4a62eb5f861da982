// The error of a file that is refused. With TABLES=1 every such error is printed.
import { UserError } from '@embed-kd/core'
import { expect } from 'vitest'

/** Returns the message of the UserError that `run` throws, which must have one line. */
export async function refusal(run: () => unknown): Promise<string> {
  const error: unknown = await Promise.resolve()
    .then(run)
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(UserError)
  const { message } = error as UserError
  expect(message).not.toContain('\n')
  if (process.env.TABLES) process.stdout.write(`${message}\n`)
  return message
}
