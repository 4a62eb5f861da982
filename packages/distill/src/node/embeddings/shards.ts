// The files of a store of embeddings: one file, or shards made by different processes. Once all shards are there, a manifest
// names them with rows, bytes and digests, so that a store of any size is opened and identified without reading it.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { messageOf, UserError } from '@embed-kd/core'
import { z } from 'zod'

import { writeJson, writeOutputFile } from '../files/output-file.js'
import { SafetensorsReader } from '../files/safetensors-file.js'
import { digestFiles } from '../teachers/checkpoint.js'

/** The shape of a manifest. */
const manifestSchema = z.object({
  format: z.literal('embed-kd shards 1'),
  /** Number of all rows: one for each image and view. */
  rows: z.int().nonnegative(),
  /** In the order of their names. */
  shards: z
    .array(
      z.object({
        file: z.string(),
        rows: z.int().nonnegative(),
        /** Position of the shard's first image in the training split; absent if the images are not consecutive. */
        firstImage: z.int().nonnegative().optional(),
        bytes: z.int().positive(),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .min(1),
})
export type Manifest = z.output<typeof manifestSchema>

const stemOf = (path: string): string => path.replace(/\.safetensors$/, '')

const number = (n: number): string => `${n}`.padStart(5, '0')

/** `x.safetensors` -> `x-00002-of-00004.safetensors` */
export const shardFile = (path: string, shard: number, shards: number): string =>
  shards === 1 ? path : `${stemOf(path)}-${number(shard)}-of-${number(shards)}.safetensors`

/** `x.safetensors` -> `x.manifest.json` */
export const manifestFile = (path: string): string => `${stemOf(path)}.manifest.json`

/** Returns the file, or all its shards. @throws UserError if there is none, or a shard is missing. */
export function embeddingFiles(path: string): string[] {
  if (existsSync(path)) return [path]
  const directory = dirname(path)
  const manifest = readManifest(path)
  if (manifest) return manifest.shards.map(({ file }) => join(directory, file))
  const shards = shardsOf(path)
  const total = Number(/-of-(\d{5})\./.exec(shards[0] ?? '')?.[1])
  if (shards.length === 0)
    throw new UserError(`there is no file ${path}, nor shards of it`, 'make it with embed-kd embed')
  if (shards.length !== total)
    throw new UserError(
      `of the ${total} shards of ${path} there are ${shards.length}`,
      'make the others with embed-kd embed --shard',
    )
  return shards.map((file) => join(directory, file))
}

/** Returns the names of the shards of a file, if there are any. */
export function shardsOf(path: string): string[] {
  const stem = stemOf(basename(path))
  const directory = dirname(path)
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((file) => file.startsWith(`${stem}-`) && /-\d{5}-of-\d{5}\.safetensors$/.test(file))
    .sort()
}

/** Reads the manifest of a store's shards; undefined if there is none. @throws UserError if the manifest is damaged. */
export function readManifest(path: string): Manifest | undefined {
  const file = manifestFile(path)
  if (!existsSync(file)) return undefined
  try {
    return manifestSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error)
    throw new UserError(
      `${file} is no manifest of shards (${reason.replaceAll('\n', ' ')})`,
      'remove it: the shards are read without it too',
    )
  }
}

/** Removes the manifest of shards of which one is made anew. */
export const discardManifest = (path: string): void => rmSync(manifestFile(path), { force: true })

const digestFile = (shard: string): string => `${shard}.sha256`

/**
 * Notes the digest of a finished shard beside it, as `sha256sum -c` reads it, and writes the manifest if all shards are there.
 * Several processes may do so at once: they write the same.
 */
export async function noteShard(path: string, shard: number, shards: number): Promise<void> {
  if (shards === 1) return
  const file = shardFile(path, shard, shards)
  writeOutputFile(digestFile(file), `${await digestFiles([file])}  ${basename(file)}\n`)
  const files = Array.from({ length: shards }, (_, i) => shardFile(path, i + 1, shards))
  if (!files.every((one) => existsSync(one) && existsSync(digestFile(one)))) return
  const described = files.map(describeShard)
  const rows = described.reduce((sum, one) => sum + one.rows, 0)
  const manifest: Manifest = { format: 'embed-kd shards 1', rows, shards: described }
  writeJson(manifestFile(path), manifest)
}

function describeShard(path: string): Manifest['shards'][number] {
  const reader = new SafetensorsReader(path)
  reader.close()
  const first = reader.metadata['first_image']
  return {
    file: basename(path),
    rows: reader.entry('labels').shape[0]!,
    ...(first === undefined ? {} : { firstImage: Number(first) }),
    bytes: statSync(path).size,
    sha256: readFileSync(digestFile(path), 'utf8').slice(0, 64),
  }
}

/** Returns the manifest of a store that is in shards; undefined if the store is one file, or has no manifest. */
export const manifestOf = (path: string): Manifest | undefined =>
  existsSync(path) ? undefined : readManifest(path)

/** Returns what `digestFiles` returns of a store's files, read from its manifest if there is one. */
export async function digestStore(path: string): Promise<string> {
  const manifest = manifestOf(path)
  if (!manifest) return digestFiles(embeddingFiles(path))
  const digests = manifest.shards.map(({ sha256 }) => sha256).join('\n')
  return createHash('sha256').update(digests).digest('hex')
}
