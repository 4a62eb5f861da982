// Reads the records of a report from files, compressed files, directories and standard input, piece by piece, so that
// memory holds the records and never a whole file's text.
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

import { messageOf, UserError } from '@embed-kd/core'
import {
  distinctRecords,
  RecordReader,
  type BenchRecord,
  type SkippedLine,
} from '@embed-kd/records'

export interface ReadRecords {
  readonly records: BenchRecord[]
  readonly skipped: readonly SkippedLine[]
  /** Whether the records are summaries, since there was too much text to keep them whole. */
  readonly summarized: boolean
}

/**
 * Reads all records of the paths; records that are equal in everything count once.
 * @param paths files of JSON lines (`.gz` too), directories of such files, or `-` for standard input.
 * @throws UserError if a path cannot be read, holds too much, or if there are no records.
 */
export async function readRecordFiles(paths: readonly string[]): Promise<ReadRecords> {
  const reader = new RecordReader()
  for (const path of paths) {
    for (const file of filesOf(path)) {
      try {
        await readInto(reader, file)
      } catch (error) {
        if (error instanceof UserError) throw error
        throw unreadable(file, error)
      }
    }
  }
  const { skipped, summarized } = reader
  if (reader.records.length === 0) {
    const [first] = skipped
    const named = paths.map((path) => (path === '-' ? STANDARD_INPUT : path)).join(', ')
    throw new UserError(
      first === undefined
        ? `${named} holds no records`
        : `${named} holds no records; line ${first.line} of ${first.source}: ${first.reason}`,
      paths.some(isRun)
        ? 'a run of distill or train-teacher has its result in summary.json and its curves in tensorboard/; reports are of the --out directory of embed-kd bench'
        : 'give the --out directory of a bench that has finished a trial, or a file of records',
    )
  }
  return { records: distinctRecords(reader.records), skipped, summarized }
}

/** Whether a path is the directory of a run of distill or train-teacher. */
const isRun = (path: string): boolean => existsSync(join(path, 'tensorboard'))

const STANDARD_INPUT = 'standard input'

async function readInto(reader: RecordReader, file: string): Promise<void> {
  const bytes: Readable = file === '-' ? process.stdin : createReadStream(file)
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  reader.open(file === '-' ? STANDARD_INPUT : file)
  for await (const chunk of uncompressed(bytes)) {
    reader.push(decoder.decode(chunk, { stream: true }))
  }
  reader.push(decoder.decode())
  reader.close()
}

/** Looks at the first bytes instead of the name: standard input has none. */
async function* uncompressed(stream: Readable): AsyncGenerator<Uint8Array> {
  const pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  const first = await pieces.next()
  if (first.done === true) return
  async function* whole() {
    yield first.value as Buffer
    yield* { [Symbol.asyncIterator]: () => pieces }
  }
  const isGzip = first.value[0] === 0x1f && first.value[1] === 0x8b
  // The iteration throws the errors of both streams, so that the callback has nothing to add.
  yield* isGzip ? pipeline(Readable.from(whole()), createGunzip(), () => {}) : whole()
}

const RECORDS = /^records(?:-\d+-of-\d+)?\.jsonl(?:\.gz)?$/
const JSON_LINES = /\.jsonl(?:\.gz)?$/

/** Lists the files of a directory: those that bench writes, or if there are none all files of JSON lines. */
function filesOf(path: string): string[] {
  if (path === '-') return [path]
  let names: string[]
  try {
    if (!statSync(path).isDirectory()) return [path]
    names = readdirSync(path).sort()
  } catch (error) {
    throw unreadable(path, error)
  }
  const written = names.filter((name) => RECORDS.test(name))
  const found = written.length > 0 ? written : names.filter((name) => JSON_LINES.test(name))
  return found.map((name) => join(path, name))
}

const unreadable = (path: string, error: unknown): UserError =>
  (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR'
    ? new UserError(
        `${path} ends in the middle of its compressed data`,
        `copy it again, or read what is there: gzip -dc ${path} | embed-kd report -`,
      )
    : new UserError(
        `${path} cannot be read (${messageOf(error)})`,
        'give the --out directory of a bench, a file of records, or - for standard input',
      )
