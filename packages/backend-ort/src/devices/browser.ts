// The devices of a browser, on onnxruntime-web: `wasm` and `webgpu`.
import { webRuntime, type WebOrt } from '../runtime-web.js'
import type { Device } from './device.js'
import { wasmOn } from './wasm.js'
import { webgpuOn } from './webgpu.js'

const { crossOriginIsolated, navigator } = globalThis as unknown as {
  readonly crossOriginIsolated: boolean
  readonly navigator: { readonly hardwareConcurrency: number }
}

/** Only a cross-origin isolated page may share memory between threads. */
const cores = () => (crossOriginIsolated ? navigator.hardwareConcurrency : 1)

/**
 * Tells the runtime the addresses of its module and of the script that its threads run, unless the program has. Left alone, a
 * thread would run the chunk that a bundler put the runtime in, with all that the chunk imports: the whole page.
 */
async function withFiles(build: Promise<WebOrt>, mjs: URL, wasm: URL): Promise<WebOrt> {
  const ort = await build
  ort.env.wasm.wasmPaths ??= { mjs: mjs.href, wasm: wasm.href }
  return ort
}

// Vite and webpack replace each `new URL` by the address of a copy of the file; each must be written out.
const wasm = wasmOn(
  webRuntime(
    () =>
      withFiles(
        import('onnxruntime-web/wasm'),
        new URL('onnxruntime-web/ort-wasm-simd-threaded.mjs', import.meta.url),
        new URL('onnxruntime-web/ort-wasm-simd-threaded.wasm', import.meta.url),
      ),
    cores,
  ),
)

const webgpu = webgpuOn(
  webRuntime(
    () =>
      withFiles(
        import('onnxruntime-web/webgpu'),
        new URL('onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs', import.meta.url),
        new URL('onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm', import.meta.url),
      ),
    cores,
  ),
  "look at the browser's own page about graphics (chrome://gpu), or use ort:wasm",
)

export const browserDevices: readonly Device[] = [wasm, webgpu]
