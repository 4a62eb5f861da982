// What Node and a browser do differently: where WebGPU and threads come from, and native packages, which only Node has.
// `#platform` is node.ts or browser.ts, by the conditions in package.json; no Node import reaches a bundle.
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm'

export interface Platform {
  /** The WebGPU entry point, with its global classes defined. @throws Unavailable where there is none. */
  openGpu(): Promise<GPU>
  /** What helps where `openGpu` succeeds but finds no adapter. */
  readonly adapterRemedy: string
  /** Versions of what `openGpu` brought along. */
  gpuVersions(): Promise<Readonly<Record<string, string>>>
  /**
   * tf's WebAssembly backend with threads, where tf does not start them itself.
   * @throws where threads cannot be had.
   */
  openThreadedWasm?(): Promise<ThreadedWasm>
  /**
   * Loads one of tf's native packages, at the cost of its whole library.
   * @throws Unavailable where it is not installed, or its library does not load.
   */
  loadNative(name: NativePackage): Promise<void>
}

export interface ThreadedWasm {
  readonly tf: BackendWasm
  /** How many `start` lets it use; one until then. */
  readonly threads: number
  start(): void
}

export type NativePackage = '@tensorflow/tfjs-node' | '@tensorflow/tfjs-node-gpu'
