// Lists the members of a tar archive without reading their contents (POSIX ustar, GNU long names, pax paths and sizes).

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

export interface TarMember {
  readonly name: string
  /** Byte of the archive at which the content begins. */
  readonly begin: number
  readonly bytes: number
}

const BLOCK = 512
const GZIP = Buffer.of(0x1f, 0x8b)
/** Bytes read at a time: enough for the headers of many small members. */
const CHUNK = 1024 * 1024
/** Longest name or set of pax attributes that is believed. */
const MAX_ATTRIBUTES = 1024 * 1024

/** Random access to a file through one chunk that is read ahead. */
class Window {
  readonly bytes: number
  readonly #file: number
  readonly #chunk = Buffer.alloc(CHUNK)
  #begin = 0
  #held = 0

  constructor(path: string) {
    this.#file = openSync(path, 'r')
    this.bytes = fstatSync(this.#file).size
  }

  read(begin: number, bytes: number): Buffer {
    if (begin < this.#begin || begin + bytes > this.#begin + this.#held) {
      if (bytes > CHUNK) {
        const large = Buffer.alloc(bytes)
        return large.subarray(0, readSync(this.#file, large, 0, bytes, begin))
      }
      this.#begin = begin
      this.#held = readSync(this.#file, this.#chunk, 0, CHUNK, begin)
    }
    const from = begin - this.#begin
    return this.#chunk.subarray(from, Math.min(from + bytes, this.#held))
  }

  close(): void {
    closeSync(this.#file)
  }
}

/**
 * Yields the regular files of an archive, and a function that reads the content of a small one.
 * @throws Error if the archive is damaged or ends early.
 */
export function* listTar(
  path: string,
): Iterable<{ readonly member: TarMember; readonly content: () => Buffer }> {
  const archive = new Window(path)
  try {
    let longName: string | undefined
    let pax: Record<string, string> = {}
    let at = 0
    if (archive.bytes === 0) throw new Error('it is empty (0 bytes)')
    if (archive.read(0, 2).equals(GZIP))
      throw new Error('it is compressed with gzip, although its name does not say so')
    while (at < archive.bytes) {
      const header = archive.read(at, BLOCK)
      if (header.length < BLOCK) throw new Error('it is truncated')
      if (header.every((byte) => byte === 0)) {
        requireEnd(archive, at)
        return
      }
      checkHeader(header)
      const type = String.fromCharCode(header[156]!)
      const begin = at + BLOCK
      const bytes = Number(pax.size ?? readSize(header))
      if (!Number.isSafeInteger(bytes) || bytes < 0 || begin + bytes > archive.bytes)
        throw new Error('it is truncated')
      if (type === 'L' || type === 'x') {
        if (bytes > MAX_ATTRIBUTES) throw new Error(`a header takes ${bytes} bytes`)
        const content = Buffer.from(archive.read(begin, bytes))
        if (type === 'L') longName = readText(content, 0, bytes)
        else pax = readPax(content)
      } else {
        const prefix =
          header.toString('latin1', 257, 262) === 'ustar' ? readText(header, 345, 155) : ''
        const short = readText(header, 0, 100)
        const name = pax.path ?? longName ?? (prefix ? `${prefix}/${short}` : short)
        longName = undefined
        pax = {}
        if (type === '0' || type === '\0' || type === '7')
          yield { member: { name, begin, bytes }, content: () => archive.read(begin, bytes) }
      }
      at = begin + BLOCK * Math.ceil(bytes / BLOCK)
    }
    // Some writers leave out the empty blocks at the end, but none the padding of the last member.
    if (at !== archive.bytes) throw new Error('it is truncated')
  } finally {
    archive.close()
  }
}

/** Empty blocks end an archive. Another one that was appended to it would be ignored. */
function requireEnd(archive: Window, begin: number): void {
  for (let at = begin; at < archive.bytes; at += CHUNK)
    if (archive.read(at, CHUNK).some((byte) => byte !== 0))
      throw new Error('more data follows its end: was another archive appended?')
}

function readText(bytes: Buffer, begin: number, length: number): string {
  const end = bytes.indexOf(0, begin)
  return bytes.toString('utf8', begin, end < 0 ? begin + length : Math.min(end, begin + length))
}

/** Reads a size in octal digits, or in binary if the first bit is set (GNU, for 8 GB and more). */
function readSize(header: Buffer): number {
  if ((header[124]! & 0x80) !== 0) return Number(header.readBigUInt64BE(128))
  return Number.parseInt(readText(header, 124, 12).trim() || '0', 8)
}

function checkHeader(header: Buffer): void {
  const said = Number.parseInt(readText(header, 148, 8).trim(), 8)
  let sum = 0
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i]!
  if (sum !== said) throw new Error('it is damaged, or not a tar archive')
}

/** Reads the records of a pax header: `length key=value\n`. */
function readPax(content: Buffer): Record<string, string> {
  const attributes: Record<string, string> = {}
  for (let at = 0; at < content.length;) {
    const space = content.indexOf(0x20, at)
    const length = Number(content.toString('latin1', at, space))
    if (space < 0 || !(length > 0)) break
    const record = content.toString('utf8', space + 1, at + length - 1)
    const equals = record.indexOf('=')
    attributes[record.slice(0, equals)] = record.slice(equals + 1)
    at += length
  }
  return attributes
}
