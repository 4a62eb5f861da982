// Decoded images by position, in memory or in a file. Files stay open, so that images can be read even if the cache drops the file in
// the meantime; their pixels stay in the system's page cache, which gives way when memory is wanted.

import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'

import type { ImageFile } from './dataset.js'

const open = new Map<string, number>()

/** Opens a file for reading, or keeps it open. A file that was replaced is opened again. */
export function holdFile(path: string): number {
  const held = open.get(path)
  if (held !== undefined) {
    if (fstatSync(held).ino === statSync(path, { throwIfNoEntry: false })?.ino) return held
    closeSync(held)
  }
  const file = openSync(path, 'r')
  open.set(path, file)
  return file
}

/** Copies the images at these positions `into`, one after the other. */
export function readStored(
  images: Uint8Array | ImageFile,
  positions: ArrayLike<number>,
  imageBytes: number,
  into: Uint8Array,
): void {
  if (images instanceof Uint8Array) {
    for (let i = 0; i < positions.length; i++) {
      const begin = positions[i]! * imageBytes
      into.set(images.subarray(begin, begin + imageBytes), i * imageBytes)
    }
    return
  }
  const file = open.get(images.path) ?? holdFile(images.path)
  for (let i = 0; i < positions.length; i++)
    readFully(file, into, i * imageBytes, imageBytes, images.begin + positions[i]! * imageBytes)
}

/** @throws if the file ends before. */
export function readFully(
  file: number,
  into: Uint8Array,
  at: number,
  bytes: number,
  position: number,
): void {
  for (let done = 0; done < bytes;) {
    const count = readSync(file, into, at + done, bytes - done, position + done)
    if (count === 0)
      throw new Error('the file of decoded images is shorter than it was: it was changed in use')
    done += count
  }
}
