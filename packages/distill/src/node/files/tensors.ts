// Safetensors files named by a hash of everything they depend on, such as a sweep's teachers and their embeddings. A file is
// whole or absent, never half written.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { formatSafetensors, type HostTensor } from '@embed-kd/core'

import { writeOutputFile } from './output-file.js'

/** Returns JSON with the keys of objects in order, so that equal values have equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, node: unknown) =>
    typeof node === 'object' && node !== null && !Array.isArray(node)
      ? Object.fromEntries(Object.entries(node).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : node,
  )
}

/** Returns 16 hex digits of the SHA-256 of a value's canonical JSON. */
export const hashOf = (value: unknown): string =>
  createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 16)

/** Returns the SHA-256 of an array's memory. */
export const hashBytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
  createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex')

/** Returns the path of the file of a name and a content key, whether the file exists or not. */
export const cachedFile = (directory: string, name: string, key: unknown): string =>
  join(directory, `${name}-${hashOf(key)}.safetensors`)

/** Writes a safetensors file. @throws UserError if it cannot be written. */
export const writeTensors = (
  file: string,
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>>,
): void => writeOutputFile(file, formatSafetensors(tensors, metadata))

/** Returns the SHA-256 of a file's bytes. */
export const digestOf = (file: string): string =>
  createHash('sha256').update(readFileSync(file)).digest('hex')
