// The place where embed writes: a file, or an object. What becomes an object is a file in the cache until it is complete, so that an
// interrupted call goes on there; then it is uploaded, and appears whole.
import { closeSync, openSync, readSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'

import { UserError } from '@embed-kd/core'

import { defaultCacheDirectory } from '../data/cache-directory.js'
import { hashOf } from '../files/tensors.js'
import { formatAddress, isObjectAddress, parseAddress } from './address.js'
import { endpointOf } from './client.js'
import { ObjectStore } from './store.js'

export interface Output {
  /** File to write. */
  readonly file: string
  /** Whether a complete file of this name and size, which begins with `header`, is there already. */
  isMade?(file: string, header: Uint8Array, bytes: number): Promise<boolean>
  /** Puts a complete file in its place, and returns the name by which it is found there. */
  finish(file: string): Promise<string>
}

/** @throws UserError if an address names no object, or the client of stores is not installed. */
export function openOutput(out: string): Output {
  if (!isObjectAddress(out)) return { file: out, finish: (file) => Promise.resolve(file) }
  const { bucket, key } = parseAddress(out)
  if (key === '' || key.endsWith('/'))
    throw new UserError(
      `${out} names no object`,
      'give an address such as s3://bucket/x.safetensors',
    )
  const store = new ObjectStore()
  const endpoint = endpointOf()
  const directory = join(defaultCacheDirectory(), `upload-${hashOf({ endpoint, out })}.partial`)
  const addressOf = (file: string) => ({
    bucket,
    key: `${key.slice(0, key.lastIndexOf('/') + 1)}${basename(file)}`,
  })
  return {
    file: join(directory, basename(key)),
    async isMade(file, header, bytes) {
      // An upload that failed has left the complete file.
      if (beginsWith(file, header, bytes)) return true
      const object = await store.find(addressOf(file))
      return (
        object?.bytes === bytes &&
        Buffer.from(header).equals(await store.readStart(object, header.length))
      )
    },
    async finish(file) {
      const address = addressOf(file)
      if (sizeOf(file) !== undefined) {
        await store.upload(file, address)
        rmSync(file)
      }
      return formatAddress(address)
    },
  }
}

function beginsWith(file: string, header: Uint8Array, bytes: number): boolean {
  if (sizeOf(file) !== bytes) return false
  const start = Buffer.alloc(header.length)
  const descriptor = openSync(file, 'r')
  try {
    readSync(descriptor, start, 0, start.length, 0)
  } finally {
    closeSync(descriptor)
  }
  return start.equals(header)
}

const sizeOf = (file: string): number | undefined => statSync(file, { throwIfNoEntry: false })?.size
