// Decodes the images of a split, several at a time, and yields them in their order. What cannot be decoded ends this or is skipped.

import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'

import type { Tell } from './dataset.js'
import {
  readAndDecode,
  UndecodableError,
  type Decoded,
  type DecodeOptions,
  type EncodedImage,
} from './decode.js'

export interface DecodeAllOptions extends DecodeOptions {
  /** Policy for images that cannot be decoded: fail (default) or skip, with a line for each. */
  readonly corrupt?: 'fail' | 'skip'
  readonly signal?: AbortSignal
}

/** An image, the SHA-256 of its encoded bytes, and its position in the split. */
export interface DecodedImage {
  readonly file: EncodedImage
  readonly position: number
  readonly digest: Buffer
  readonly image: Decoded
}

/** Bytes of decoded images that may wait for their turn. */
const WAITING_BYTES = 256 * 2 ** 20

/** Skipped images that are named; more are counted. */
const NAMED = 10

/** @throws UndecodableError at the first image that cannot be decoded, unless such are skipped. */
export async function* decodeInOrder(
  files: readonly EncodedImage[],
  { corrupt = 'fail', signal, ...options }: DecodeAllOptions,
  tell: Tell,
): AsyncGenerator<DecodedImage> {
  let ahead = 2 * availableParallelism()
  let skipped = 0
  const decode = async (file: EncodedImage, position: number) => {
    try {
      const { bytes, decoded: image } = await readAndDecode(file, options)
      return { file, position, image, digest: digestBytes(bytes) }
    } catch (error) {
      if (corrupt === 'fail' || !(error instanceof UndecodableError)) throw error
      return error
    }
  }
  for await (const decoded of inOrder(files, decode, () => ahead)) {
    signal?.throwIfAborted()
    if (decoded instanceof UndecodableError) {
      if (++skipped <= NAMED) tell(`${decoded.complaint}; skipped`)
      continue
    }
    ahead = Math.max(1, Math.min(ahead, Math.floor(WAITING_BYTES / decoded.image.pixels.length)))
    yield decoded
  }
  if (skipped > 0) tell(`${skipped} of ${files.length} images cannot be decoded, and were skipped`)
}

/** An image that was read, and decoded if it was chosen. */
export type ReadImage = Omit<DecodedImage, 'image'> & { readonly image: Decoded | undefined }

/**
 * Reads all images, decodes the chosen ones, and yields them in order.
 * @throws UndecodableError at the first chosen image that cannot be decoded.
 */
export async function* readInOrder(
  files: readonly EncodedImage[],
  { signal, ...options }: DecodeAllOptions,
  isChosen: (position: number) => boolean,
): AsyncGenerator<ReadImage> {
  const read = async (file: EncodedImage, position: number) => {
    const bytes = await file.read()
    const again = { name: file.name, label: file.label, read: () => Promise.resolve(bytes) }
    const image = isChosen(position) ? (await readAndDecode(again, options)).decoded : undefined
    return { file, position, image, digest: digestBytes(bytes) }
  }
  for await (const image of inOrder(files, read, () => 2 * availableParallelism())) {
    signal?.throwIfAborted()
    yield image
  }
}

const digestBytes = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

/** Runs a task on each item, some ahead of the one that is waited for, and yields the results in order. */
async function* inOrder<T, R>(
  items: readonly T[],
  task: (item: T, position: number) => Promise<R>,
  ahead: () => number,
): AsyncGenerator<R> {
  const begun: Promise<R>[] = []
  for (let next = 0; next < items.length || begun.length > 0;) {
    while (next < items.length && begun.length < ahead()) {
      const result = task(items[next]!, next)
      next++
      // The one who waits for the result hears of its error; until then the error is not unhandled.
      result.catch(() => {})
      begun.push(result)
    }
    yield await begun.shift()!
  }
}
