// Models from the Hugging Face Hub into its usual cache (HF_HOME, HF_HUB_CACHE), which other tools share: only the files that are read
// here, resumed where a download broke off, and none believed before its digest is right.
import { createHash } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  copyFileSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'

import { UserError, messageOf } from '@embed-kd/core'
import type { ListFileEntry } from '@huggingface/hub'

import { readHfJson } from './hf-json.js'
import { cacheFolder, hubAccess, offlineVariable } from './hub-access.js'
import { chooseModelFiles, isNeeded } from './model-files.js'
import { externalData } from './onnx-file.js'
import { makeDirectory } from '../files/make-directory.js'

/** A repository on the hub. */
export interface HubModel {
  /** `namespace/name` */
  readonly name: string
  /** A branch, tag or commit. */
  readonly revision: string
  /** A file that the address names. */
  readonly file?: string
}

const ID = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/
const URL_ID =
  /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\/(?:models\/)?([\w.-]+\/[\w.-]+?)(?:\/(?:tree|blob|resolve)\/([\w.-]+)(?:\/([^?#]+))?)?\/?(?:[?#].*)?$/

/** A repository named as `namespace/name`, `namespace/name@revision`, with `hf:` before, or by its address. */
export function parseHubId(teacher: string): HubModel | undefined {
  const name = teacher.replace(/^hf:(\/\/)?/, '')
  const [, repository, revision = 'main', file] = URL_ID.exec(name) ?? ID.exec(name) ?? []
  if (repository === undefined || revision.split('/').includes('..')) return undefined
  return { name: repository, revision, ...(file === undefined ? {} : { file }) }
}

export interface FetchOptions {
  /** Path of an ONNX file in the repository, or its element type. */
  readonly onnxFile?: string | undefined
  readonly tell?: ((message: string) => void) | undefined
}

/**
 * The directory of a model's files, downloaded if the cache lacks them. Without a network the cache is used, and with
 * HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE nothing else is asked; HF_ENDPOINT names another hub.
 * @throws UserError if it cannot be had.
 */
export async function fetchModel(
  model: HubModel,
  { onnxFile, tell = () => {} }: FetchOptions = {},
): Promise<string> {
  const { name, revision } = model
  const folder = cacheFolder(name)
  const offline = offlineVariable()
  if (offline !== undefined) {
    const cached = cachedSnapshot(folder, model, onnxFile)
    if (cached !== undefined) return cached
    throw new UserError(
      `there is no directory ${name}, it is not in the cache ${dirname(folder)}, and ${offline} forbids to download it`,
      `unset ${offline} once, or give the directory of a local copy`,
    )
  }
  try {
    return await download(folder, model, onnxFile, tell)
  } catch (error) {
    if (error instanceof UserError) throw error
    // The hub's own errors have the status of its answer; others mean that there was none.
    const { statusCode } = error as { readonly statusCode?: number }
    const answered = statusCode !== undefined && statusCode < 500
    const cached = answered ? undefined : cachedSnapshot(folder, model, onnxFile)
    // A hub may quote what it was sent.
    const { accessToken = NOTHING } = hubAccess(tell)
    const reason = [messageOf(error), ...causesOf(error)]
      .join(': ')
      .replaceAll(accessToken, '[token]')
    if (cached !== undefined) {
      tell(`the hub cannot be reached (${reason}): ${name} as it is in the cache`)
      return cached
    }
    throw new UserError(
      `there is no directory ${name}, and ${name}${revision === 'main' ? '' : `@${revision}`} cannot be downloaded from the hub (${reason})`,
      answered && [401, 403, 404].includes(statusCode)
        ? 'check the name; private and gated repositories need a token (hf auth login, or HF_TOKEN)'
        : 'check the name and the network, or give the directory of a local copy',
    )
  }
}

/** The directory of a model in the cache, if all its files are there. */
export const cachedModel = (model: HubModel): string | undefined =>
  cachedSnapshot(cacheFolder(model.name), model, undefined)

/** A text that no message has. */
const NOTHING = '\0'

/** fetch says why it failed only in the cause of its error. */
const causesOf = (error: unknown): string[] => {
  const cause = (error as Error).cause
  return cause === undefined ? [] : [messageOf(cause)]
}

/** The directory in the cache, if all files of the model are there. */
function cachedSnapshot(
  folder: string,
  { revision }: HubModel,
  onnxFile: string | undefined,
): string | undefined {
  const ref = join(folder, 'refs', revision)
  const commit = existsSync(ref) ? readFileSync(ref, 'utf8').trim() : revision
  const snapshot = join(folder, 'snapshots', commit)
  if (!existsSync(snapshot)) return undefined
  const paths = listDirectory(snapshot)
  const chosen = chooseModelFiles(snapshot, paths, onnxFile)
  if (chosen?.kind !== 'checkpoint') return chosen && snapshot
  const index = join(snapshot, 'model.safetensors.index.json')
  const shards = existsSync(index)
    ? Object.values(readHfJson(index, 'remove it').weight_map ?? {}).map(String)
    : ['model.safetensors']
  return ['config.json', ...shards].every((path) => paths.includes(path)) ? snapshot : undefined
}

/** Paths of the files that could make a model, relative to the directory. */
export const listDirectory = (directory: string): string[] =>
  ['', 'onnx/'].flatMap((folder) => {
    const at = join(directory, folder)
    if (!statSync(at, { throwIfNoEntry: false })?.isDirectory()) return []
    return readdirSync(at)
      .filter((name) => statSync(join(at, name), { throwIfNoEntry: false })?.isFile())
      .map((name) => folder + name)
  })

async function download(
  folder: string,
  { name, revision }: HubModel,
  onnxFile: string | undefined,
  tell: (message: string) => void,
): Promise<string> {
  const { downloadFile, listFiles, modelInfo } = await import('@huggingface/hub')
  const access = hubAccess(tell)
  const { sha } = await modelInfo({ name, revision, additionalFields: ['sha'], ...access })
  checkDigest(sha, 'commit')
  const at = { repo: { type: 'model' as const, name }, revision: sha, ...access }
  const files: ListFileEntry[] = []
  for await (const file of listFiles({ ...at, recursive: true }))
    if (file.type === 'file') files.push(file)
  const chosen = chooseModelFiles(
    name,
    files.map(({ path }) => path),
    onnxFile,
  )
  if (!chosen)
    throw new UserError(
      `${name} has neither model.safetensors nor an ONNX file on the hub; pickled weights (.bin) are not read, as loading one can run any code it carries`,
      'take a repository with safetensors, or convert it',
    )
  const snapshot = join(folder, 'snapshots', sha)
  const fetchFile = async (file: ListFileEntry) => {
    const digest = checkDigest(file.lfs?.oid ?? file.oid, file.path)
    const blob = join(folder, 'blobs', digest)
    if (!existsSync(blob)) {
      tell(`downloading ${name}/${file.path} (${(file.size / 1e6).toFixed(1)} MB)`)
      makeDirectory(dirname(blob))
      const content = await downloadFile({ ...at, path: file.path })
      if (!content) throw new Error(`${file.path} is listed but not there`)
      await complete(content, blob, digest, file)
    }
    link(blob, join(snapshot, file.path))
  }
  for (const file of files) if (isNeeded(file.path, chosen)) await fetchFile(file)
  if (chosen.kind === 'onnx') {
    const names = [...externalData(join(snapshot, chosen.file))]
    const paths = names.map((name) => posix.join(posix.dirname(chosen.file), name))
    for (const file of files) if (paths.includes(file.path)) await fetchFile(file)
  }
  if (revision !== sha) {
    const ref = join(folder, 'refs', revision)
    makeDirectory(dirname(ref))
    writeFileSync(ref, sha)
  }
  return snapshot
}

/** Digests become names of files, so they must be digests. */
function checkDigest(digest: unknown, what: string): string {
  if (typeof digest === 'string' && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(digest)) return digest
  throw new UserError(
    `the hub gives ${JSON.stringify(digest)?.slice(0, 80)} as the digest of ${what}, which is none`,
    'check HF_ENDPOINT',
  )
}

/** Gives a blob its name in a snapshot: a relative link, as other tools make it, or a copy if the system has no links. */
function link(blob: string, path: string): void {
  if (existsSync(path)) return
  makeDirectory(dirname(path))
  rmSync(path, { force: true })
  try {
    symlinkSync(relative(dirname(path), blob), path)
  } catch {
    copyFileSync(blob, path)
  }
}

/** Downloads what is missing of a blob, and gives the blob its name once its digest is right. */
async function complete(
  content: Blob,
  blob: string,
  digest: string,
  { path, lfs, size }: ListFileEntry,
): Promise<void> {
  const incomplete = `${blob}.incomplete`
  const have = statSync(incomplete, { throwIfNoEntry: false })?.size ?? 0
  const from = have < size ? have : 0
  await pipeline(
    Readable.fromWeb(content.slice(from).stream() as ReadableStream),
    createWriteStream(incomplete, { flags: from > 0 ? 'a' : 'w' }),
  )
  // Large files go by their SHA-256, small ones by git's name of a blob.
  const hash = createHash(lfs ? 'sha256' : 'sha1')
  if (!lfs) hash.update(`blob ${statSync(incomplete).size}\0`)
  await pipeline(createReadStream(incomplete), hash)
  const actual = hash.digest('hex')
  if (actual !== digest) {
    rmSync(incomplete)
    throw new UserError(
      `${path}: the download has the digest ${actual}, the hub says ${digest}`,
      'it was removed: try again',
    )
  }
  renameSync(incomplete, blob)
}
