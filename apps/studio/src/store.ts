// The unfinished run, kept in the browser (IndexedDB) so that it survives a reload.
import type { EpochPosition } from '@embed-kd/distill'

import type { EpochResult, LossPoint, RunSettings } from './messages.js'

/** State of an unfinished run. With the same images and embeddings, a run resumes from it. */
export interface SavedRun {
  readonly settings: RunSettings
  /** Runs that follow. */
  readonly next: readonly RunSettings[]
  /** Name of the data set. */
  readonly dataset: string
  readonly checkpoint: Uint8Array
  readonly position: EpochPosition | undefined
  readonly points: readonly LossPoint[]
  readonly epochs: readonly EpochResult[]
  readonly stepSeconds: readonly number[]
  readonly startedAt: Date
}

const DATABASE = 'embed-kd-studio'
const STORE = 'runs'
const KEY = 'last'

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error!))
  })

async function store(mode: IDBTransactionMode): Promise<IDBObjectStore> {
  const request = indexedDB.open(DATABASE, 2)
  request.addEventListener('upgradeneeded', () => {
    // Runs of earlier versions cannot be resumed.
    const { result } = request
    if (result.objectStoreNames.contains(STORE)) result.deleteObjectStore(STORE)
    result.createObjectStore(STORE)
  })
  const database = await done(request)
  const transaction = database.transaction(STORE, mode)
  transaction.addEventListener('complete', () => database.close())
  return transaction.objectStore(STORE)
}

/** Keeps a run in place of the last one. If the browser keeps nothing, as in private windows, the run goes on all the same. */
export async function keepRun(run: SavedRun): Promise<void> {
  await store('readwrite')
    .then((runs) => done(runs.put(run, KEY)))
    .catch(() => undefined)
}

/** Returns the run that was kept, if there is one. */
export const keptRun = (): Promise<SavedRun | undefined> =>
  store('readonly')
    .then((runs) => done(runs.get(KEY) as IDBRequest<SavedRun | undefined>))
    .catch(() => undefined)

/** Forgets the run. */
export async function forgetRun(): Promise<void> {
  await store('readwrite')
    .then((runs) => done(runs.delete(KEY)))
    .catch(() => undefined)
}
