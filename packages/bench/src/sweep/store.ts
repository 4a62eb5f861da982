// The records of a sweep on disk: JSON lines in one directory, appended whole, by one sweep at a time. Survives being killed
// at any moment: a torn last line is cut off when the file is opened again, and its trial runs again.
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

import { formatRecord, parseRecords, type BenchRecord } from '@embed-kd/records'

import { UserError, messageOf } from '@embed-kd/core'
import { FileLock, makeDirectory, writeFailure } from '@embed-kd/distill/node'
import { redactRecord } from '../measure/redact.js'
import { endSurvivors } from './survivors.js'

/** One of several parts of a sweep, from 1. */
export interface Shard {
  readonly index: number
  readonly count: number
}

/** Returns the name of the file that a sweep, or a shard of it, writes. */
export const recordsFile = (shard: Shard | undefined): string =>
  shard ? `records-${shard.index}-of-${shard.count}.jsonl` : 'records.jsonl'

const isRecords = (name: string): boolean => /^records(-\d+-of-\d+)?\.jsonl$/.test(name)

export interface StoreOptions {
  readonly shard?: Shard
  /** Keep the records that are there; otherwise they are set aside as `earlier-….jsonl`. */
  readonly resume: boolean
}

export class RecordStore {
  readonly file: string
  /** Records by id, those of earlier runs included. */
  readonly records = new Map<string, BenchRecord>()
  /** File in which earlier records were set aside, if there were any. */
  readonly setAside: string | undefined
  /** Whether a torn last line was cut off. */
  readonly recovered: boolean
  readonly #descriptor: number
  readonly #lock: FileLock

  private constructor(directory: string, { shard, resume }: StoreOptions) {
    this.file = join(directory, recordsFile(shard))
    try {
      makeDirectory(directory)
      this.#lock = FileLock.take(`${this.file}.lock`, {
        holder: 'sweep',
        remedy: 'wait for it or choose another --out',
      })
    } catch (error) {
      throw unwritable(directory, error)
    }
    try {
      endSurvivors(this.#lock.survivors)
      this.setAside = resume ? undefined : setAside(directory, this.file)
      const { records, recovered } = recover(this.file)
      this.recovered = recovered
      for (const record of records) this.records.set(record.id, record)
      this.#descriptor = openSync(this.file, 'a')
    } catch (error) {
      this.#lock.release()
      throw unwritable(directory, error)
    }
  }

  /** Opens the records of a directory. @throws UserError if it cannot be written, or another sweep writes there. */
  static open(directory: string, options: StoreOptions): RecordStore {
    return new RecordStore(directory, options)
  }

  /**
   * Writes a record, without secrets and home directories; once it returns, the record is on the disk.
   * @throws UserError if it cannot be written; the records before stay whole. Error if its trial has a record already.
   */
  append(record: BenchRecord): void {
    if (this.records.has(record.id)) throw new Error(`trial ${record.id} has a record already`)
    this.#lock.check()
    const stored = redactRecord(record)
    const line = Buffer.from(formatRecord(stored))
    const length = fstatSync(this.#descriptor).size
    try {
      for (let written = 0; written < line.length;)
        written += writeSync(this.#descriptor, line, written)
      fsyncSync(this.#descriptor)
    } catch (error) {
      ftruncateSync(this.#descriptor, length)
      throw writeFailure(this.file, error, 'run the same command with --resume')
    }
    this.records.set(record.id, stored)
  }

  /** Notes the processes that measure for this sweep in its lock, so that the next sweep can end what a killed one left. */
  readonly noteChildren = (pids: Iterable<number>): void => this.#lock.noteChildren(pids)

  close(): void {
    closeSync(this.#descriptor)
    this.#lock.release()
  }
}

/** File name that stands for standard input. */
const STANDARD_INPUT = '-'

/**
 * Reads the records of a directory with all its shards, of one file, or of standard input (`-`).
 * @throws UserError or RecordError; also if there are none.
 */
export function readRecords(path: string): BenchRecord[] {
  const records = recordFiles(path).flatMap(
    (file) => parseRecords(readFileSync(file === STANDARD_INPUT ? 0 : file, 'utf8')).records,
  )
  if (records.length === 0)
    throw new UserError(
      `${path} holds no records`,
      'give the --out directory of a bench that has finished a trial, or a file of records',
    )
  return records
}

function recordFiles(path: string): string[] {
  if (path === STANDARD_INPUT) return [path]
  let names: string[]
  try {
    if (statSync(path).isFile()) return [path]
    names = readdirSync(path).filter(isRecords).sort()
  } catch (error) {
    throw new UserError(
      `${path} cannot be read (${messageOf(error)})`,
      'give the --out directory of a bench, or a file of records',
    )
  }
  return names.map((name) => join(path, name))
}

/** Reads a file of records, and cuts off a torn last line. */
function recover(file: string): { records: BenchRecord[]; recovered: boolean } {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { records: [], recovered: false }
    throw error
  }
  const { records, tornLine } = parseRecords(text)
  if (tornLine !== undefined)
    truncateSync(file, Buffer.byteLength(text.slice(0, text.length - tornLine.length)))
  // The last record is whole, but the sweep was killed before it wrote the newline.
  else if (text !== '' && !text.endsWith('\n')) writeFileSync(file, '\n', { flag: 'a' })
  return { records, recovered: tornLine !== undefined }
}

function setAside(directory: string, file: string): string | undefined {
  const stats = statSync(file, { throwIfNoEntry: false })
  if (!stats || stats.size === 0) return undefined
  const stamp = stats.mtime.toISOString().replaceAll(/[:.]/g, '-')
  const aside = join(directory, `earlier-${stamp}.jsonl`)
  renameSync(file, aside)
  return aside
}

const unwritable = (directory: string, error: unknown): Error =>
  (error as NodeJS.ErrnoException).code === undefined
    ? (error as Error)
    : new UserError(
        `${directory} cannot be written (${messageOf(error)})`,
        'choose a directory for --out that you may write to',
      )
