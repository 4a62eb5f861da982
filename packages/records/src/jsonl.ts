// Records as JSON lines: one record a line, each line ended by a newline.
// Text in, text out; opening and appending to files belongs to the caller.
import { isMethod, methods, UserError } from '@embed-kd/core'

import { type BenchRecord, recordSchema, SCHEMA_VERSION } from './schema.js'

/** Error about a line that is not a record which this version can read. `line` counts from 1. */
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
  /** Last line of the text, if a killed writer left it unfinished. It holds no record; cut it off before appending. */
  readonly tornLine?: string
}

/**
 * Reads JSON lines. Blank lines are skipped. A torn last line (no newline at its end, incomplete JSON) is returned apart
 * from the records.
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
      throw new RecordError(index + 1, notJson(line))
    }
    records.push(checkRecord(value, index + 1))
  }
  return { records }
}

/**
 * Returns a record as one JSON line, with its newline.
 * @throws Error naming the field, if the record does not follow the schema.
 */
export function formatRecord(record: BenchRecord): string {
  const result = recordSchema.safeParse(record)
  if (!result.success) {
    throw new Error(
      `refusing to write a record that breaks the schema: ${validationError(result.error)}`,
    )
  }
  return `${JSON.stringify(result.data)}\n`
}

function checkRecord(value: unknown, line: number): BenchRecord {
  const result = recordSchema.safeParse(upgraded(value, line))
  if (!result.success) throw new RecordError(line, validationError(result.error))
  return result.data
}

/** What changed with each version of the schema, as a function from a record of the version before. */
const upgrades: Readonly<Record<number, (record: OldRecord) => OldRecord>> = {
  // Version 2 only added fields: micro-batches, rematerialisation, recomputed FLOPs, precision.
  2: (record) => record,
  3: (record) => withoutUnread(withImageCounts(record)),
  // Version 4 only added fields: labels, images seen, checkpoints, results of test images, searches, modules of methods and backends.
  4: (record) => record,
}

interface OldRecord {
  readonly schemaVersion: number
  readonly trial?: { readonly method?: unknown }
  readonly rerunCommand?: unknown
  readonly curves?: object
  readonly graph?: object
}

/** Version 3 has neither the parts of each loss nor the printed graph, which nothing read. */
function withoutUnread({ curves, graph, ...record }: OldRecord): OldRecord {
  const without = (object: object, name: string) =>
    Object.fromEntries(Object.entries(object).filter(([key]) => key !== name))
  return {
    ...record,
    ...(curves && { curves: without(curves, 'lossParts') }),
    ...(graph && { graph: without(graph, 'text') }),
  }
}

/** Version 3 says how many images were used. Earlier records say so in the command that runs their trial again. */
function withImageCounts(record: OldRecord): OldRecord {
  const { rerunCommand = '', trial } = record
  const method = String(trial?.method)
  const hasCentroids = isMethod(method) && methods[method].teacher === 'centroids'
  const counts = ['trainImages', 'testImages', 'centroidImages'].flatMap((name) => {
    if (name === 'centroidImages' && !hasCentroids) return []
    const flag = `--${name.replace('Images', '-images')}`
    const [, images] = new RegExp(`${flag} (\\d+)`).exec(String(rerunCommand)) ?? []
    return images === undefined ? [] : [[name, Number(images)]]
  })
  return { ...record, trial: { ...trial, ...Object.fromEntries(counts) } }
}

/** Returns a record of an earlier version in the form of today. */
function upgraded(value: unknown, line: number): unknown {
  if (Array.isArray(value))
    throw new RecordError(line, `is a list, not a record; ${ONE_A_LINE}: jq -c '.[]' FILE`)
  if (!hasVersion(value))
    throw new RecordError(line, 'has no schemaVersion, so it is no embed-kd record')
  const { schemaVersion: version } = value
  if (version > SCHEMA_VERSION)
    throw new RecordError(
      line,
      `has schema version ${version}, this embed-kd reads ${SCHEMA_VERSION}: update embed-kd`,
    )
  if (version < 1)
    throw new RecordError(line, `has the unknown schema version ${version}: run its trial again`)
  let record = value
  for (let next = version + 1; next <= SCHEMA_VERSION; next++) record = upgrades[next]!(record)
  return { ...record, schemaVersion: SCHEMA_VERSION }
}

const hasVersion = (value: unknown): value is OldRecord =>
  typeof value === 'object' &&
  value !== null &&
  'schemaVersion' in value &&
  Number.isInteger(value.schemaVersion)

function validationError(error: {
  issues: readonly { path: readonly PropertyKey[]; message: string }[]
}): string {
  const shown = error.issues
    .slice(0, 3)
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
  const more = error.issues.length - shown.length
  return shown.join('; ') + (more > 0 ? `; and ${more} more` : '')
}

const ONE_A_LINE = 'write one record a line'

function notJson(line: string): string {
  if (/[\0\uFFFD]/.test(line))
    return 'is not text; decompress the file, or write it as UTF-8 if it is text'
  if (/^\s*[[{]\s*$/.test(line))
    return `begins JSON that goes on in the next line; ${ONE_A_LINE}: jq -c . FILE`
  // Control characters would move the cursor of a terminal.
  const shown = line.slice(0, 60).replaceAll(/\p{Cc}/gu, ' ')
  return `is not JSON (${shown}${line.length > 60 ? '…' : ''}); fix or delete the line`
}
