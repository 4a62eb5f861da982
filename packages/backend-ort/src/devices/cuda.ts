// The CUDA execution provider. Its libraries are not in the npm package: most of this file says which are missing. The
// binding knows no tensors in CUDA memory, so that state crosses the bus in every step.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { hasTrait, sizeOf, type Availability, type TensorType } from '@embed-kd/core'
import type { InferenceSession } from 'onnxruntime-common'
import { nativeComposites, type Emitter } from '../onnx/emitter.js'
import { emitters, matmulFused, widened } from '../onnx/emitters.js'
import { ModelBuilder } from '../onnx/model.js'
import { nodeRuntime } from '../runtime.js'
import { commonOptions, type Device, type Ort } from './device.js'
import { hostMemory } from './host-memory.js'

const sessionOptions = {
  ...commonOptions,
  executionProviders: ['cuda', 'cpu'],
  // The CPU runs next to nothing, but each of its threads would spin while the GPU works.
  intraOpNumThreads: 1,
  // Only errors are logged, since the runtime warns of every operator on shapes, which belongs on the CPU.
  logSeverityLevel: 3,
} as const satisfies InferenceSession.SessionOptions

/** Computes a scalar as a vector of one element, and float16 in float32: the provider's tanh overflows there. */
const gelu: Emitter<'gelu'> = widened((model, application) => {
  const { inputs, inputTypes, outputs } = application
  if (inputTypes[0]!.shape.length > 0) {
    emitters.gelu(model, application)
    return
  }
  const [vector, result] = [model.fresh(), model.fresh()]
  model.add('Reshape', [inputs[0]!, model.shape([1])], {}, [vector])
  emitters.gelu(model, { ...application, inputs: [vector], outputs: [result] })
  model.add('Reshape', [result, model.shape([])], {}, outputs)
})

/** Emits -Infinity for a row of nothing else, for which the provider returns the lowest finite number. */
const max: Emitter<'max'> = (model, application) => {
  const { inputs, inputTypes, outputs, attrs } = application
  const [x] = inputs as [string]
  const { dtype } = inputTypes[0]!
  if (dtype === 'int32' || attrs.axes.length === 0) {
    emitters.max(model, application)
    return
  }
  const [one, zero, lowest] = [1, 0, -Infinity].map((value) => model.scalar(dtype, value))
  const counted = model.add('Where', [model.add('Equal', [x, lowest!]), zero!, one!])
  const keepdims = Number(attrs.keepDims)
  const others = model.add('ReduceSum', [counted, model.indices(attrs.axes)], { keepdims })
  const greatest = model.fresh()
  emitters.max(model, { ...application, outputs: [greatest] })
  model.add('Where', [model.add('Equal', [others, zero!]), lowest!, greatest], {}, outputs)
}

/** Emits a sum of nothing as zeros; the provider refuses to add nothing up. */
const sum: Emitter<'sum'> = (model, application) => {
  const { inputTypes, outputs, outputTypes } = application
  const [{ shape }] = outputTypes as [TensorType]
  if (sizeOf(inputTypes[0]!.shape) > 0 || sizeOf(shape) === 0) emitters.sum(model, application)
  else
    model.add('Expand', [model.scalar(outputTypes[0]!.dtype, 0), model.shape(shape)], {}, outputs)
}

export const cuda: Device = {
  name: 'cuda',
  runtime: nodeRuntime,
  capabilities: {
    // LogSoftmax subtracts (max + log of the sum), which rounds away small losses of large scores.
    composites: nativeComposites.filter((name) => name !== 'logSoftmax'),
    dtypes: ['float32', 'float16', 'int32', 'bool'],
    precision: { arithmetic: 1.2e-7, transcendental: 1e-6 },
    deterministic: false,
    reusesDonated: false,
    hostMemory: false,
    denormals: true,
  },
  emitters: { ...emitters, matmul: matmulFused, sum, max, gelu },
  absorbs: ({ op }) => hasTrait(op, 'product'),
  sessionOptions,
  writesOver: true,
  async probe(ort) {
    const missing = missingProvider(ort)
    if (missing) return missing
    withoutTF32()
    try {
      const model = new ModelBuilder('probe')
      model.input('x', { dtype: 'float32', shape: [1] })
      model.output('y', { dtype: 'float32', shape: [1] })
      model.add('Exp', ['x'], {}, ['y'])
      const session = await ort.InferenceSession.create(model.encode(), sessionOptions)
      await session.release()
      return { available: true }
    } catch (error) {
      return { available: false, reason: causeOf(error as Error), remedy: cudaRemedy }
    }
  },
  async open(ort) {
    withoutTF32()
    return hostMemory(ort)
  },
}

/** Products in float32, as everywhere else, not rounded to TF32's 10 bits. cuBLAS reads this when it is loaded. */
function withoutTF32(): void {
  process.env.NVIDIA_TF32_OVERRIDE ??= '0'
}

/** The directory of the runtime's native libraries, beside which it looks for its providers. */
function libraryDirectory(): string {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node')
  return join(dirname(entry), '..', 'bin', 'napi-v6', process.platform, process.arch)
}

const providers = [
  'libonnxruntime_providers_shared.so',
  'libonnxruntime_providers_cuda.so',
] as const

/** The provider's own libraries, which must be of the very version of the runtime. */
function missingProvider(ort: Ort): Availability | undefined {
  const version = ort.env.versions.node ?? 'unknown'
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return {
      available: false,
      reason: `onnxruntime-node has no CUDA provider for ${process.platform}/${process.arch}`,
      remedy: 'use ort:webgpu here, or Linux on x64',
    }
  const directory = libraryDirectory()
  const missing = providers.filter((file) => !existsSync(join(directory, file)))
  if (missing.length === 0) return undefined
  return {
    available: false,
    reason: `${missing.join(' and ')} of ONNX Runtime ${version} not found in ${directory}`,
    remedy:
      'download with `node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12`, ' +
      `or copy from the NuGet package Microsoft.ML.OnnxRuntime.Gpu.Linux ${version} (runtimes/linux-x64/native); ${cudaRemedy}`,
  }
}

const cudaRemedy =
  'the provider also needs an NVIDIA driver, the CUDA version that it was built for (12: libcudart.so.12, libcublas.so.12, ' +
  'libcublasLt.so.12, libcurand.so.10, libcufft.so.11; 13: the same as .so.13, libcurand.so.10) and cuDNN 9 (libcudnn.so.9) ' +
  'on the path of LD_LIBRARY_PATH'

/** The runtime says only that a library failed to load; the loader says which, when asked for it again. */
function causeOf(error: Error): string {
  const file = join(libraryDirectory(), providers[1])
  try {
    process.dlopen({ exports: {} }, file, constants.dlopen.RTLD_LAZY)
  } catch (refused) {
    const { message } = refused as Error
    if (message.includes('cannot open shared object file')) return message
  }
  return error.message
}
