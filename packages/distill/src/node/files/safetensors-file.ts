// A safetensors file on disk, read tensor by tensor or row by row with positioned reads: only the bytes that are needed are read.
// The format itself is in core.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

import {
  parseSafetensorsHeader,
  readSafetensor,
  safetensorsHeaderBytes,
  type HostTensor,
  type SafetensorsEntry,
} from '@embed-kd/core'

import { UserError, messageOf } from '@embed-kd/core'

/** Bytes of the first read; most headers are shorter. */
const FIRST_READ = 64 * 1024

export class SafetensorsReader {
  readonly path: string
  readonly entries: ReadonlyMap<string, SafetensorsEntry>
  readonly metadata: Readonly<Record<string, string>>
  readonly #file: number

  /** Opens a file. @throws UserError if the file cannot be read or its header is wrong. */
  constructor(path: string) {
    this.path = path
    try {
      this.#file = openSync(path, 'r')
    } catch (error) {
      throw new UserError(`${path} cannot be opened (${messageOf(error)})`, 'check the path')
    }
    try {
      const size = fstatSync(this.#file).size
      const start = this.#read(0, Math.min(FIRST_READ, size))
      const headerBytes = safetensorsHeaderBytes(start, size)
      const header = headerBytes <= start.length ? start : this.#read(0, headerBytes)
      const { entries, metadata } = parseSafetensorsHeader(header, size)
      this.entries = entries
      this.metadata = metadata
    } catch (error) {
      closeSync(this.#file)
      throw new UserError(`${path}: ${messageOf(error)}`, 'give a whole safetensors file')
    }
  }

  /** Reads a tensor. @throws UserError if there is no tensor of that name, or its data cannot be converted. */
  read(name: string): HostTensor {
    const entry = this.entry(name)
    return this.#convert(name, entry, this.#read(entry.begin, entry.end))
  }

  /** Reads rows [first, first + count) of a tensor's first axis. */
  readRows(name: string, first: number, count: number): HostTensor {
    const entry = this.entry(name)
    const [rows = 0, ...rest] = entry.shape
    if (!(first >= 0 && first + count <= rows))
      throw new Error(
        `${this.path}: ${name} has rows 0 to ${rows - 1}, not ${first} and ${count} on`,
      )
    const rowBytes = (entry.end - entry.begin) / rows
    const begin = entry.begin + first * rowBytes
    const end = begin + count * rowBytes
    const part = { storage: entry.storage, shape: [count, ...rest], begin, end }
    return this.#convert(name, part, this.#read(begin, end))
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

  close(): void {
    closeSync(this.#file)
  }

  #convert(name: string, entry: SafetensorsEntry, bytes: Uint8Array): HostTensor {
    try {
      return readSafetensor(name, entry, bytes)
    } catch (error) {
      throw new UserError(`${this.path}: ${messageOf(error)}`, 'save the tensor as F32')
    }
  }

  #read(begin: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - begin)
    let filled = 0
    while (filled < bytes.length) {
      const count = readSync(this.#file, bytes, filled, bytes.length - filled, begin + filled)
      if (count === 0)
        throw new UserError(
          `${this.path} ended at byte ${begin + filled} while it was read`,
          'do not change files in use',
        )
      filled += count
    }
    return bytes
  }
}
