// The backend contract on tf: buffers and who owns them, compiling, and the factory with its devices.
// How a graph runs is in executor.ts; what differs between devices is in devices/.
import {
  bytesOf,
  checkHostTensor,
  checkInputs,
  formatType,
  lower,
  verify,
  type Availability,
  type Backend,
  type BackendFactory,
  type Capabilities,
  type DeviceBuffer,
  type DType,
  type Executable,
  type Graph,
  type HostTensor,
  type MemoryUse,
  type Shape,
} from '@embed-kd/core'
import { version_core } from '@tensorflow/tfjs-core'
import { asDtype, Unavailable, type Device } from './devices/device.js'
import { deviceModule, deviceNames, openDevice } from './devices/registry.js'
import { nativeComposites, Schedule } from './executor.js'
import { dtypes } from './kernels.js'
import { Workspace, type HostValues, type TfDType, type TfTensor } from './workspace.js'

/** Alive until it is disposed, or consumed as a donated input. */
class TfjsBuffer implements DeviceBuffer {
  readonly dtype: DType
  readonly shape: Shape
  readonly owner: TfjsBackend
  #tensor: TfTensor | undefined

  constructor(owner: TfjsBackend, tensor: TfTensor) {
    this.owner = owner
    this.dtype = tensor.dtype as DType
    this.shape = [...tensor.shape]
    this.#tensor = tensor
  }

  get alive(): boolean {
    return this.#tensor !== undefined
  }

  /** @throws where it is not alive. */
  get tensor(): TfTensor {
    if (!this.#tensor) throw new Error(`the buffer ${formatType(this)} is not alive`)
    return this.#tensor
  }

  /** Gives its reference up to the caller, who frees it; undefined where it has none any more. */
  release(): TfTensor | undefined {
    const tensor = this.#tensor
    this.#tensor = undefined
    return tensor
  }

  dispose(): void {
    this.owner.forget(this)
  }
}

class TfjsExecutable implements Executable {
  readonly graph: Graph
  readonly #backend: TfjsBackend
  readonly #schedule: Schedule
  #disposed = false

  constructor(graph: Graph, backend: TfjsBackend, schedule: Schedule) {
    this.graph = graph
    this.#backend = backend
    this.#schedule = schedule
  }

  async run(inputs: Readonly<Record<string, DeviceBuffer>>): Promise<Record<string, DeviceBuffer>> {
    if (this.#disposed) throw new Error(`graph ${this.graph.name}: the executable was disposed`)
    checkInputs(this.graph, inputs)
    const buffers = this.graph.inputs.map(({ name }) =>
      this.#backend.own(inputs[name]!, `graph ${this.graph.name}: input ${name}`),
    )
    const outputs = await this.#backend.execute(this.graph, this.#schedule, buffers)
    return Object.fromEntries(this.graph.outputs.map(({ name }, i) => [name, outputs[i]!]))
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    this.#schedule.dispose()
    this.#backend.executables.delete(this)
  }
}

/** A device of tf, open. */
export class TfjsBackend implements Backend {
  readonly name: string
  readonly capabilities: Capabilities
  readonly versions: Readonly<Record<string, string>>
  /** Compiled here and not disposed yet. */
  readonly executables = new Set<Executable>()
  readonly #device: Device
  readonly #workspace: Workspace
  readonly #buffers = new Set<TfjsBuffer>()
  #disposed = false

  constructor(name: string, device: Device) {
    this.name = name
    this.versions = { '@tensorflow/tfjs-core': version_core, ...device.versions }
    this.capabilities = {
      ...device.traits,
      composites: nativeComposites(device.rules),
      dtypes,
    }
    this.#device = device
    this.#workspace = new Workspace(device.tf, device.registry)
  }

  async compile(graph: Graph): Promise<Executable> {
    this.#mustBeOpen()
    const lowered = lower(verify(graph, this.capabilities), {
      composites: this.capabilities.composites,
    })
    const schedule = await this.#device.attempt(
      () => new Schedule(lowered, this.#device, this.#workspace),
    )
    const executable = new TfjsExecutable(graph, this, schedule)
    this.executables.add(executable)
    return executable
  }

  async upload(tensor: HostTensor): Promise<DeviceBuffer> {
    this.#mustBeOpen()
    checkHostTensor(tensor, this.capabilities)
    const { dtype, shape } = tensor
    const dataId = await this.#device.attempt(() => this.#device.upload(tensor))
    return this.#keep({ dataId, shape: shape as number[], dtype: dtype as TfDType })
  }

  async read(buffer: DeviceBuffer): Promise<HostTensor> {
    this.#mustBeOpen()
    const { dtype, shape } = buffer
    // Held while it is read, so that the caller may dispose of the buffer meanwhile.
    const tensor = this.#workspace.retain(this.own(buffer, 'read').tensor)
    try {
      const values = shape.includes(0) ? [] : await this.#device.read(tensor.dataId)
      return { dtype, shape, data: asDtype(values as HostValues, dtype as TfDType) } as HostTensor
    } finally {
      this.#workspace.free(tensor)
    }
  }

  synchronize(): Promise<void> {
    this.#mustBeOpen()
    return this.#device.synchronize()
  }

  memory(): MemoryUse {
    const reservedBytes = this.#device.reservedBytes?.()
    return {
      buffers: this.#buffers.size,
      bytes: [...this.#buffers].reduce((sum, buffer) => sum + bytesOf(buffer), 0),
      ...(reservedBytes === undefined ? {} : { reservedBytes }),
    }
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    for (const executable of this.executables) await executable.dispose()
    for (const buffer of this.#buffers) buffer.dispose()
    this.#disposed = true
    this.#device.dispose()
  }

  /** Runs a schedule; donated buffers are consumed even where it fails. */
  async execute(
    graph: Graph,
    schedule: Schedule,
    inputs: readonly TfjsBuffer[],
  ): Promise<TfjsBuffer[]> {
    this.#mustBeOpen()
    let outputs: TfTensor[] = []
    try {
      await this.#device.attempt(() => {
        const tensors = inputs.map((buffer) => buffer.tensor)
        inputs.forEach((buffer, i) => {
          if (!graph.inputs[i]!.donated) return
          buffer.release()
          this.#buffers.delete(buffer)
        })
        outputs = schedule.run(tensors)
      })
      return outputs.map((tensor) => this.#keep(tensor))
    } catch (error) {
      for (const tensor of outputs) this.#workspace.free(tensor)
      throw error
    }
  }

  /** @throws where `buffer` is not a live one of this backend; `what` says which it is. */
  own(buffer: DeviceBuffer, what: string): TfjsBuffer {
    if (!(buffer instanceof TfjsBuffer) || buffer.owner !== this)
      throw new Error(
        `${what}: the buffer ${formatType(buffer)} is not of this ${this.name}; ` +
          'read it where it is and upload it here',
      )
    if (!buffer.alive)
      throw new Error(
        `${what}: the buffer ${formatType(buffer)} was disposed, or donated to an earlier run`,
      )
    return buffer
  }

  /** Frees a buffer, once. */
  forget(buffer: TfjsBuffer): void {
    const tensor = buffer.release()
    if (tensor) this.#workspace.free(tensor)
    this.#buffers.delete(buffer)
  }

  #keep(tensor: TfTensor): TfjsBuffer {
    const buffer = new TfjsBuffer(this, tensor)
    this.#buffers.add(buffer)
    return buffer
  }

  #mustBeOpen(): void {
    if (this.#disposed) throw new Error(`${this.name} was disposed`)
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
