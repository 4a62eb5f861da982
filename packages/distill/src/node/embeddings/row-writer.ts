// Writes a safetensors file row by row without holding it: the header says beforehand how large it will be, rows go to their
// places, and what has been written can be resumed after an interruption. The finished file appears under its name at once.
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
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
  hostTensor,
  sizeOf,
  UserError,
  type SafetensorsEntry,
  type Shape,
} from '@embed-kd/core'

import { rawBytes, type Column, type Columns, type Constants } from '../../embeddings/store.js'
import { makeDirectory } from '../files/make-directory.js'
import { isFull, writeFailure } from '../files/output-file.js'

/** Rows between two notes of how far the file is. */
const ROWS_PER_NOTE = 4096

export class RowWriter {
  readonly #path: string
  readonly #file: number
  readonly #columns: readonly string[]
  readonly #constants: ReadonlyMap<string, Shape>
  readonly #entries: ReadonlyMap<string, SafetensorsEntry>
  readonly #rows: number
  #done: number
  #noted: number

  /**
   * Begins a file of `rows` rows, or goes on with one that was interrupted.
   * @param constants shapes of float32 tensors that are written once, before the first row.
   * @throws UserError if another file was begun under that name, or the file cannot be written.
   */
  constructor(
    path: string,
    rows: number,
    columns: Columns,
    metadata: Readonly<Record<string, string>>,
    constants: ReadonlyMap<string, Shape> = new Map(),
  ) {
    this.#path = path
    this.#rows = rows
    this.#columns = [...columns.keys()]
    this.#constants = constants
    const header = RowWriter.header(rows, columns, metadata, constants)
    this.#entries = header.entries
    const noted = this.#readNote()
    this.#file = this.#writing(() => {
      makeDirectory(dirname(path))
      return openSync(this.#partial, noted === undefined ? 'w+' : 'r+')
    })
    if (noted === undefined) {
      this.#writing(() => {
        writeSync(this.#file, header.bytes, 0, header.bytes.length, 0)
        ftruncateSync(this.#file, header.fileBytes)
        this.#note()
      })
      this.#done = this.#noted = 0
      return
    }
    const begun = Buffer.alloc(header.bytes.length)
    readSync(this.#file, begun, 0, begun.length, 0)
    if (!begun.equals(header.bytes))
      throw new UserError(
        `${this.#partial} was begun with another teacher, data set or settings`,
        `remove it and ${this.#progress} to begin anew, or repeat the command it was begun with`,
      )
    this.#done = this.#noted = noted
  }

  /** Returns the header of a file of rows and constants, by which the file is known before it is written. */
  static header(
    rows: number,
    columns: Columns,
    metadata: Readonly<Record<string, string>>,
    constants: ReadonlyMap<string, Shape> = new Map(),
  ): ReturnType<typeof formatSafetensorsHeader> {
    const tensors = new Map<string, Column>()
    for (const [name, { storage, shape }] of columns)
      tensors.set(name, { storage, shape: [rows, ...shape] })
    for (const [name, shape] of constants) tensors.set(name, { storage: 'F32', shape })
    return formatSafetensorsHeader(tensors, metadata)
  }

  /** Rows written so far: the next to append. */
  get done(): number {
    return this.#done
  }

  /**
   * Returns the constants of the file. Before the first row they are computed and written; an interrupted file has them already.
   * @param compute returns tensors of the constants' shapes.
   */
  async constants(compute: () => Promise<Constants>): Promise<Constants> {
    if (this.#constants.size === 0) return new Map()
    if (this.#done > 0) return this.#readConstants()
    const computed = await compute()
    for (const name of this.#constants.keys()) {
      const data = rawBytes(computed.get(name)!.data)
      writeSync(this.#file, data, 0, data.length, this.#entries.get(name)!.begin)
    }
    return computed
  }

  #readConstants(): Constants {
    return new Map(
      [...this.#constants].map(([name, shape]) => {
        const tensor = hostTensor('float32', shape)
        const bytes = rawBytes(tensor.data)
        readSync(this.#file, bytes, 0, bytes.length, this.#entries.get(name)!.begin)
        return [name, tensor]
      }),
    )
  }

  /** Writes `count` rows: of each column the bytes of its elements, as they are stored. */
  append(count: number, columns: Readonly<Record<string, Uint8Array>>): void {
    if (this.#done + count > this.#rows)
      throw new Error(
        `${this.#path}: row ${this.#rows - 1} is the last, ${this.#done + count} asked`,
      )
    for (const name of this.#columns) {
      const { begin, end, shape } = this.#entries.get(name)!
      const data = columns[name]
      const rowBytes = sizeOf(shape) === 0 ? 0 : (end - begin) / this.#rows
      if (data?.byteLength !== count * rowBytes)
        throw new Error(
          `${this.#path}: ${count} rows of ${name} are ${count * rowBytes} bytes, got ${data?.byteLength ?? 'none'}`,
        )
      this.#writing(() =>
        writeSync(this.#file, data, 0, data.byteLength, begin + this.#done * rowBytes),
      )
    }
    this.#done += count
    if (this.#done - this.#noted >= ROWS_PER_NOTE) this.#writing(() => this.#note())
  }

  /** Gives the file its name. */
  finish(): void {
    if (this.#done !== this.#rows)
      throw new Error(`${this.#path}: ${this.#done} of ${this.#rows} rows were written`)
    this.#writing(() => fsyncSync(this.#file))
    closeSync(this.#file)
    this.#writing(() => renameSync(this.#partial, this.#path))
    rmSync(this.#progress, { force: true })
  }

  /** Removes what was begun under that name. */
  static discard(path: string): void {
    for (const file of [`${path}.partial`, `${path}.progress`]) rmSync(file, { force: true })
  }

  /** Leaves the file to be resumed, from an earlier row if no space is left to note the last one. */
  interrupt(): void {
    try {
      this.#note()
    } catch (error) {
      if (!isFull(error)) throw error
    } finally {
      closeSync(this.#file)
    }
  }

  /** Calls a function that writes. @throws UserError if the file system refuses. */
  #writing<T>(write: () => T): T {
    try {
      return write()
    } catch (error) {
      throw writeFailure(this.#path, error, 'run the same command again, which goes on')
    }
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
    const unfinished = `${this.#progress}.tmp`
    try {
      writeFileSync(unfinished, `${this.#done}\n`)
      renameSync(unfinished, this.#progress)
    } finally {
      rmSync(unfinished, { force: true })
    }
    this.#noted = this.#done
  }
}
