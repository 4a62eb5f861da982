// Checkpoints from the Hugging Face Hub into its usual cache (HF_HOME, HF_HUB_CACHE), which other tools share: only the files
// that are read here, resumed where a download broke off, and none believed before its digest is right.
import { createHash } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'

import {
  downloadFile,
  downloadFileToCacheDir,
  getHFHubCachePath,
  getRepoFolderName,
  listFiles,
  modelInfo,
  type ListFileEntry,
} from '@huggingface/hub'

import { UserError, messageOf } from '@embed-kd/core'

/** `namespace/name`, and after an @ a branch, tag or commit. */
const ID = /^([\w.-]+\/[\w.-]+)(?:@([\w./-]+))?$/

/** Whether a teacher's name could be that of a repository; directories go first. */
export const isHubId = (name: string): boolean => ID.test(name)

const isWanted = (path: string): boolean =>
  path === 'config.json' ||
  path === 'preprocessor_config.json' ||
  path === 'model.safetensors.index.json' ||
  /^model(-\d+-of-\d+)?\.safetensors$/.test(path)

/**
 * The directory of a checkpoint's files, downloaded where the cache lacks them.
 * With HF_HUB_OFFLINE set nothing but the cache is asked; HF_ENDPOINT names another hub, HF_TOKEN opens private repositories.
 * @throws UserError where it cannot be had.
 */
export async function fetchCheckpoint(
  id: string,
  tell: (message: string) => void = () => {},
): Promise<string> {
  const [, name, revision = 'main'] = ID.exec(id) as unknown as [string, string, string?]
  const folder = join(getHFHubCachePath(), getRepoFolderName({ type: 'model', name }))
  if (isOffline()) return cachedSnapshot(folder, id, revision)
  try {
    return await download(folder, name, revision, tell)
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(
      `${id} cannot be downloaded from the hub (${[messageOf(error), ...causesOf(error)].join(': ')})`,
      'check the name and the network, or give the directory of a local copy; HF_HUB_OFFLINE=1 uses what is in the cache',
    )
  }
}

const isOffline = (): boolean =>
  ['1', 'true', 'yes', 'on'].includes((process.env.HF_HUB_OFFLINE ?? '').toLowerCase())

/** fetch says why it failed only in the cause of its error. */
const causesOf = (error: unknown): string[] => {
  const cause = (error as Error).cause
  return cause === undefined ? [] : [messageOf(cause)]
}

function cachedSnapshot(folder: string, id: string, revision: string): string {
  const ref = join(folder, 'refs', revision)
  const commit = existsSync(ref) ? readFileSync(ref, 'utf8').trim() : revision
  const snapshot = join(folder, 'snapshots', commit)
  if (existsSync(join(snapshot, 'config.json'))) return snapshot
  throw new UserError(
    `${id} is not in the cache ${dirname(folder)}, and HF_HUB_OFFLINE forbids to download it`,
    'unset HF_HUB_OFFLINE once, or give the directory of a local copy',
  )
}

async function download(
  folder: string,
  name: string,
  revision: string,
  tell: (message: string) => void,
): Promise<string> {
  const { HF_ENDPOINT: hubUrl, HF_TOKEN: accessToken } = process.env
  const access = { ...(hubUrl ? { hubUrl } : {}), ...(accessToken ? { accessToken } : {}) }
  const { sha } = await modelInfo({ name, revision, additionalFields: ['sha'], ...access })
  const at = { repo: { type: 'model' as const, name }, revision: sha, ...access }
  const files: ListFileEntry[] = []
  for await (const file of listFiles(at)) if (isWanted(file.path)) files.push(file)
  if (!files.some(({ path }) => path.endsWith('.safetensors')))
    throw new UserError(
      `${name} has no model.safetensors on the hub; pickled weights (.bin) are not read, as loading one can run any code it carries`,
      'take a repository with safetensors, or convert it',
    )

  for (const file of files) {
    const digest = file.lfs?.oid ?? file.oid!
    const blob = join(folder, 'blobs', digest)
    if (!existsSync(blob)) {
      tell(`downloading ${name}/${file.path} (${(file.size / 1e6).toFixed(1)} MB)`)
      mkdirSync(dirname(blob), { recursive: true })
      const content = await downloadFile({ ...at, path: file.path })
      if (!content) throw new Error(`${file.path} is listed but not there`)
      await complete(content, blob, digest, file)
    }
    // The blob is there, so this only gives it its name in the snapshot.
    await downloadFileToCacheDir({ ...at, path: file.path, cacheDir: dirname(folder) })
  }
  if (revision !== sha) {
    const ref = join(folder, 'refs', revision)
    mkdirSync(dirname(ref), { recursive: true })
    writeFileSync(ref, sha)
  }
  return join(folder, 'snapshots', sha)
}

/** Downloads what is missing of a blob, and gives it its name once its digest is right. */
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
      `${path}: what was downloaded has the digest ${actual}, the hub says ${digest}`,
      'it was removed: try again',
    )
  }
  renameSync(incomplete, blob)
}
