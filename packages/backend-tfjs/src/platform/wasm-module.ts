// tf's WebAssembly kernels, from an opened Emscripten module to tf's backend, with threads that wait to be started. What this file
// touches is private to tf, whose version is pinned.
import { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import type { OpenedWasm } from './platform.js'

/** A worker of Node or of a browser. */
export interface WasmWorker {
  terminate(): unknown
}

/** The part of Emscripten's module that is used here. */
export interface KernelModule {
  tfjs: BackendWasm['wasm']['tfjs']
  cwrap(name: string, returns: null, takes: readonly 'number'[]): (...args: number[]) => void
  cwrap(name: string, returns: 'number', takes: readonly 'number'[]): () => number
  /** Absent from the module without threads. */
  readonly PThread?: { readonly runningWorkers: WasmWorker[]; readonly unusedWorkers: WasmWorker[] }
}

/** What the module imports. */
export interface Imports {
  readonly env: Record<string, () => number>
}

/** Lets the module use a thread for each core: it uses half of the number that it is told, for two threads a core. */
export function relaxThreadLimit({ env }: Imports): void {
  const cores = env['emscripten_num_logical_cores']
  if (cores) env['emscripten_num_logical_cores'] = () => 2 * threadsFor(cores())
}

/** Number of workers that the module with threads starts, however many are needed. */
const MAX_THREADS = 8

/** Returns how many threads a machine of so many cores can use. */
export const threadsFor = (cores: number): number => Math.min(cores, MAX_THREADS)

const numbers = (count: number) => Array.from({ length: count }, () => 'number' as const)

/**
 * Gives the module the functions that tf calls, and makes tf's backend of it.
 * @param available number of threads, the calling one included.
 * @param onStart receives the workers once they run.
 */
export async function openModule(
  wasm: KernelModule,
  available: number,
  onStart: (workers: readonly WasmWorker[]) => void = () => {},
): Promise<OpenedWasm> {
  const init = wasm.cwrap('init_with_threads_count', null, numbers(1))
  let threads = available
  wasm.tfjs = {
    init: wasm.cwrap('init', null, []),
    // Negative if the program has not called tf's setThreadsCount.
    initWithThreadsCount(count) {
      if (count > 0) threads = Math.min(available, count)
      init(1)
    },
    getThreadsCount: wasm.cwrap('get_threads_count', 'number', []),
    registerTensor: wasm.cwrap('register_tensor', null, numbers(3)),
    disposeData: wasm.cwrap('dispose_data', null, numbers(1)),
    dispose: wasm.cwrap('dispose', null, []),
  }
  const tf = new BackendWasm(wasm as unknown as BackendWasm['wasm'])
  const { unusedWorkers, runningWorkers } = wasm.PThread ?? {
    unusedWorkers: [],
    runningWorkers: [],
  }
  const surplus = unusedWorkers.splice(0, unusedWorkers.length - (threads - 1))
  await Promise.all(surplus.map((worker) => worker.terminate()))
  return {
    tf,
    threads,
    start() {
      if (runningWorkers.length === threads - 1) return
      init(threads)
      onStart(runningWorkers)
    },
  }
}
