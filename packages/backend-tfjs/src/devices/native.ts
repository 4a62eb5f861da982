// tfjs:node and tfjs:node-gpu: TensorFlow's own library through tf's native packages, which are optional peers. They
// are loaded when one of the two devices is asked for, and only one of them can be in a process.
import { platform } from '#platform'
import { findBackend, getKernel, type KernelBackend, type TensorInfo } from '@tensorflow/tfjs-core'
import type { NativePackage } from '../platform/platform.js'
import { emitters } from '../emitters.js'
import { onThisThread, type Device, type DeviceModule } from './device.js'
import { Unavailable } from '../unavailable.js'

/** What we use of tf's NodeJSKernelBackend, whose types are in the optional package. */
interface NativeBackend extends KernelBackend {
  readonly isGPUPackage: boolean
  readonly isUsingGpuDevice: boolean
  readonly binding: { readonly TF_Version: string }
}

const registry = 'tensorflow'

/** The device of one of the native packages. */
export const nativeDevice = (name: NativePackage): DeviceModule => ({
  probe: async () => `TensorFlow ${(await load(name)).binding.TF_Version}`,
  open: async () => device(await load(name)),
})

async function load(name: NativePackage): Promise<NativeBackend> {
  await platform.loadNative(name)
  const tf = findBackend(registry) as NativeBackend
  const wantsGpu = name === '@tensorflow/tfjs-node-gpu'
  if (tf.isGPUPackage !== wantsGpu)
    throw new Unavailable(
      `${name} cannot be used beside ${wantsGpu ? '@tensorflow/tfjs-node' : '@tensorflow/tfjs-node-gpu'}, ` +
        'which this process has loaded',
      'use a process for each',
    )
  if (wantsGpu && !tf.isUsingGpuDevice)
    throw new Unavailable(
      `${name} finds no GPU and would compute on the CPU`,
      'install an NVIDIA driver with CUDA 11 and cuDNN 8, or use tfjs:node',
    )
  return tf
}

function device(tf: NativeBackend): Device {
  return {
    ...onThisThread(tf),
    tf,
    registry,
    emitters,
    capabilities: {
      precision: { arithmetic: 2 ** -23, transcendental: 5e-7 },
      deterministic: true,
      hostMemory: !tf.isUsingGpuDevice,
      reusesDonated: true,
      // TensorFlow's threads flush them.
      denormals: false,
      excuses: [],
    },
    versions: { tensorflow: tf.binding.TF_Version },
    // Kernels are enqueued on one stream in order; what is computed and read last has waited for all of them.
    async synchronize() {
      if (!tf.isUsingGpuDevice) return
      const zero = {
        dataId: tf.write(new Float32Array(1), [], 'float32'),
        shape: [],
        dtype: 'float32' as const,
      }
      const { dataId } = getKernel('Neg', registry)!.kernelFunc({
        inputs: { x: zero },
        backend: tf,
        attrs: {},
      }) as TensorInfo
      await tf.read(dataId)
      tf.disposeData(zero.dataId)
      tf.disposeData(dataId)
    },
    dispose: () => undefined,
  }
}
