// The thread behind lock.ts: it touches the lock files of this process at intervals, as long as they are this process's.
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'

export interface HeartbeatSettings {
  readonly lockBytes: number
  readonly intervalMs: number
}

const { lockBytes, intervalMs } = workerData as HeartbeatSettings

/** Token by path. */
const held = new Map<string, string>()

export type HeartbeatMessage =
  | { readonly add: string; readonly token: string }
  | { readonly remove: string }

parentPort!.on('message', (message: HeartbeatMessage) => {
  if ('add' in message) held.set(message.add, message.token)
  else held.delete(message.remove)
})

/** Writes the last byte again, which is always a newline: the file system then sets the time of change. */
function touch(path: string, token: string): void {
  const descriptor = openSync(path, 'r+')
  try {
    const content = Buffer.alloc(lockBytes)
    readSync(descriptor, content, 0, lockBytes, 0)
    if (content.includes(token)) writeSync(descriptor, '\n', lockBytes - 1)
  } finally {
    closeSync(descriptor)
  }
}

setInterval(() => {
  for (const [path, token] of held)
    try {
      touch(path, token)
    } catch {
      // Gone or unreachable for the moment; the holder's own check says so if the lock is lost.
    }
}, intervalMs)
