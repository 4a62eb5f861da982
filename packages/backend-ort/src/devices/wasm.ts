// ONNX Runtime's CPU kernels compiled to WebAssembly, on onnxruntime-web: in browsers, and in Node. Its own memory cannot hold
// tensors between runs, so each run copies its inputs there and its outputs back.
import { messageOf, UserError } from '@embed-kd/core'
import { ModelBuilder } from '../onnx/model.js'
import { cpuKernels, cpuOptions } from './cpu-kernels.js'
import type { Device, Ort, Runtime } from './device.js'
import { hostMemory } from './host-memory.js'

const sessionOptions = { ...cpuOptions, executionProviders: ['wasm'] }

export const wasmOn = (runtime: Runtime): Device => ({
  name: 'wasm',
  runtime,
  ...cpuKernels,
  sessionOptions,
  writesOver: false,
  probe: async () => ({ available: true }),
  async open(ort) {
    await loadModule(ort)
    return hostMemory(ort)
  },
})

/** Makes the runtime load its WebAssembly module, which it does with its first session. */
async function loadModule({ InferenceSession }: Ort): Promise<void> {
  const model = new ModelBuilder('first')
  model.input('x', { dtype: 'float32', shape: [1] })
  model.output('y', { dtype: 'float32', shape: [1] })
  model.add('Exp', ['x'], {}, ['y'])
  try {
    await (await InferenceSession.create(model.encode(), sessionOptions)).release()
  } catch (error) {
    throw new UserError(
      `ort:wasm: onnxruntime-web could not load its WebAssembly module (${messageOf(error)})`,
      'bundle the page with Vite or webpack, which find the files by themselves (in the development server of Vite with ' +
        "optimizeDeps: { exclude: ['@embed-kd/backend-ort'] }), or name their addresses in env.wasm.wasmPaths of onnxruntime-web",
    )
  }
}
