// The JSON files of Hugging Face. In all of them null means that the value is absent.
import { readFileSync } from 'node:fs'

import { UserError, messageOf } from '@embed-kd/core'
import { z } from 'zod'

/** @throws UserError if the file cannot be read or is not a JSON object. */
export function readHfJson(path: string, remedy: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new UserError(`${path} cannot be read as JSON (${messageOf(error)})`, remedy)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UserError(`${path} is no JSON object`, remedy)
  return withoutNulls(value) as Record<string, unknown>
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, entry]) => entry !== null)
      .map(([key, entry]) => [key, withoutNulls(entry)]),
  )
}

/** The errors of a schema on one line. */
export const describeIssues = (error: z.ZodError): string =>
  z.prettifyError(error).replace(/\s*\n\s*/g, ' ')
