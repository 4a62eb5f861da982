// ONNX Runtime's CPU kernels compiled to WebAssembly, on onnxruntime-web: in browsers, and in Node. Its own memory cannot hold
// tensors between runs, so each run copies its inputs there and its outputs back.
import { hasTrait } from '@embed-kd/core'
import { nativeComposites } from '../onnx/emitter.js'
import { cpuEmitters } from './cpu-emitters.js'
import { commonOptions, type Device, type Runtime } from './device.js'
import { hostMemory } from './host-memory.js'

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
  sessionOptions: { ...commonOptions, executionProviders: ['wasm'] },
  writesOver: false,
  probe: async () => ({ available: true }),
  open: async (ort) => hostMemory(ort),
})
