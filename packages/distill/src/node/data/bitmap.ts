// Readers of two plain image formats that sharp does not read: BMP (Windows) and PNM (PBM, PGM, PPM). Both give RGB.

import type { Size } from './resize.js'

export interface Bitmap extends Size {
  /** `[height, width, 3]` */
  readonly data: Uint8Array
  /** Whether the file has more than 8 bits a channel. */
  readonly isDeep?: boolean
}

/** Checks an image's size before memory is allocated for it. @throws if it is too large. */
export type SizeCheck = (size: Size) => void

/** Returns the pixels of a BMP or PNM file, or undefined if the bytes are neither. @throws if the file is damaged. */
export function readBitmap(bytes: Uint8Array, check: SizeCheck): Bitmap | undefined {
  if (bytes[0] === 0x42 && bytes[1] === 0x4d) return readBmp(bytes, check)
  const isPnm = bytes[0] === 0x50 && bytes[1]! >= 0x31 && bytes[1]! <= 0x36
  return isPnm ? readPnm(bytes, check) : undefined
}

const BI_RGB = 0
const BI_BITFIELDS = 3

function readBmp(bytes: Uint8Array, check: SizeCheck): Bitmap {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 26) throw new Error('BMP header is truncated')
  const begin = view.getUint32(10, true)
  const headerBytes = view.getUint32(14, true)
  const isCore = headerBytes === 12
  if (bytes.length < (isCore ? 26 : 54)) throw new Error('BMP header is truncated')
  const width = isCore ? view.getUint16(18, true) : view.getInt32(18, true)
  const rows = isCore ? view.getUint16(20, true) : view.getInt32(22, true)
  const depth = view.getUint16(isCore ? 24 : 28, true)
  const compression = isCore ? BI_RGB : view.getUint32(30, true)
  const height = Math.abs(rows)
  if (width <= 0 || height === 0) throw new Error(`BMP says its size is ${width}x${rows}`)
  if (![1, 4, 8, 16, 24, 32].includes(depth)) throw new Error(`BMP of ${depth} bits a pixel`)
  if (compression !== BI_RGB && compression !== BI_BITFIELDS)
    throw new Error('compressed BMP is not read; convert it to PNG')
  check({ height, width })
  const rowBytes = 4 * Math.ceil((width * depth) / 32)
  if (bytes.length < begin + rowBytes * height) throw new Error('BMP is truncated')

  const data = new Uint8Array(3 * width * height)
  const colours = 14 + headerBytes
  const colourBytes = isCore ? 3 : 4
  const masks =
    compression === BI_BITFIELDS
      ? [0, 1, 2].map((channel) => view.getUint32(54 + 4 * channel, true))
      : depth === 16
        ? [0x7c00, 0x03e0, 0x001f]
        : [0xff0000, 0xff00, 0xff]
  const readMasked = (value: number, mask: number): number => {
    if (mask === 0) return 0
    const shift = 31 - Math.clz32(mask & -mask)
    return Math.round(((((value & mask) >>> 0) >>> shift) * 255) / (mask >>> shift))
  }
  for (let y = 0; y < height; y++) {
    const row = begin + rowBytes * (rows > 0 ? height - 1 - y : y)
    for (let x = 0; x < width; x++) {
      const to = 3 * (y * width + x)
      if (depth <= 8) {
        const bit = x * depth
        const byte = bytes[row + (bit >> 3)]!
        const index = (byte >> (8 - depth - (bit & 7))) & ((1 << depth) - 1)
        const from = colours + colourBytes * index
        if (from + 3 > begin) throw new Error(`BMP has no colour ${index}`)
        for (let channel = 0; channel < 3; channel++)
          data[to + channel] = bytes[from + 2 - channel]!
      } else if (depth === 24) {
        for (let channel = 0; channel < 3; channel++)
          data[to + channel] = bytes[row + 3 * x + 2 - channel]!
      } else {
        const at = row + (x * depth) / 8
        const value = depth === 16 ? view.getUint16(at, true) : view.getUint32(at, true)
        masks.forEach((mask, channel) => (data[to + channel] = readMasked(value, mask)))
      }
    }
  }
  return { height, width, data }
}

function readPnm(bytes: Uint8Array, check: SizeCheck): Bitmap {
  let at = 2
  /** Reads the next decimal number after white space and comments. */
  const readNumber = (): number => {
    while (at < bytes.length && (bytes[at]! <= 0x20 || bytes[at] === 0x23))
      if (bytes[at] === 0x23) while (at < bytes.length && bytes[at] !== 0x0a) at++
      else at++
    let value = -1
    for (; bytes[at]! >= 0x30 && bytes[at]! <= 0x39; at++)
      value = Math.max(value, 0) * 10 + bytes[at]! - 0x30
    if (value < 0) throw new Error('PNM is truncated')
    return value
  }
  const kind = bytes[1]! - 0x30
  const isBits = kind === 1 || kind === 4
  const isText = kind <= 3
  const channels = kind === 3 || kind === 6 ? 3 : 1
  const width = readNumber()
  const height = readNumber()
  const largest = isBits ? 1 : readNumber()
  if (width === 0 || height === 0 || largest === 0 || largest > 65_535)
    throw new Error(`PNM of ${width}x${height} pixels up to ${largest}`)
  check({ height, width })
  const data = new Uint8Array(3 * width * height)
  if (!isText) at++
  const sampleBytes = largest > 255 ? 2 : 1
  const rowBytes = isBits ? Math.ceil(width / 8) : width * channels * sampleBytes
  if (!isText && bytes.length < at + rowBytes * height) throw new Error('PNM is truncated')
  const readSample = (y: number, sample: number): number => {
    if (isText) return kind === 1 ? readBit() : readNumber()
    const row = at + y * rowBytes
    if (isBits) return (bytes[row + (sample >> 3)]! >> (7 - (sample & 7))) & 1
    if (sampleBytes === 1) return bytes[row + sample]!
    return (bytes[row + 2 * sample]! << 8) | bytes[row + 2 * sample + 1]!
  }
  /** Digits of a text bitmap need no space between them. */
  const readBit = (): number => {
    while (at < bytes.length && bytes[at] !== 0x30 && bytes[at] !== 0x31) at++
    if (at === bytes.length) throw new Error('PNM is truncated')
    return bytes[at++]! - 0x30
  }
  for (let y = 0, to = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let channel = 0; channel < 3; channel++, to++) {
        if (channel >= channels) data[to] = data[to - 1]!
        else {
          const sample = readSample(y, x * channels + channel)
          // In bitmaps 1 is black.
          data[to] = Math.round((255 * (isBits ? 1 - sample : Math.min(sample, largest))) / largest)
        }
      }
  return { height, width, data, isDeep: sampleBytes === 2 }
}
