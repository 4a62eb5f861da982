// The devices of a browser, on onnxruntime-web: `wasm` and `webgpu`.
import { webRuntime } from '../runtime-web.js'
import type { Device } from './device.js'
import { wasmOn } from './wasm.js'
import { webgpuOn } from './webgpu.js'

const { crossOriginIsolated, navigator } = globalThis as unknown as {
  readonly crossOriginIsolated: boolean
  readonly navigator: { readonly hardwareConcurrency: number }
}

/** Only a cross-origin isolated page may share memory between threads. */
const cores = () => (crossOriginIsolated ? navigator.hardwareConcurrency : 1)

const wasm = wasmOn(webRuntime(() => import('onnxruntime-web/wasm'), cores))

const webgpu = webgpuOn(
  webRuntime(() => import('onnxruntime-web/webgpu'), cores),
  "look at the browser's own page about graphics (chrome://gpu), or use ort:wasm",
)

export const browserDevices: readonly Device[] = [wasm, webgpu]
