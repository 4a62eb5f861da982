// The browser's side of platform.ts: WebGPU is the browser's own, and there are no native packages.
import { Unavailable } from '../unavailable.js'
import type { Platform } from './platform.js'

export const platform: Platform = {
  async openGpu() {
    const { gpu } = (globalThis as { navigator?: { gpu?: GPU } }).navigator ?? {}
    if (gpu) return gpu
    throw new Unavailable(
      'this browser offers no WebGPU here',
      'it needs a secure context (https or localhost) and a browser that has it',
    )
  },
  adapterRemedy:
    "look at the browser's own page about graphics (chrome://gpu), or use tfjs:wasm or tfjs:cpu",
  gpuVersions: () => Promise.resolve({}),
  openWasm: async () => (await import('./browser-wasm.js')).openWasm(),
  async loadNative(name) {
    throw new Unavailable(`${name} is native code for Node`, 'in a browser use tfjs:webgpu')
  },
}
