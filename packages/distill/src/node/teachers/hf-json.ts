// The JSON files of Hugging Face. In all of them null means that a value is absent, and a switch is off.
import { readFileSync } from 'node:fs'

import { UserError, messageOf } from '@embed-kd/core'
import { z } from 'zod'

/**
 * Reads a file without the entries that are null.
 * @param switches keys that are false if they are null.
 * @throws UserError if the file cannot be read or is not a JSON object.
 */
export function readHfJson(
  path: string,
  remedy: string,
  switches?: RegExp,
): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const reason = messageOf(error).replace(/\s+/g, ' ')
    throw new UserError(`${path} cannot be read as JSON (${reason})`, remedy)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UserError(`${path} is no JSON object`, remedy)
  return withoutNulls(value, switches) as Record<string, unknown>
}

function withoutNulls(value: unknown, switches?: RegExp): unknown {
  if (Array.isArray(value)) return value.map((entry) => withoutNulls(entry, switches))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, entry]) =>
      entry !== null
        ? [[key, withoutNulls(entry, switches)]]
        : switches?.test(key)
          ? [[key, false]]
          : [],
    ),
  )
}

/** The errors of a schema on one line. */
export const describeIssues = (error: z.ZodError): string =>
  z.prettifyError(error).replace(/\s*\n\s*/g, ' ')
