// tfjs:webgpu: tf's WebGPU kernels on a device of our own, in a browser or in Node through Dawn. WebGPU reports most
// mistakes late and silently; here each run fails with the errors that its own commands caused.
import { platform } from '#platform'
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { emitters } from '../emitters.js'
import type { HostValues, TfDType } from '../workspace.js'
import type { Device } from './device.js'
import { Unavailable } from '../unavailable.js'
import { webgpuEmitters } from './webgpu-emitters.js'
import { withWritable } from './wgsl.js'

export const probe = async (): Promise<string> => describe((await findAdapter()).info)

async function findAdapter(): Promise<GPUAdapter> {
  const gpu = await platform.openGpu()
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter) throw new Unavailable('tfjs:webgpu finds no WebGPU adapter', platform.adapterRemedy)
  return adapter
}

const describe = ({ vendor, architecture, device, description }: GPUAdapterInfo): string =>
  [description || device, vendor, architecture].filter(Boolean).join(', ')

/** Everything that bounds the size of a tensor or the reach of a kernel: as much as the adapter has. */
const limits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeInvocationsPerWorkgroup',
] as const

/** How the kinds of errors are announced. */
const errorKinds = { 'out-of-memory': 'out of memory: ', validation: '', internal: 'internal: ' }
const errorFilters = Object.keys(errorKinds) as (keyof typeof errorKinds)[]

/** Calls `work` now; what comes back returns its result, or throws what it threw. */
function settle<T>(work: () => T): () => T {
  try {
    const result = work()
    return () => result
  } catch (error) {
    return () => {
      throw error
    }
  }
}

export async function open(): Promise<Device> {
  const adapter = await findAdapter()
  const gpu = await adapter.requestDevice({
    requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
  })
  const createShaderModule = gpu.createShaderModule.bind(gpu)
  gpu.createShaderModule = (descriptor) =>
    createShaderModule({ ...descriptor, code: withWritable(descriptor.code) })
  const tf = new WebGPUBackend(gpu, adapter.info)

  // What no error scope below has caught, and the loss of the device, fail whatever is asked next.
  let failure: Error | undefined
  gpu.addEventListener('uncapturederror', (event) => {
    failure ??= new Error(`tfjs:webgpu: ${event.error.message}`)
  })
  void gpu.lost.then(({ reason, message }) => {
    if (reason !== 'destroyed') failure ??= new Error(`tfjs:webgpu lost its device: ${message}`)
  })
  const check = () => {
    if (failure) throw failure
  }
  /** Hands what was recorded to the queue. */
  const flush = () => {
    tf.ensureCommandEncoderReady()
    tf.endComputePassEncoder()
    tf.submitQueue()
  }

  return {
    tf,
    registry: 'webgpu',
    emitters: { ...emitters, ...webgpuEmitters(tf) },
    capabilities: {
      precision: { arithmetic: 2 ** -22, transcendental: 2e-6 },
      deterministic: true,
      hostMemory: false,
      reusesDonated: true,
      denormals: false,
      excuses: [],
    },
    versions: { ...(await platform.gpuVersions()), adapter: describe(adapter.info) },
    upload({ data, shape, dtype }) {
      const dataId = tf.write(data as HostValues, shape as number[], dtype as TfDType)
      // To the device at once, so that tf neither keeps `data` nor computes small results on the host.
      if (data.length > 0) tf.uploadToGPU(dataId)
      return dataId
    },
    async read(dataId) {
      const values = (await tf.read(dataId)) as HostValues
      check()
      const stored = tf.tensorMap.get(dataId)
      if (!stored.resource) return values.slice()
      // tf keeps what it has read, beside the data on the device.
      stored.values = null!
      return values
    },
    async attempt(work) {
      check()
      for (const filter of errorFilters) gpu.pushErrorScope(filter)
      const outcome = settle(work)
      flush()
      // What the device says explains what `work` may have thrown. Scopes are popped in the reverse order.
      const popped = await Promise.all(errorFilters.map(() => gpu.popErrorScope()))
      popped.reverse().forEach((error, i) => {
        if (error) throw new Error(`tfjs:webgpu: ${errorKinds[errorFilters[i]!]}${error.message}`)
      })
      check()
      return outcome()
    },
    async synchronize() {
      check()
      flush()
      await gpu.queue.onSubmittedWorkDone()
      check()
    },
    reservedBytes: () => tf.bufferManager.numBytesAllocated,
    dispose() {
      tf.dispose()
      gpu.destroy()
    },
  }
}
