// ONNX Runtime's CPU kernels compiled to WebAssembly, on onnxruntime-web: in browsers, and in Node. Its own memory cannot hold
// tensors between runs, so each run copies its inputs there and its outputs back.
import { hasTrait, messageOf, UserError } from '@embed-kd/core'
import { nativeComposites } from '../onnx/emitter.js'
import { ModelBuilder } from '../onnx/model.js'
import { cpuEmitters } from './cpu-emitters.js'
import { commonOptions, type Device, type Ort, type Runtime } from './device.js'
import { hostMemory } from './host-memory.js'

const sessionOptions = { ...commonOptions, executionProviders: ['wasm'] }

export const wasmOn = (runtime: Runtime): Device => ({
  name: 'wasm',
  runtime,
  capabilities: {
    composites: nativeComposites,
    dtypes: ['float32', 'float16', 'int32', 'bool'],
    precision: { arithmetic: 6e-8, transcendental: 3e-7 },
    deterministic: true,
    reusesDonated: false,
    hostMemory: true,
    denormals: true,
  },
  emitters: cpuEmitters,
  // Gemm and FusedMatMul have their alpha.
  absorbs: ({ op }) => hasTrait(op, 'product'),
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
