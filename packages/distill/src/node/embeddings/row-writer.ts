// Writes a safetensors file row by row without holding it: the header says beforehand how large it will be, rows go to their
// places, and what has been written can be resumed after an interruption. The finished file appears under its name at once.
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

import {
  formatSafetensorsHeader,
  sizeOf,
  type SafetensorsEntry,
  type Shape,
  type StorageType,
} from '@embed-kd/core'

import { UserError } from '@embed-kd/core'

export interface Column {
  readonly storage: StorageType
  /** Of one row. */
  readonly shape: Shape
}

/** Rows between two notes of how far the file is. */
const ROWS_PER_NOTE = 4096

export class RowWriter {
  readonly #path: string
  readonly #file: number
  readonly #entries: ReadonlyMap<string, SafetensorsEntry>
  readonly #rows: number
  #done: number
  #noted: number

  /**
   * Begins a file of `rows` rows, or goes on with one that was interrupted.
   * @throws UserError where another file was begun under that name.
   */
  constructor(
    path: string,
    rows: number,
    columns: ReadonlyMap<string, Column>,
    metadata: Readonly<Record<string, string>>,
  ) {
    this.#path = path
    this.#rows = rows
    const header = RowWriter.header(rows, columns, metadata)
    this.#entries = header.entries
    mkdirSync(dirname(path), { recursive: true })
    const noted = this.#readNote()
    if (noted === undefined) {
      this.#file = openSync(this.#partial, 'w+')
      writeSync(this.#file, header.bytes, 0, header.bytes.length, 0)
      ftruncateSync(this.#file, header.fileBytes)
      this.#done = this.#noted = 0
      this.#note()
      return
    }
    this.#file = openSync(this.#partial, 'r+')
    const begun = Buffer.alloc(header.bytes.length)
    readSync(this.#file, begun, 0, begun.length, 0)
    if (!begun.equals(header.bytes))
      throw new UserError(
        `${this.#partial} was begun with another teacher, data set or settings`,
        `remove it and ${this.#progress} to begin anew, or repeat the command it was begun with`,
      )
    this.#done = this.#noted = noted
  }

  /** Returns the header of a file of rows, by which the file is known before it is written. */
  static header(
    rows: number,
    columns: ReadonlyMap<string, Column>,
    metadata: Readonly<Record<string, string>>,
  ): ReturnType<typeof formatSafetensorsHeader> {
    const tensors = [...columns].map(
      ([name, { storage, shape }]) => [name, { storage, shape: [rows, ...shape] }] as const,
    )
    return formatSafetensorsHeader(new Map(tensors), metadata)
  }

  /** Rows written so far: the next to append. */
  get done(): number {
    return this.#done
  }

  /** Writes `count` rows: of each column the bytes of its elements, as they are stored. */
  append(count: number, columns: Readonly<Record<string, Uint8Array>>): void {
    if (this.#done + count > this.#rows)
      throw new Error(
        `${this.#path}: row ${this.#rows - 1} is the last, ${this.#done + count} asked`,
      )
    for (const [name, { begin, end, shape }] of this.#entries) {
      const data = columns[name]
      const rowBytes = sizeOf(shape) === 0 ? 0 : (end - begin) / this.#rows
      if (data?.byteLength !== count * rowBytes)
        throw new Error(
          `${this.#path}: ${count} rows of ${name} are ${count * rowBytes} bytes, got ${data?.byteLength ?? 'none'}`,
        )
      writeSync(this.#file, data, 0, data.byteLength, begin + this.#done * rowBytes)
    }
    this.#done += count
    if (this.#done - this.#noted >= ROWS_PER_NOTE) this.#note()
  }

  /** Gives the file its name. */
  finish(): void {
    if (this.#done !== this.#rows)
      throw new Error(`${this.#path}: ${this.#done} of ${this.#rows} rows were written`)
    fsyncSync(this.#file)
    closeSync(this.#file)
    renameSync(this.#partial, this.#path)
    rmSync(this.#progress)
  }

  /** Removes what was begun under that name. */
  static discard(path: string): void {
    for (const file of [`${path}.partial`, `${path}.progress`]) rmSync(file, { force: true })
  }

  /** Leaves the file to be resumed. */
  interrupt(): void {
    this.#note()
    closeSync(this.#file)
  }

  get #partial(): string {
    return `${this.#path}.partial`
  }

  get #progress(): string {
    return `${this.#path}.progress`
  }

  #readNote(): number | undefined {
    try {
      const rows = Number(readFileSync(this.#progress, 'utf8'))
      return Number.isSafeInteger(rows) && rows >= 0 && rows <= this.#rows ? rows : undefined
    } catch {
      return undefined
    }
  }

  /** Rows first, the note of them after: a note never promises what a crash could lose. */
  #note(): void {
    fsyncSync(this.#file)
    writeFileSync(`${this.#progress}.tmp`, `${this.#done}\n`)
    renameSync(`${this.#progress}.tmp`, this.#progress)
    this.#noted = this.#done
  }
}
