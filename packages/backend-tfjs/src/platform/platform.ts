// What Node and a browser do differently: where WebGPU comes from, and native packages, which only Node has.
// `#platform` is node.ts or browser.ts, by the conditions in package.json; no Node import reaches a bundle.

export interface Platform {
  /** The WebGPU entry point, with its global classes defined. @throws Unavailable where there is none. */
  openGpu(): Promise<GPU>
  /** What helps where `openGpu` succeeds but finds no adapter. */
  readonly adapterRemedy: string
  /** Versions of what `openGpu` brought along. */
  gpuVersions(): Promise<Readonly<Record<string, string>>>
  /**
   * Loads one of tf's native packages, at the cost of its whole library.
   * @throws Unavailable where it is not installed, or its library does not load.
   */
  loadNative(name: NativePackage): Promise<void>
}

export type NativePackage = '@tensorflow/tfjs-node' | '@tensorflow/tfjs-node-gpu'
