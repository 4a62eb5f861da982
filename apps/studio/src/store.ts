// The unfinished run, kept in the browser (IndexedDB) so that it survives a reload.
import type { SavedRun } from './messages.js'

const DATABASE = 'embed-kd-studio'
const STORE = 'runs'
const KEY = 'last'

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error!))
  })

async function store(mode: IDBTransactionMode): Promise<IDBObjectStore> {
  const request = indexedDB.open(DATABASE, 1)
  request.addEventListener('upgradeneeded', () => request.result.createObjectStore(STORE))
  return (await done(request)).transaction(STORE, mode).objectStore(STORE)
}

/** Keeps a run in place of the last one. A browser that keeps nothing (private windows) is no error: the run goes on. */
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
