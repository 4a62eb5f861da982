// A sweep in one call, for programs. Commands take the same steps one by one, because they show each of them.
import { join, resolve } from 'node:path'

import type { BenchRecord } from '@embed-kd/records'

import { loadMethods } from '../axes/methods.js'
import { expandGrids, parseGrids } from './grid.js'
import { planTrials } from './plan.js'
import { runSweep } from './run-sweep.js'
import { RecordStore } from './store.js'

export interface SweepRequest {
  /** Axes by the names of `bench`'s options in camel case: a value, or a list. Each combination of one grid is a trial. */
  readonly grids: readonly object[]
  /** Directory of the records. Trials that have a record there are not run again. */
  readonly out: string
  /** Directory of teachers and embeddings that trials share (default: `cache` in `out`). */
  readonly cache?: string | undefined
  /** Seconds after which a trial is stopped (default: 3600). */
  readonly timeoutSeconds?: number | undefined
  /** Ends the sweep; the records so far stay. */
  readonly signal?: AbortSignal | undefined
  /** Receives a line when a trial ends, and when something else is worth knowing (default: nobody). */
  readonly tell?: ((line: string) => void) | undefined
}

/**
 * Runs the trials of grids that have no record yet, each in a process of its own. Returns all records of the directory.
 * @throws UserError if a trial is not possible, or the directory cannot be written; the signal's reason if it is aborted.
 */
export async function sweep(request: SweepRequest): Promise<readonly BenchRecord[]> {
  const { out, signal, tell = () => {}, timeoutSeconds = 3600 } = request
  const grids = parseGrids({ grids: request.grids }, 'the program')
  await loadMethods(grids.flatMap(({ method = [] }) => method.map(String)))
  const trials = await planTrials(expandGrids(grids), { tell })
  const store = RecordStore.open(out, { resume: true })
  try {
    const { storeError } = await runSweep({
      trials,
      store,
      cacheDirectory: resolve(request.cache ?? join(out, 'cache')),
      limits: { timeoutSeconds, ...(signal ? { signal } : {}) },
      listener: { begin() {}, update() {}, line: tell, end() {} },
    })
    if (storeError) throw storeError
    signal?.throwIfAborted()
    return [...store.records.values()]
  } finally {
    store.close()
  }
}
