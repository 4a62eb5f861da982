// The browser's side of platform.ts: WebGPU is the browser's own, and there are no native packages.
import type { Platform } from './platform.js'

export const platform: Platform = {
  openGpu() {
    const { gpu } = (globalThis as { navigator?: { gpu?: GPU } }).navigator ?? {}
    return gpu
      ? Promise.resolve(gpu)
      : Promise.reject(
          new Error(
            'this browser offers no WebGPU here; it needs a secure context (https or localhost) and a browser that has it',
          ),
        )
  },
  adapterRemedy:
    "look at the browser's own page about graphics (chrome://gpu), or use tfjs:wasm or tfjs:cpu",
  gpuVersions: () => Promise.resolve({}),
  loadNative: (name) =>
    Promise.reject(new Error(`${name} is native code for Node; in a browser use tfjs:webgpu`)),
}
