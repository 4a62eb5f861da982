// The differences of Node and browsers: how WebGPU and threads are opened, and native packages, which only Node has.
// `#platform` is node.ts or browser.ts, by the conditions in package.json; no Node import reaches a bundle.
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'

export interface Platform {
  /** Returns the WebGPU entry point and defines WebGPU's global classes. @throws Unavailable if there is none. */
  openGpu(): Promise<GPU>
  /** Remedy if `openGpu` succeeds but finds no adapter. */
  readonly adapterRemedy: string
  /** Returns the versions of the packages that `openGpu` loaded. */
  gpuVersions(): Promise<Readonly<Record<string, string>>>
  /**
   * Opens tf's WebAssembly backend, with threads if there can be any.
   * @throws if only tf's own way can open it.
   */
  openWasm(): Promise<OpenedWasm>
  /**
   * Loads one of tf's native packages, at the cost of its whole library.
   * @throws Unavailable if the package is not installed, or its library does not load.
   */
  loadNative(name: NativePackage): Promise<void>
}

export interface OpenedWasm {
  readonly tf: BackendWasm
  /** Number of threads that `start` lets it use; it uses one until then. */
  readonly threads: number
  start(): void
}

export type NativePackage = '@tensorflow/tfjs-node' | '@tensorflow/tfjs-node-gpu'
