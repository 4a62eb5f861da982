// Downloads one file: resumed where it broke off, and believed only with the digest that is known.

import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, rmSync, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'

import { DatasetError } from './dataset.js'

/**
 * Downloads a file to `partial`, which may have a part of it already.
 * @param md5 MD5 (hex) of the whole file; a file with another is removed.
 * @throws DatasetError
 */
export async function download(
  source: string,
  partial: string,
  md5: string,
  remedy: string,
): Promise<void> {
  await fetchRest(source, partial, remedy)
  const hash = createHash('md5')
  await pipeline(createReadStream(partial), hash)
  const digest = hash.digest('hex')
  if (digest === md5) return
  rmSync(partial)
  throw new DatasetError(source, `its MD5 is ${digest}, but must be ${md5}; it was removed`, remedy)
}

async function fetchRest(source: string, partial: string, remedy: string): Promise<void> {
  const have = statSync(partial, { throwIfNoEntry: false })?.size ?? 0
  try {
    const response = await fetch(source, have > 0 ? { headers: { range: `bytes=${have}-` } } : {})
    // 416: there is nothing after the part that is here.
    if (response.status === 416) return
    if (!response.ok || !response.body) throw new Error(`the server says ${response.status}`)
    const flags = response.status === 206 ? 'a' : 'w'
    await pipeline(
      Readable.fromWeb(response.body as ReadableStream),
      createWriteStream(partial, { flags }),
    )
  } catch (error) {
    const { message, cause } = error as Error
    const why = cause instanceof Error ? `${message}: ${cause.message}` : message
    throw new DatasetError(source, `it cannot be downloaded (${why})`, remedy)
  }
}
