// The devices of Node: `cpu`, `webgpu` and `cuda` on onnxruntime-node, `wasm` on onnxruntime-web.
import { availableParallelism } from 'node:os'
import { nodeRuntime } from '../runtime.js'
import { webRuntime } from '../runtime-web.js'
import { cpu } from './cpu.js'
import { cuda } from './cuda.js'
import type { Device } from './device.js'
import { wasmOn } from './wasm.js'
import { webgpuOn } from './webgpu.js'

export const webgpu = webgpuOn(
  nodeRuntime,
  'install a Vulkan loader and the driver of your GPU (Debian: libvulkan1 and mesa-vulkan-drivers 24 or newer, or ' +
    "NVIDIA's). Without a GPU, the software device in Debian's chromium package will do for tests: " +
    'LD_LIBRARY_PATH=/usr/lib/chromium VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json',
)

const wasm = wasmOn(webRuntime(() => import('onnxruntime-web'), availableParallelism))

export const nodeDevices: readonly Device[] = [cpu, webgpu, cuda, wasm]
