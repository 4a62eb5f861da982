// A safetensors file on disk, read tensor by tensor or row by row with positioned reads: only the bytes that are needed are read.
// The format itself is in core.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

import {
  messageOf,
  parseSafetensorsHeader,
  readSafetensor,
  safetensorsHeaderBytes,
  UserError,
  type HostTensor,
  type SafetensorsEntry,
} from '@embed-kd/core'

/** Bytes of the first read; most headers are shorter. */
const FIRST_READ = 64 * 1024

export class SafetensorsReader {
  readonly path: string
  readonly entries: ReadonlyMap<string, SafetensorsEntry>
  readonly metadata: Readonly<Record<string, string>>
  /** Size of the file. */
  readonly fileBytes: number
  /** Descriptor; undefined while the file is closed. */
  #file: number | undefined

  /** Opens a file. @throws UserError if the file cannot be read or its header is wrong. */
  constructor(path: string) {
    this.path = path
    const file = this.#open()
    try {
      this.fileBytes = fstatSync(file).size
      const start = this.#readAt(0, Math.min(FIRST_READ, this.fileBytes))
      const headerBytes = safetensorsHeaderBytes(start, this.fileBytes)
      const header = headerBytes <= start.length ? start : this.#readAt(0, headerBytes)
      const { entries, metadata } = parseSafetensorsHeader(header, this.fileBytes)
      this.entries = entries
      this.metadata = metadata
    } catch (error) {
      this.close()
      throw new UserError(`${path}: ${messageOf(error)}`, 'give a whole safetensors file')
    }
  }

  /** Reads a tensor. @throws UserError if there is no tensor of that name, or its data cannot be converted. */
  read(name: string): HostTensor {
    const entry = this.entry(name)
    return this.#convert(name, entry, this.#readAt(entry.begin, entry.end))
  }

  /**
   * Reads some rows of a tensor's first axis. Neighbours are read at once.
   * @param rows positions in ascending order.
   */
  readRows(name: string, rows: ArrayLike<number>): HostTensor {
    const entry = this.entry(name)
    const [count = 0, ...rest] = entry.shape
    const bytesEach = count === 0 ? 0 : (entry.end - entry.begin) / count
    const bytes = new Uint8Array(rows.length * bytesEach)
    for (let i = 0, next; i < rows.length; i = next) {
      const first = rows[i]!
      for (next = i + 1; next < rows.length && rows[next] === first + next - i;) next++
      if (!(first >= 0 && first + next - i <= count))
        throw new Error(
          `${this.path}: ${name} has rows 0 to ${count - 1}, not ${first} to ${first + next - i - 1}`,
        )
      this.#fill(bytes.subarray(i * bytesEach, next * bytesEach), entry.begin + first * bytesEach)
    }
    const { storage } = entry
    const part = { storage, shape: [rows.length, ...rest], begin: 0, end: bytes.length }
    return this.#convert(name, part, bytes)
  }

  entry(name: string): SafetensorsEntry {
    const entry = this.entries.get(name)
    if (!entry)
      throw new UserError(
        `${this.path} has no tensor ${name}`,
        `it has ${[...this.entries.keys()].slice(0, 8).join(', ') || 'none'}${this.entries.size > 8 ? ', …' : ''}`,
      )
    return entry
  }

  /** Closes the file. A later read opens the file again. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #open(): number {
    if (this.#file !== undefined) return this.#file
    try {
      return (this.#file = openSync(this.path, 'r'))
    } catch (error) {
      throw new UserError(`${this.path} cannot be opened (${messageOf(error)})`, 'check the path')
    }
  }

  #convert(name: string, entry: SafetensorsEntry, bytes: Uint8Array): HostTensor {
    try {
      return readSafetensor(name, entry, bytes)
    } catch (error) {
      throw new UserError(`${this.path}: ${messageOf(error)}`, 'save the tensor as F32')
    }
  }

  #readAt(begin: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - begin)
    this.#fill(bytes, begin)
    return bytes
  }

  /** Reads the bytes from `begin` on until `bytes` is full. */
  #fill(bytes: Uint8Array, begin: number): void {
    const file = this.#open()
    let filled = 0
    while (filled < bytes.length) {
      const count = readSync(file, bytes, filled, bytes.length - filled, begin + filled)
      if (count === 0)
        throw new UserError(
          `${this.path} ended at byte ${begin + filled} while it was read`,
          'do not change files in use',
        )
      filled += count
    }
  }
}
