// How the Hugging Face Hub is reached: its address, the token that other tools have left, and requests that are repeated if the hub
// asks to wait. The token is sent to the hub and goes nowhere else: not into messages, records or files.
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export interface HubAccess {
  readonly hubUrl?: string
  readonly accessToken?: string
  readonly fetch: typeof fetch
}

const truthy = (value: string | undefined): boolean =>
  ['1', 'true', 'yes', 'on'].includes((value ?? '').toLowerCase())

/** The variable that forbids network access, if one does. */
export const offlineVariable = (): string | undefined =>
  ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'].find((name) => truthy(process.env[name]))

export function hubAccess(tell: (message: string) => void): HubAccess {
  const { HF_ENDPOINT: hubUrl } = process.env
  const accessToken = findToken()
  return {
    ...(hubUrl ? { hubUrl: hubUrl.replace(/\/+$/, '') } : {}),
    ...(accessToken ? { accessToken } : {}),
    fetch: (input, init) => patientFetch(input, init, tell),
  }
}

const hubHome = (): string =>
  process.env.HF_HOME ||
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')

/** The directory of a model in the cache that all tools of the hub share. */
export function cacheFolder(name: string): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE } = process.env
  const cache = HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(hubHome(), 'hub')
  return join(cache, `models--${name.replaceAll('/', '--')}`)
}

/** HF_TOKEN, or the file that `hf auth login` writes. */
function findToken(): string | undefined {
  const { HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH } = process.env
  if (truthy(process.env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined
  const given = HF_TOKEN?.trim() || HUGGING_FACE_HUB_TOKEN?.trim()
  if (given) return given
  const file = HF_TOKEN_PATH || join(hubHome(), 'token')
  if (!existsSync(file)) return undefined
  try {
    return readFileSync(file, 'utf8').trim() || undefined
  } catch {
    // A token that cannot be read is none: public repositories need none.
    return undefined
  }
}

const TRIES = 4
const LONGEST_WAIT_SECONDS = 60

async function patientFetch(
  input: Parameters<typeof fetch>[0],
  init: Parameters<typeof fetch>[1],
  tell: (message: string) => void,
): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(input, init)
    const busy = response.status === 429 || response.status === 503
    if (!busy || attempt === TRIES) return response
    const seconds = Math.min(waitSeconds(response) ?? 2 ** (attempt - 1), LONGEST_WAIT_SECONDS)
    await response.body?.cancel()
    tell(`the hub is busy (${response.status}): trying again in ${seconds} s`)
    await new Promise((over) => setTimeout(over, 1000 * seconds))
  }
}

/** Retry-After is a number of seconds or a date. */
function waitSeconds({ headers }: Response): number | undefined {
  const value = headers.get('retry-after')
  if (!value) return undefined
  const seconds = /^\d+$/.test(value.trim())
    ? Number(value)
    : (Date.parse(value) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined
}
