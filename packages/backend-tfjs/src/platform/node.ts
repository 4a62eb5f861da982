// Node's side of platform.ts: WebGPU is Dawn, from the npm package webgpu, and native packages are optional peers.
import { createRequire } from 'node:module'
import util from 'node:util'
import { Unavailable } from '../unavailable.js'
import type { NativePackage, Platform } from './platform.js'

const require = createRequire(import.meta.url)
let gpu: Promise<GPU> | undefined

/** Versions of the optional packages that this package works with. */
const { peerDependencies: peers } = require('../../package.json') as {
  readonly peerDependencies: Readonly<Record<string, string>>
}

export const platform: Platform = {
  openGpu: () => (gpu ??= openDawn()),
  adapterRemedy:
    'install a Vulkan loader and the driver of your GPU (Debian: libvulkan1 and mesa-vulkan-drivers 24 or newer, or ' +
    "NVIDIA's). Without a GPU, the software device in Debian's chromium package will do for tests: " +
    'LD_LIBRARY_PATH=/usr/lib/chromium VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json',
  gpuVersions: () => Promise.resolve({ webgpu: versionOf('webgpu') }),
  openWasm: async () => (await import('./node-wasm.js')).openWasm(),
  async loadNative(name) {
    try {
      require.resolve(name)
    } catch {
      throw new Unavailable(`${name} is not installed`, installing(name))
    }
    // Node 23 and later lack a function that tfjs-node calls.
    if (!('isNullOrUndefined' in util))
      Object.assign(util, { isNullOrUndefined: (x: unknown) => x === null || x === undefined })
    try {
      require(name)
    } catch (error) {
      const cause = (error as Error).message.split('\n')[0]
      throw new Unavailable(
        `${name} is installed but its native library does not load (${cause})`,
        installing(name),
      )
    }
  },
}

/** Opens the one instance of the process: Dawn looks for drivers once, and tf looks for the instance in `navigator`. */
async function openDawn(): Promise<GPU> {
  const { create, globals } = await import('webgpu').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    // 132 MB that only this device needs, so it is not installed by itself.
    throw new Unavailable(
      'the npm package webgpu is not installed',
      `install it: npm install webgpu@${peers['webgpu']}`,
    )
  })
  Object.assign(globalThis, globals)
  const instance = create([])
  // Node before 21 has no navigator.
  const host = globalThis as { navigator?: object }
  host.navigator ??= {}
  Object.defineProperty(host.navigator, 'gpu', { value: instance, configurable: true })
  return instance as GPU
}

const versionOf = (name: string) => (require(`${name}/package.json`) as { version: string }).version

const installing = (name: NativePackage) =>
  `install it with its native library: npm install --ignore-scripts=false ${name}@` +
  versionOf('@tensorflow/tfjs-core') +
  (name.endsWith('gpu') ? ' (needs an NVIDIA GPU with CUDA 11 and cuDNN 8)' : '') +
  '; its install script downloads libtensorflow and needs a network'
