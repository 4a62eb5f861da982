// The directory that keeps decoded images and downloads. Nothing in it is needed: whatever is removed is made again. Decoded images
// that were used least recently give way to new ones; what a killed process left unfinished is removed.

import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { homedir, hostname } from 'node:os'
import { join } from 'node:path'

import type { Tell } from './dataset.js'
import { listEntries, walkFiles } from './walk.js'

/** Returns `embed-kd` in the user's cache directory (XDG Base Directory Specification). */
export const defaultCacheDirectory = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'embed-kd')

/** Names of files that keep decoded images, and of the small ones that keep a survey alone. */
export const decodedName = (key: string): string => `decoded-${key}.bin`
export const surveyName = (key: string): string => `survey-${key}.json`

/** Names a file that is being written by this process. */
export const unfinishedName = (name: string): string => `${name}.${process.pid}@${hostname()}.tmp`

const unfinishedPattern = /\.(\d+)@(.+)\.tmp$/
const DAY_MS = 24 * 3600e3

/** Removes what killed processes left unfinished in a cache. */
export function removeAbandoned(cache: string): void {
  let names: string[]
  try {
    names = readdirSync(cache).filter((name) => name.endsWith('.tmp'))
  } catch {
    return
  }
  for (const name of names) {
    const path = join(cache, name)
    const [, pid, host] = unfinishedPattern.exec(name) ?? []
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
    const isDead = host === hostname() ? !isRunning(Number(pid)) : age > DAY_MS
    if (isDead) remove(path)
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Removing is tidiness: what cannot be removed stays. */
function remove(path: string): boolean {
  try {
    rmSync(path, { recursive: true })
    return true
  } catch {
    return false
  }
}

export interface CacheEntry {
  readonly path: string
  readonly kind: 'decoded images' | 'download' | 'unfinished'
  /** The data set, if the entry says. */
  readonly dataset?: string
  readonly bytes: number
  readonly lastUse: Date
}

/** Lists a cache, the entry used last first. */
export function listCache(cache: string): CacheEntry[] {
  let entries: ReturnType<typeof listEntries>
  try {
    entries = listEntries(cache)
  } catch {
    return []
  }
  return entries
    .filter(({ kind }) => kind !== 'other')
    .map(({ name, path, kind, bytes, time }): CacheEntry => {
      const file = path.toString()
      const isDecoded = name.startsWith('decoded-') && name.endsWith('.bin')
      const isUnfinished = name.endsWith('.tmp') || name.endsWith('.partial')
      const size =
        kind === 'file'
          ? bytes
          : [...walkFiles(file, '')].reduce((sum, { bytes }) => sum + bytes, 0)
      const dataset = isDecoded ? readName(file) : undefined
      return {
        path: file,
        kind: isUnfinished
          ? 'unfinished'
          : isDecoded || name.startsWith('survey-')
            ? 'decoded images'
            : 'download',
        ...(dataset === undefined ? {} : { dataset }),
        bytes: size,
        lastUse: new Date(time),
      }
    })
    .sort((a, b) => b.lastUse.getTime() - a.lastUse.getTime())
}

/** Reads the data set's name from the end of a file of decoded images. */
function readName(path: string): string | undefined {
  const tail = Buffer.alloc(64 * 1024)
  try {
    const file = openSync(path, 'r')
    try {
      const begin = Math.max(statSync(path).size - tail.length, 0)
      const text = tail.toString('utf8', 0, readSync(file, tail, 0, tail.length, begin))
      const name = /\{"name":("(?:[^"\\]|\\.)*")/.exec(text)?.[1]
      return name === undefined ? undefined : (JSON.parse(name) as string)
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
}

/** Removes entries of a cache, and returns those that are gone. */
export const clearCache = (entries: readonly CacheEntry[]): CacheEntry[] =>
  entries.filter(({ path }) => remove(path))

/** Notes that a file of the cache was used. */
export function noteUse(path: string): void {
  try {
    const now = new Date()
    utimesSync(path, now, now)
  } catch {
    // A cache that can only be read has no order of use.
  }
}

/** Files used within this time are never dropped: a process that is about to read them may not have opened them yet. */
const IN_USE_MS = 3600e3

/**
 * Makes room for new decoded images, by dropping those used least recently.
 * @param limit bytes that all decoded images may take; default half of what they could take.
 * @returns undefined, or how much may be taken if that is not enough
 */
export function makeRoom(
  cache: string,
  needed: number,
  limit: number | undefined,
  tell: Tell,
): { readonly room: number } | undefined {
  const { bavail, bsize } = statfsSync(cache)
  const free = bavail * bsize
  const decoded = listCache(cache).filter(({ kind }) => kind === 'decoded images')
  const taken = decoded.reduce((sum, { bytes }) => sum + bytes, 0)
  const most = limit ?? (free + taken) / 2
  let spare = Math.min(most - taken, free)
  const droppable = decoded.filter(({ lastUse }) => Date.now() - lastUse.getTime() > IN_USE_MS)
  const room = Math.min(spare + droppable.reduce((sum, { bytes }) => sum + bytes, 0), most)
  if (needed > room) return { room: Math.max(room, 0) }
  for (const entry of droppable.reverse()) {
    if (needed <= spare) break
    if (!remove(entry.path)) continue
    spare += entry.bytes
    tell(`${cache}: the decoded images of ${entry.dataset ?? 'a data set'} gave way to new ones`)
  }
  return needed > spare ? { room: Math.max(spare, 0) } : undefined
}
