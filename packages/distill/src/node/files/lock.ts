// An exclusive lock beside a file, for processes of one machine or of several that share a file system (NFS included).
// A holder shows life by a heartbeat from a thread of its own; a lock whose holder died is taken over by exactly one process.
//
// Each holder has a token that is never used again, and whoever takes over from token T must create the file `LOCK.T`, which only
// one process can. So holders form a chain that starts at `LOCK`; the last one holds the lock and removes the whole chain.
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  copyFileSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { Worker } from 'node:worker_threads'

import { UserError } from '@embed-kd/core'
import type { HeartbeatMessage, HeartbeatSettings } from './lock-heartbeat.js'
import { isFull } from './output-file.js'
import { currentMachine, processStart, type ProcessName } from './process-name.js'

/** Content of a lock file. */
interface Holder extends ProcessName {
  readonly token: string
  /** Processes that the holder started and that end with it. */
  readonly children: readonly ProcessName[]
}

export interface LockOptions {
  /** Noun for the holder in error messages, such as "sweep". */
  readonly holder: string
  /** Advice to a user who finds the lock held. */
  readonly remedy: string
}

/** The content has a fixed length, so that it is rewritten in place by a single write. */
const LOCK_BYTES = 4096
const HEARTBEAT_MS = 5_000
/** Age of the last heartbeat from which on a holder on another machine counts as dead. */
const STALE_MS = 60_000
const POLL_MS = 500

export class FileLock {
  /** Processes that a dead earlier holder had started on this machine; some may still run. */
  readonly survivors: readonly ProcessName[]
  readonly #paths: readonly string[]
  readonly #options: LockOptions
  #content: Holder

