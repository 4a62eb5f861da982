// Records as JSON lines: one record a line, each line ended by a newline.
// Text in, text out; opening and appending to files belongs to the caller.
import { UserError } from '@embed-kd/core'

import { type BenchRecord, recordSchema, SCHEMA_VERSION } from './schema.js'

/** A line that is not a record this version can read. `line` counts from 1. */
export class RecordError extends UserError {
  override readonly name = 'RecordError'
  readonly line: number

  constructor(line: number, message: string) {
    super(`record on line ${line}: ${message}`)
    this.line = line
  }
}

export interface ParsedRecords {
  readonly records: BenchRecord[]
  /** The last line, where a killed writer left it unfinished. It holds no record; cut it off before appending. */
  readonly tornLine?: string
}

/**
 * Reads JSON lines. Blank lines are passed over, and a last line that was torn (no newline at its end, no whole JSON)
 * is handed back apart from the records.
 * @throws RecordError at the first other line that is no JSON, no record, or of another schema version.
 */
export function parseRecords(text: string): ParsedRecords {
  const records: BenchRecord[] = []
  const lines = text.split('\n')
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch {
      if (index === lines.length - 1) return { records, tornLine: line }
      throw new RecordError(index + 1, `is not JSON (${excerpt(line)}); mend or delete the line`)
    }
    records.push(checkRecord(value, index + 1))
  }
  return { records }
}

/**
 * One JSON line, with its newline.
 * @throws Error naming the field, if the record does not follow the schema.
 */
export function formatRecord(record: BenchRecord): string {
  const result = recordSchema.safeParse(record)
  if (!result.success) {
    throw new Error(
      `refusing to write a record that breaks the schema: ${complaints(result.error)}`,
    )
  }
  return `${JSON.stringify(result.data)}\n`
}

function checkRecord(value: unknown, line: number): BenchRecord {
  const result = recordSchema.safeParse(migrated(value, line))
  if (!result.success) throw new RecordError(line, complaints(result.error))
  return result.data
}

/** The record in the form of today. Version 2 only added fields: micro-batches, rematerialisation, recomputed FLOPs, precision. */
function migrated(value: unknown, line: number): unknown {
  const version =
    typeof value === 'object' && value !== null && 'schemaVersion' in value
      ? value.schemaVersion
      : undefined
  if (version === SCHEMA_VERSION) return value
  if (version === 1) return { ...(value as object), schemaVersion: SCHEMA_VERSION }
  if (typeof version !== 'number') {
    throw new RecordError(line, 'has no schemaVersion, so it is no embed-kd record')
  }
  throw new RecordError(
    line,
    version > SCHEMA_VERSION
      ? `has schema version ${version}, this embed-kd reads ${SCHEMA_VERSION}: update embed-kd`
      : `has schema version ${version}, which is no longer read (now ${SCHEMA_VERSION}): run its trial again`,
  )
}

function complaints(error: {
  issues: readonly { path: readonly PropertyKey[]; message: string }[]
}): string {
  const shown = error.issues
    .slice(0, 3)
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
  const more = error.issues.length - shown.length
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '')
}

function excerpt(line: string): string {
  return line.length > 60 ? `${line.slice(0, 60)}…` : line
}
