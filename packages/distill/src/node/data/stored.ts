// Decoded images by position, in memory or in a file. A file is opened for each read and never held: what stays of it is in the
// system's page cache, which gives way when memory is wanted.

import { closeSync, openSync, readSync } from 'node:fs'

import type { ImageFile } from './dataset.js'

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
  const file = openSync(images.path, 'r')
  try {
    for (let i = 0; i < positions.length; i++)
      readFully(file, into, i * imageBytes, imageBytes, images.begin + positions[i]! * imageBytes)
  } finally {
    closeSync(file)
  }
}

/** Of a file, read at a time. */
const CHUNK_BYTES = 8 * 2 ** 20

/** All images in turn, some whole ones at a time; what is given is valid until the next is asked for. */
export function* storedPixels(
  images: Uint8Array | ImageFile,
  count: number,
  imageBytes: number,
): Iterable<Uint8Array> {
  if (images instanceof Uint8Array) return yield images.subarray(0, count * imageBytes)
  const chunkImages = Math.max(Math.floor(CHUNK_BYTES / imageBytes), 1)
  const chunk = new Uint8Array(chunkImages * imageBytes)
  const file = openSync(images.path, 'r')
  try {
    for (let done = 0; done < count; done += chunkImages) {
      const bytes = Math.min(chunkImages, count - done) * imageBytes
      readFully(file, chunk, 0, bytes, images.begin + done * imageBytes)
      yield chunk.subarray(0, bytes)
    }
  } finally {
    closeSync(file)
  }
}

/** @throws where the file ends before. */
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
