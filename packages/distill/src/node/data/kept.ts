// The file that keeps decoded images: pixels of both splits, labels, checksums, then the rest of the data set as JSON and the length of
// that JSON in the last eight bytes. A file that is not whole is not believed.

import { closeSync, openSync, statSync } from 'node:fs'

import type { Dataset } from './dataset.js'
import { holdFile, readFully } from './stored.js'

type Facts = Omit<Dataset, 'train' | 'test'> & {
  readonly counts: Readonly<Record<'train' | 'test', number>>
  /** Lines told while the images were decoded; they are told again whenever the file is opened. */
  readonly warnings: readonly string[]
}

export interface Kept {
  readonly dataset: Dataset
  readonly warnings: readonly string[]
}

/** Returns what follows the pixels. */
export function formatTail({ dataset: { train, test, ...rest }, warnings }: Kept): Buffer {
  const counts = { train: train.count, test: test.count }
  const facts = Buffer.from(JSON.stringify({ ...rest, counts, warnings } satisfies Facts))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(facts.length))
  const arrays = [train.labels, test.labels, train.checksums!, test.checksums!]
  return Buffer.concat([
    ...arrays.map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)),
    facts,
    length,
  ])
}

/** Most bytes of JSON that are believed. */
const MAX_FACTS = 64 * 2 ** 20

/** Returns undefined if there is no such file, or it is not whole. Its pixels are not read: there may be too many. */
export function readKept(path: string): Kept | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return undefined
  }
  try {
    let end = statSync(path).size
    /** Returns the bytes before those that were taken last. */
    const take = (bytes: number): Uint8Array => {
      if (!(bytes >= 0 && bytes <= end)) throw new Error('the file is not whole')
      const part = new Uint8Array(bytes)
      readFully(file, part, 0, bytes, (end -= bytes))
      return part
    }
    const length = Number(Buffer.from(take(8)).readBigUInt64LE())
    if (length > MAX_FACTS) return undefined
    const { counts, warnings, ...rest } = JSON.parse(Buffer.from(take(length)).toString()) as Facts
    const [testSums, trainSums] = [counts.test, counts.train].map(
      (count) => new Uint32Array(take(4 * count).buffer),
    )
    const [testLabels, trainLabels] = [counts.test, counts.train].map(
      (count) => new Int32Array(take(4 * count).buffer),
    )
    const imageBytes = rest.channels * rest.height * rest.width
    if (end !== (counts.train + counts.test) * imageBytes) return undefined
    const split = (labels: Int32Array, checksums: Uint32Array, begin: number) => ({
      images: { path, begin },
      labels,
      count: labels.length,
      checksums,
    })
    holdFile(path)
    const dataset = {
      ...rest,
      train: split(trainLabels!, trainSums!, 0),
      test: split(testLabels!, testSums!, counts.train * imageBytes),
    }
    return { dataset, warnings }
  } catch {
    return undefined
  } finally {
    closeSync(file)
  }
}
