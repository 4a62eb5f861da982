// Reads records from text that arrives in pieces: JSON lines with Windows line ends, a byte order mark or lines that are
// no records. Such lines are skipped and listed with their place. Text in, records out; files belong to the caller.
import { UserError } from '@embed-kd/core'

import { parseRecords, RecordError } from './jsonl.js'
import type { BenchRecord } from './schema.js'

export interface SkippedLine {
  readonly source: string
  /** Number of the line in its source, from 1. */
  readonly line: number
  readonly reason: string
}

/** More text than this makes a report that browsers open slowly or not at all. */
export const REPORT_LIMIT = 150e6

export class RecordReader {
  readonly records: BenchRecord[] = []
  readonly skipped: SkippedLine[] = []
  #source = ''
  #line = 0
  #rest = ''
  #length = 0
  readonly #limit: number

  /** @param limit most characters of text that are read, all sources together. */
  constructor(limit = REPORT_LIMIT) {
    this.#limit = limit
  }

  /** Begins a source, whose name skipped lines are listed under. */
  open(source: string): void {
    this.#source = source
    this.#line = 0
    this.#rest = ''
  }

  /** Reads the next piece of the source. @throws UserError if there is more text than the limit. */
  push(text: string): void {
    this.#length += text.length
    if (this.#length > this.#limit) {
      throw new UserError(
        `the records hold more than ${this.#limit / 1e6} MB of text, which no browser shows well (reading ${this.#source}, line ${this.#line + 1})`,
        "report fewer files at a time, or leave out curves and graphs first: jq -c 'del(.curves, .graph)' records.jsonl | embed-kd report -",
      )
    }
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) this.#read(line)
  }

  /** Ends the source: a last line without its newline is read too. */
  close(): void {
    if (this.#rest !== '') this.#read(this.#rest)
    this.#rest = ''
  }

  #read(raw: string): void {
    this.#line += 1
    const line = (this.#line === 1 ? raw.replace(/^\uFEFF/, '') : raw).trim()
    if (line === '') return
    try {
      this.records.push(...parseRecords(`${line}\n`).records)
    } catch (error) {
      if (!(error instanceof RecordError)) throw error
      const reason = error.message.replace(/^record on line \d+: /, '')
      this.skipped.push({ source: this.#source, line: this.#line, reason })
    }
  }
}

/** Leaves out records that are equal in everything: the same file given twice adds no runs. */
export function distinctRecords(records: readonly BenchRecord[]): BenchRecord[] {
  const known = new Map<string, string[]>()
  return records.filter((record) => {
    const key = `${record.id} ${record.startedAt}`
    const same = known.get(key)
    if (same === undefined) {
      known.set(key, [])
      return true
    }
    // Equal places are rare, so that only they are compared in full.
    if (same.length === 0) {
      const first = records.find(({ id, startedAt }) => `${id} ${startedAt}` === key)!
      same.push(JSON.stringify(first))
    }
    const text = JSON.stringify(record)
    if (same.includes(text)) return false
    same.push(text)
    return true
  })
}
