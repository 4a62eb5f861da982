// Reads records from text that arrives in pieces: JSON lines with Windows line ends, a byte order mark or lines that are
// no records. Such lines are skipped and listed with their place. Text in, records out; files belong to the caller.
// Memory is bounded: of more text than a page can hold, records keep their summaries only.
import { UserError } from '@embed-kd/core'

import { parseRecords, RecordError } from './jsonl.js'
import type { BenchRecord } from './schema.js'
import { summarize } from './summary.js'

export interface SkippedLine {
  readonly source: string
  /** Number of the line in its source, from 1. */
  readonly line: number
  readonly reason: string
}

/** Characters of text up to which records are kept whole. */
export const MOST_TEXT = 150e6
/** Most lines that are read. Their summaries make a page that a browser opens within seconds. */
const MOST_LINES = 100_000

export class RecordReader {
  readonly records: BenchRecord[] = []
  readonly skipped: SkippedLine[] = []
  #summarized = false
  #source = ''
  #line = 0
  /** Pieces of a line whose end has not arrived. */
  #rest: string[] = []
  #restLength = 0
  #length = 0
  readonly #parts = new Map<string, object>()
  readonly #mostText: number
  readonly #mostLines: number

  constructor({ mostText = MOST_TEXT, mostLines = MOST_LINES } = {}) {
    this.#mostText = mostText
    this.#mostLines = mostLines
  }

  /** Whether there was more text than records are kept whole of, so that all records are summaries. */
  get summarized(): boolean {
    return this.#summarized
  }

  /** Begins a source, whose name skipped lines are listed under. */
  open(source: string): void {
    this.#source = source
    this.#line = 0
    this.#keep('')
  }

  /** Reads the next piece of the source. @throws UserError if there are too many lines, or one is too long. */
  push(text: string): void {
    this.#length += text.length
    if (this.#length > this.#mostText && !this.#summarized) {
      this.#summarized = true
      for (const [at, record] of this.records.entries()) this.records[at] = summarize(record)
    }
    const end = text.lastIndexOf('\n')
    if (end < 0) {
      this.#rest.push(text)
      this.#restLength += text.length
    } else {
      const lines = `${this.#rest.join('')}${text.slice(0, end)}`.split('\n')
      this.#keep(text.slice(end + 1))
      for (const line of lines) this.#read(line)
    }
    if (this.#restLength > this.#mostText) {
      throw new UserError(
        `line ${this.#line + 1} of ${this.#source} is longer than ${this.#mostText / 1e6} MB, so it is no record`,
        'give JSON lines: one record a line',
      )
    }
  }

  /** Ends the source: a last line without its newline is read too. */
  close(): void {
    const last = this.#rest.join('')
    this.#keep('')
    if (last !== '') this.#read(last)
  }

  #keep(rest: string): void {
    this.#rest = [rest]
    this.#restLength = rest.length
  }

  #read(raw: string): void {
    this.#line += 1
    const line = (this.#line === 1 ? raw.replace(/^\uFEFF/, '') : raw).trim()
    if (line === '') return
    if (this.records.length + this.skipped.length >= this.#mostLines) {
      throw new UserError(
        `more than ${this.#mostLines.toLocaleString('en')} records are more than a browser shows well (reading ${this.#source}, line ${this.#line})`,
        `report a part at a time, for example a backend: jq -c 'select(.trial.backend == "ort:cpu")' records.jsonl | embed-kd report -`,
      )
    }
    try {
      for (const record of parseRecords(`${line}\n`).records)
        this.records.push(this.#share(this.#summarized ? summarize(record) : record))
    } catch (error) {
      if (!(error instanceof RecordError)) throw error
      const reason = error.message.replace(/^record on line \d+: /, '')
      this.skipped.push({ source: this.#source, line: this.#line, reason })
    }
  }

  /** Returns the record with one object for whatever earlier records said in the same words. */
  #share({ environment, cost, trial, ...record }: BenchRecord): BenchRecord {
    const { teacher, student, dataset } = trial
    return {
      ...record,
      trial: {
        ...trial,
        student: this.#known(student),
        dataset: this.#known(dataset),
        ...(teacher && { teacher: this.#known(teacher) }),
      },
      environment: this.#known(environment),
      ...(cost && { cost: this.#known(cost) }),
    }
  }

  #known<T extends object>(part: T): T {
    const text = JSON.stringify(part)
    const known = this.#parts.get(text)
    if (known === undefined) this.#parts.set(text, part)
    return (known ?? part) as T
  }
}

/** Leaves out records that are equal in everything: the same file given twice adds no runs. */
export function distinctRecords(records: readonly BenchRecord[]): BenchRecord[] {
  const known = new Map<string, { readonly first: BenchRecord; texts?: Set<string> }>()
  return records.filter((record) => {
    const key = `${record.id} ${record.startedAt}`
    const same = known.get(key)
    if (same === undefined) {
      known.set(key, { first: record })
      return true
    }
    // Equal ids and times are rare, so that only their records are compared in full.
    same.texts ??= new Set([JSON.stringify(same.first)])
    const before = same.texts.size
    return same.texts.add(JSON.stringify(record)).size > before
  })
}
