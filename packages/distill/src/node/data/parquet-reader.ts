// Reads parquet files in a worker with a deadline and a limit on memory: damaged files can make the parser loop for ever.

import { statSync } from 'node:fs'
import { Worker } from 'node:worker_threads'

import { DatasetError } from './dataset.js'
import type { PackedImages, TableFacts } from './parquet-table.js'

export interface ParquetRequest {
  readonly what: 'facts' | 'values' | 'images'
  readonly path: string
  readonly column: string
  readonly begin: number
  readonly end: number
}

export type ParquetReply =
  | { readonly value: unknown }
  | { readonly error: string; readonly remedy: string | undefined }

/** The built file, from src/ (tests) and dist/ alike: Node cannot run the source. */
const workerFile = new URL('../../../dist/node/data/parquet-worker.js', import.meta.url)

const damaged = 'download the file again'
/** JavaScript heap of the worker in MB; images are not on it. */
const HEAP_MB = 2048

/** Seconds that reading a file may take: generous for its size, since only a loop without end has to be told apart. */
const deadlineOf = (bytes: number): number => 30 + bytes / 2e6

let worker: Worker | undefined
/** Ends when the request before has been answered. */
let before: Promise<unknown> = Promise.resolve()

export const readTableFacts = (path: string) => ask<TableFacts>('facts', path)

export const readColumn = (path: string, column: string, rows: number) =>
  ask<unknown[]>('values', path, column, 0, rows)

export const readPackedImages = (path: string, column: string, begin: number, end: number) =>
  ask<PackedImages>('images', path, column, begin, end)

/** @param seconds after which the file is taken to be damaged. @throws DatasetError */
export function ask<T>(
  what: ParquetRequest['what'],
  path: string,
  column = '',
  begin = 0,
  end = 0,
  seconds = deadlineOf(statSync(path).size),
): Promise<T> {
  const answer = before.then(() => answerOf({ what, path, column, begin, end }, seconds))
  before = answer.catch(() => {})
  return answer as Promise<T>
}

async function answerOf(request: ParquetRequest, seconds: number): Promise<unknown> {
  const thread = (worker ??= startWorker())
  thread.ref()
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise((resolve, reject) => {
      const fail = (cause: string, remedy = damaged) =>
        reject(new DatasetError(request.path, cause, remedy))
      timer = setTimeout(
        () => fail(`it is damaged: reading it has not ended after ${Math.round(seconds)} s`),
        1000 * seconds,
      )
      thread.once('message', (reply: ParquetReply) => {
        if ('value' in reply) resolve(reply.value)
        else fail(`it cannot be read (${reply.error})`, reply.remedy)
      })
      thread.once('error', ({ message }) => fail(`it is damaged: the parser failed (${message})`))
      thread.once('exit', () => fail('it is damaged: the parser ended'))
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- to a thread, not a window
      thread.postMessage(request)
    })
  } catch (error) {
    // The worker may still be busy with the file.
    worker = undefined
    void thread.terminate()
    throw error
  } finally {
    clearTimeout(timer)
    for (const event of ['message', 'error', 'exit']) thread.removeAllListeners(event)
    thread.unref()
  }
}

const startWorker = (): Worker =>
  new Worker(workerFile, {
    // Options of a test runner would have the worker load sources.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  })