  private constructor(chain: readonly Link[], content: Holder, options: LockOptions) {
    this.#paths = chain.map(({ path }) => path)
    this.#content = content
    this.#options = options
    this.survivors = chain.flatMap(({ holder }) =>
      holder.machine === content.machine ? holder.children : [],
    )
    tellHeartbeat({ add: this.#path, token: content.token })
  }

  /**
   * Takes the lock `path`. Waits up to a minute if its holder is on another machine and shows no life.
   * @throws UserError if a living process holds it.
   */
  static take(path: string, options: LockOptions): FileLock {
    const content: Holder = { ...ownName(), token: randomUUID(), children: [] }
    const prepared = `${path}.new-${content.token}`
    try {
      writeFileSync(prepared, serialize(content))
      for (;;) {
        const chain = extendChain(path, prepared, content, options)
        if (chain) return new FileLock(chain, content, options)
      }
    } finally {
      rmSync(prepared, { force: true })
    }
  }

  /** Writes the processes that end with this one into the lock, for whoever takes over; does nothing if the lock is lost. */
  noteChildren(pids: Iterable<number>): void {
    if (!this.#isHeld) return
    const { machine, host } = this.#content
    const children = [...pids].map((pid) => ({
      machine,
      host,
      pid,
      start: processStart(pid) ?? '',
    }))
    this.#content = { ...this.#content, children }
    overwrite(this.#path, serialize(this.#content))
  }

  /** @throws UserError if the lock was deleted, or taken over because this process was suspended for a minute. */
  check(): void {
    if (this.#isHeld) return
    throw new UserError(
      `this ${this.#options.holder} no longer holds ${this.#paths[0]}: it was deleted, or taken over while the process was suspended`,
      this.#options.remedy,
    )
  }

  /** Gives the lock back; does nothing if another process took it over. */
  release(): void {
    tellHeartbeat({ remove: this.#path })
    const prepared = `${this.#path}.new-${this.#content.token}`
    try {
      // Taking its own succession keeps others from taking over what is about to be removed.
      writeFileSync(prepared, serialize({ ...this.#content, token: randomUUID() }))
      if (!createFrom(prepared, this.#successor)) return
    } catch (error) {
      // Nobody takes over from a living holder, so a full disk does not keep the lock.
      if (!isFull(error) || !this.#isHeld) throw error
    } finally {
      rmSync(prepared, { force: true })
    }
    for (const path of [...this.#paths, this.#successor]) rmSync(path, { force: true })
  }

  get #isHeld(): boolean {
    return readHolder(this.#path)?.token === this.#content.token && !existsSync(this.#successor)
  }

  get #path(): string {
    return this.#paths.at(-1)!
  }

  get #successor(): string {
    return `${this.#paths[0]}.${this.#content.token}`
  }
}

interface Link {
  readonly path: string
  readonly holder: Holder
}

const ownName = (): ProcessName => ({
  ...currentMachine(),
  pid: process.pid,
  start: processStart(process.pid) ?? '',
})

/** Appends this process to the chain of holders; undefined if the chain was removed meanwhile. @throws if its end lives. */
function extendChain(
  root: string,
  prepared: string,
  content: Holder,
  { holder: noun, remedy }: LockOptions,
): Link[] | undefined {
  const chain: Link[] = []
  for (let path = root; ; path = `${root}.${chain.at(-1)!.holder.token}`) {
    if (createFrom(prepared, path)) {
      // A released chain never comes back, so a chain that still starts as it did was not released.
      const first = chain[0]
      if (!first || readHolder(root)?.token === first.holder.token)
        return [...chain, { path, holder: content }]
      rmSync(path, { force: true })
      return undefined
    }
    const holder = readHolder(path)
    if (!holder) return undefined
    // A network file system may create the link, lose its answer and report that the name exists.
    if (holder.token === content.token) return [...chain, { path, holder: content }]
    if (isAlive(path, holder, prepared))
      throw new UserError(
        `another ${noun} (process ${holder.pid} on ${holder.host}) writes to ${root.replace(/\.lock$/, '')}`,
        remedy,
      )
    chain.push({ path, holder })
  }
}

/** Whether a holder lives: by its process if it is on this machine, else by its heartbeat. */
function isAlive(path: string, holder: Holder, prepared: string): boolean {
  if (holder.machine === currentMachine().machine) {
    const start = processStart(holder.pid)
    if (start === undefined) return false
    if (start !== '') return start === holder.start
  }
  const first = modifiedAt(path)
  for (;;) {
    const modified = modifiedAt(path)
    if (modified === undefined) return false
    if (modified !== first) return true
    // The file system's own clock: hosts may disagree on the time.
    overwrite(prepared, readFileSync(prepared))
    if (modifiedAt(prepared)! - modified > STALE_MS) return false
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS)
  }
}

/** Creates `path` with the content of `prepared`, whole and at once. Returns false if `path` exists. */
function createFrom(prepared: string, path: string): boolean {
  try {
    linkSync(prepared, path)
    return true
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (!NO_LINKS.has(code)) throw error
  }
  try {
    copyFileSync(prepared, path, constants.COPYFILE_EXCL)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
/** How file systems without hard links refuse one. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

const serialize = (holder: Holder): string => `${JSON.stringify(holder).padEnd(LOCK_BYTES - 1)}\n`

/** Returns the holder that a lock file names; undefined if there is no such file. @throws UserError if it is no lock. */
function readHolder(path: string): Holder | undefined {
  // A file that is being written may be seen in part.
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as Holder
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      if (!(error instanceof SyntaxError)) throw error
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
  }
  throw new UserError(
    `${path} is no lock that this version can read`,
    'delete it if no other process writes there',
  )
}

/** Milliseconds; undefined if the file is gone. Opening it makes network file systems ask the server. */
function modifiedAt(path: string): number | undefined {
  try {
    const descriptor = openSync(path, 'r')
    try {
      return fstatSync(descriptor).mtimeMs
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function overwrite(path: string, content: string | Uint8Array): void {
  const descriptor = openSync(path, 'r+')
  try {
    writeSync(descriptor, Buffer.from(content), 0, LOCK_BYTES, 0)
  } finally {
    closeSync(descriptor)
  }
}

let thread: Worker | undefined

/** Tells the thread that shows life for all locks of this process, however long a step blocks the event loop. */
function tellHeartbeat(message: HeartbeatMessage): void {
  thread ??= startThread()
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- to a thread, not a window
  thread.postMessage(message)
}

function startThread(): Worker {
  // The built file, from src/ (tests) and dist/ alike: Node cannot run the source.
  const file = new URL('../../../dist/node/files/lock-heartbeat.js', import.meta.url)
  const started = new Worker(file, {
    // Without the options of this process: a test runner's would load sources.
    execArgv: [],
    workerData: { lockBytes: LOCK_BYTES, intervalMs: HEARTBEAT_MS } satisfies HeartbeatSettings,
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
  })
  started.unref()
  return started
}
