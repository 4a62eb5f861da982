// tf's WebAssembly kernels with threads, in Node. tf itself starts threads in browsers only, as workers made of blobs; here the
// same sources run as worker threads.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { OpenedWasm } from './platform.js'
import {
  openModule,
  relaxThreadLimit,
  threadsFor,
  type Imports,
  type KernelModule,
} from './wasm-module.js'

const require = createRequire(import.meta.url)
const built = '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd'

interface Settings {
  instantiateWasm(imports: Imports, receive: (instance: object, module: object) => void): object
  locateFile(file: string): string
}

/** Node's WebAssembly, whose types TypeScript has for browsers only. */
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

/**
 * Opens the module with one thread for each core.
 * @throws if there is one core, or if Node may not start threads: tf's own way then opens the module without threads.
 */
export async function openWasm(): Promise<OpenedWasm> {
  const cores = threadsFor(availableParallelism())
  if (cores === 1) throw new Error('there is one core')
  const open = require(`${built}.js`) as (settings: Settings) => Promise<KernelModule>
  const { wasmWorkerContents } = require(`${built}.worker.js`) as { wasmWorkerContents: string }
  const workerSource = wasmWorkerContents.replaceAll('\n', String.raw`\n`)
  const settings: Settings = {
    instantiateWasm(imports, receive) {
      relaxThreadLimit(imports)
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
  return openModule(wasm, cores, (workers) => {
    // Workers must not keep the process alive.
    for (const worker of workers) (worker as Worker).unref()
  })
}

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
