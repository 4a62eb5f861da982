// tf's WebAssembly kernels in a browser. tf looks for its .wasm files beside the page's script, where no bundler puts them, and
// gives its workers the source of a minified function, which they cannot run. Here bundlers find the files, and workers get the
// script as it was published.
import { env } from '@tensorflow/tfjs-core'
import openSingle from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.js'
import openThreaded from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js'
import { wasmWorkerContents } from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.worker.js'
import type { OpenedWasm } from './platform.js'
import {
  openModule,
  relaxThreadLimit,
  threadsFor,
  type Imports,
  type KernelModule,
} from './wasm-module.js'

// Vite and webpack replace each of these expressions by the address of a copy of the file; each must be written out.
const files = {
  plain: new URL('@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.wasm', import.meta.url),
  simd: new URL(
    '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm',
    import.meta.url,
  ),
  threaded: new URL(
    '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.wasm',
    import.meta.url,
  ),
  threadedScript: new URL(
    '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js',
    import.meta.url,
  ),
}

/** The browser's WebAssembly; this package is compiled without the types of a browser. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: {
    instantiate(
      bytes: ArrayBuffer,
      imports: Imports,
    ): Promise<{ readonly instance: object; readonly module: object }>
  }
}

interface Settings {
  instantiateWasm(imports: Imports, receive: Receive): object
  locateFile(file: string): string
  readonly mainScriptUrlOrBlob?: Blob
}
type Receive = (instance: object, module: object) => void
type Open = (settings: Settings) => Promise<KernelModule>

/** @throws if a file is not where a bundler should have put it. */
export async function openWasm(): Promise<OpenedWasm> {
  const cores = threadsFor(
    (globalThis as { navigator?: { hardwareConcurrency?: number } }).navigator
      ?.hardwareConcurrency ?? 1,
  )
  const [hasSimd, hasThreads] = await Promise.all([
    env().getAsync('WASM_HAS_SIMD_SUPPORT'),
    env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT'),
  ])
  if (!hasSimd || !hasThreads || cores === 1) {
    const wasmBinary = await fetchWasm(hasSimd ? files.simd : files.plain)
    const settings = { locateFile: (file: string) => file }
    return openModule(await opened(openSingle, wasmBinary, settings), 1)
  }
  const [wasmBinary, script] = await Promise.all([
    fetchWasm(files.threaded),
    fetchFile(files.threadedScript).then((response) => response.text()),
  ])
  const workers = URL.createObjectURL(asScript(wasmWorkerContents.replaceAll('\n', String.raw`\n`)))
  const wasm = await opened(openThreaded, wasmBinary, {
    mainScriptUrlOrBlob: asScript(script),
    locateFile: (file) => (file.endsWith('.worker.js') ? workers : file),
  })
  URL.revokeObjectURL(workers)
  return openModule(wasm, cores)
}

/** Calls what Emscripten made of the kernels. @throws if the browser refuses the module. */
function opened(
  imported: unknown,
  bytes: ArrayBuffer,
  settings: Omit<Settings, 'instantiateWasm'>,
): Promise<KernelModule> {
  // Bundlers differ in how they import tf's CommonJS files.
  const open = (imported as { default?: Open }).default ?? (imported as Open)
  return new Promise((resolve, reject) => {
    const instantiateWasm = (imports: Imports, receive: Receive) => {
      relaxThreadLimit(imports)
      WebAssembly.instantiate(bytes, imports).then(
        ({ instance, module }) => receive(instance, module),
        reject,
      )
      return {}
    }
    open({ ...settings, instantiateWasm }).then(resolve, reject)
  })
}

const asScript = (source: string) => new Blob([source], { type: 'text/javascript' })

async function fetchFile(url: URL): Promise<Response> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} is not served: ${response.status}`)
  return response
}

async function fetchWasm(url: URL): Promise<ArrayBuffer> {
  const bytes = await (await fetchFile(url)).arrayBuffer()
  // Servers of single-page applications answer with a page for what they do not have.
  if (new DataView(bytes).getUint32(0) !== WASM_MAGIC) throw new Error(`${url} is no WebAssembly`)
  return bytes
}

/** The first four bytes of every WebAssembly file. */
const WASM_MAGIC = 0x0061736d
