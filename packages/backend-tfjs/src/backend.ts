// Core's Backend on TensorFlow.js, and the factory with its devices. Translation is in translate.ts, runs are in executable.ts and
// schedule.ts, devices in devices/.
import {
  BufferLedger,
  checkHostTensor,
  lower,
  verify,
  type Availability,
  type Backend,
  type BackendFactory,
  type Capabilities,
  type DeviceBuffer,
  type Executable,
  type Graph,
  type HostTensor,
  type MemoryUse,
} from '@embed-kd/core'
import { version_core } from '@tensorflow/tfjs-core'
import { asDtype, type Device } from './devices/device.js'
import { Unavailable } from './unavailable.js'
import { deviceModule, deviceNames, openDevice } from './devices/registry.js'
import { TfjsExecutable } from './executable.js'
import { nativeComposites, translate } from './translate.js'
import { dtypes } from './emitters.js'
import { TensorBytes } from './tensor-bytes.js'
import { Workspace, type TfDType, type TfTensor } from './workspace.js'

/** A device of tf, open. */
export class TfjsBackend implements Backend {
  readonly name: string
  readonly capabilities: Capabilities
  readonly versions: Readonly<Record<string, string>>
  readonly #device: Device
  readonly #workspace: Workspace
  readonly #ledger: BufferLedger<TfTensor>
  readonly #bytes: TensorBytes
  readonly #executables = new Set<TfjsExecutable>()
  #disposed = false

  constructor(name: string, device: Device) {
    this.name = name
    this.versions = { '@tensorflow/tfjs-core': version_core, ...device.versions }
    this.capabilities = {
      ...device.capabilities,
      composites: nativeComposites(device.emitters),
      dtypes,
    }
    this.#device = device
    this.#bytes = TensorBytes.of(device.tf)
    this.#workspace = new Workspace(device.tf, device.registry)
    this.#ledger = new BufferLedger<TfTensor>(name, {
      free: (tensor) => this.#workspace.free(tensor),
    })
  }

  async compile(graph: Graph): Promise<Executable> {
    this.#ledger.assertOpen('compile')
    const { composites } = this.capabilities
    const lowered = lower(verify(graph, this.capabilities), { composites })
    const schedule = await this.#device.attempt(() =>
      translate(lowered, this.#device, this.#workspace),
    )
    const executable = new TfjsExecutable(
      lowered,
      schedule,
      this.#device,
      this.#workspace,
      this.#ledger,
      this.#bytes,
      (self) => this.#executables.delete(self),
    )
    this.#executables.add(executable)
    return executable
  }

  async upload(tensor: HostTensor): Promise<DeviceBuffer> {
    this.#ledger.assertOpen('upload')
    checkHostTensor(tensor, this.capabilities)
    const { dtype, shape } = tensor
    const dataId = await this.#device.attempt(() => this.#device.upload(tensor))
    return this.#ledger.add(tensor, {
      dataId,
      shape: shape as number[],
      dtype: dtype as TfDType,
    })
  }

  async read(buffer: DeviceBuffer): Promise<HostTensor> {
    const { dtype, shape } = buffer
    const values = await this.#ledger.read(buffer, ({ dataId }) =>
      shape.includes(0) ? new Float32Array() : this.#device.read(dataId),
    )
    return { dtype, shape, data: asDtype(values, dtype as TfDType) } as HostTensor
  }

  async synchronize(): Promise<void> {
    this.#ledger.assertOpen('synchronize')
    await this.#device.synchronize()
  }

  memory(): MemoryUse {
    const reservedBytes = this.#device.reservedBytes?.()
    return { ...this.#ledger.use(), ...(reservedBytes === undefined ? {} : { reservedBytes }) }
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    for (const executable of this.#executables) await executable.dispose()
    this.#ledger.close()
    this.#device.dispose()
  }
}

/** TensorFlow.js, on each of its devices. */
export const tfjsBackend: BackendFactory = {
  name: 'tfjs',
  devices: deviceNames,
  async probe(device): Promise<Availability> {
    try {
      const detail = await (await deviceModule(device)).probe()
      return { available: true, ...(detail === undefined ? {} : { detail }) }
    } catch (error) {
      return error instanceof Unavailable
        ? { available: false, reason: error.reason, remedy: error.remedy }
        : {
            available: false,
            reason: (error as Error).message,
            remedy: 'install the packages of @embed-kd/backend-tfjs again',
          }
    }
  },
  create: async (device) => new TfjsBackend(`tfjs:${device}`, await openDevice(device)),
}
