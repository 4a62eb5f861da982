// tf's WebAssembly kernels with threads, in Node. tf itself starts threads in browsers only, as workers made of blobs;
// here the same sources run as worker threads. What this touches is private to tf, whose version is pinned.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { BackendWasm } from '@tensorflow/tfjs-backend-wasm'
import type { ThreadedWasm } from './platform.js'

const require = createRequire(import.meta.url)
const built = '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd'

/** What we use of the module that Emscripten made of the kernels. */
interface KernelModule {
  tfjs: BackendWasm['wasm']['tfjs']
  cwrap(name: string, returns: null, takes: readonly 'number'[]): (...args: number[]) => void
  cwrap(name: string, returns: 'number', takes: readonly 'number'[]): () => number
  readonly PThread: { readonly runningWorkers: Worker[]; readonly unusedWorkers: Worker[] }
}

interface Settings {
  instantiateWasm(imports: Imports, receive: (instance: object, module: object) => void): object
  locateFile(file: string): string
}
interface Imports {
  readonly env: Record<string, () => number>
}

/** Node's; TypeScript has its types for browsers only. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: {
    Module: new (bytes: Uint8Array) => object
    Instance: new (module: object, imports: Imports) => { readonly exports: object }
  }
}

/** Emscripten starts its workers as `new Worker(what locateFile says)`. */
class WorkerFromSource extends Worker {
  constructor(source: string) {
    // Not with the options of this process, which may say that what is evaluated is a module.
    super(source, { eval: true, execArgv: [] })
  }
}

/** As many threads as cores, and as tf takes. @throws where that is one, or Node may not start any. */
export async function openThreadedWasm(): Promise<ThreadedWasm> {
  const cores = Math.min(availableParallelism(), MOST_THREADS)
  if (cores === 1) throw new Error('there is one core')
  const open = require(`${built}.js`) as (settings: Settings) => Promise<KernelModule>
  const { wasmWorkerContents } = require(`${built}.worker.js`) as { wasmWorkerContents: string }
  const workerSource = wasmWorkerContents.replaceAll('\n', String.raw`\n`)
  const settings: Settings = {
    instantiateWasm(imports, receive) {
      // tf takes half of what it is told, for it counts on two threads a core.
      imports.env['emscripten_num_logical_cores'] = () => 2 * cores
      const module = new WebAssembly.Module(readFileSync(require.resolve(`${built}.wasm`)))
      const instance = new WebAssembly.Instance(module, imports)
      receive(instance, module)
      return instance.exports
    },
    locateFile(file) {
      if (!file.endsWith('.worker.js')) return file
      // Emscripten has set this to Node's own a moment ago.
      Object.assign(globalThis, { Worker: WorkerFromSource })
      return workerSource
    },
  }
  const wasm = await withoutTraces(() => open(settings))
  const { unusedWorkers, runningWorkers } = wasm.PThread
  const numbers = (count: number) => Array.from({ length: count }, () => 'number' as const)
  const init = wasm.cwrap('init_with_threads_count', null, numbers(1))
  let threads = cores
  wasm.tfjs = {
    init: wasm.cwrap('init', null, []),
    // Negative where the program has not called tf's setThreadsCount.
    initWithThreadsCount(count) {
      if (count > 0) threads = Math.min(cores, count)
      init(1)
    },
    getThreadsCount: wasm.cwrap('get_threads_count', 'number', []),
    registerTensor: wasm.cwrap('register_tensor', null, numbers(3)),
    disposeData: wasm.cwrap('dispose_data', null, numbers(1)),
    dispose: wasm.cwrap('dispose', null, []),
  }
  const tf = new BackendWasm(wasm as unknown as BackendWasm['wasm'])
  // The calling thread is one of them.
  const surplus = unusedWorkers.splice(0, unusedWorkers.length - (threads - 1))
  await Promise.all(surplus.map((worker) => worker.terminate()))
  return {
    tf,
    threads,
    start() {
      if (runningWorkers.length === threads - 1) return
      init(threads)
      // They shall not keep the process alive.
      for (const worker of runningWorkers) worker.unref()
    },
  }
}

/** How many workers tf's module starts, whatever is needed. */
const MOST_THREADS = 8

/** Runs `open` and undoes what Emscripten's code does to the process meanwhile: a global, and handlers of its errors. */
function withoutTraces<T>(open: () => T): T {
  const events = ['uncaughtException', 'unhandledRejection']
  const worker = Object.getOwnPropertyDescriptor(globalThis, 'Worker')
  const listeners = events.map((event) => process.listeners(event as 'exit'))
  try {
    return open()
  } finally {
    Reflect.deleteProperty(globalThis, 'Worker')
    if (worker) Object.defineProperty(globalThis, 'Worker', worker)
    events.forEach((event, i) => {
      for (const listener of process.listeners(event as 'exit'))
        if (!listeners[i]!.includes(listener)) process.off(event, listener)
    })
  }
}
