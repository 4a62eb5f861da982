// What a device file provides: tf's backend for it, the emitters that translate ops for it, and how to talk to its memory.
// Nothing here knows graphs (translate.ts) or the contract with core (backend.ts).
import type { Capabilities, HostTensor } from '@embed-kd/core'
import type { KernelBackend, TensorInfo } from '@tensorflow/tfjs-core'
import type { Emitters } from '../emitters.js'
import type { HostValues, TfDType } from '../workspace.js'

export interface Device {
  readonly tf: KernelBackend
  /** The name that tf's kernels for this device are registered by. */
  readonly registry: string
  readonly emitters: Emitters
  readonly capabilities: Omit<Capabilities, 'composites' | 'dtypes'>
  readonly versions: Readonly<Record<string, string>>
  /** Whether the emitters announce all tensors that they make, so that memory can be planned exactly. */
  readonly plansMemory?: true
  /** Copies a host tensor to the device. */
  upload(tensor: HostTensor): TensorInfo['dataId']
  /** Copies data to the host, after everything it depends on has run. */
  read(dataId: TensorInfo['dataId']): Promise<HostValues>
  /** Calls `work`, which runs kernels, and rejects if the device reports an error for it. */
  attempt<T>(work: () => T): Promise<T>
  /** Resolves when all work handed to the device has finished. */
  synchronize(): Promise<void>
  /** Returns the bytes that the device's allocator has reserved; absent if the device does not tell. */
  reservedBytes?(): number
  dispose(): void
}

/** The exports of a device's file. */
export interface DeviceModule {
  /**
   * Finds out whether the device can be used, and loads as little as possible. @returns a description of the device, if there is one.
   * @throws Unavailable if it cannot.
   */
  probe(): Promise<string | undefined>
  /** @throws Unavailable if the device cannot be used. */
  open(): Promise<Device>
}

/** The parts of a device whose kernels run on this thread and whose tensors the host can read at once. */
export const onThisThread = (
  tf: KernelBackend,
): Pick<Device, 'upload' | 'read' | 'attempt' | 'synchronize'> => ({
  // Copies both ways: tf keeps the array it is given, and may hand out the one it computes with.
  upload: ({ data, shape, dtype }) =>
    tf.write(data.slice() as HostValues, shape as number[], dtype as TfDType),
  read: (dataId) => Promise.resolve((tf.readSync(dataId) as HostValues).slice()),
  attempt: (work) => new Promise((resolve) => resolve(work())),
  synchronize: () => Promise.resolve(),
})

const arrayOf = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }

/** Host values as the array class of `dtype`: tf lets a cast share its operand's data. */
export const asDtype = (values: HostValues, dtype: TfDType): HostValues =>
  values instanceof arrayOf[dtype] ? values : arrayOf[dtype].from(values)
