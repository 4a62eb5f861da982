// Core's Backend on ONNX Runtime: buffers, executables and the rules of running. What depends on the device is in
// devices/, what depends on the graph in translate.ts.
import {
  bytesOf,
  checkHostTensor,
  checkInputs,
  formatType,
  lower,
  verify,
  type Backend,
  type DeviceBuffer,
  type DType,
  type Executable,
  type Graph,
  type HostTensor,
  type MemoryUse,
  type Shape,
} from '@embed-kd/core'
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import type { Device, Ort } from './devices/device.js'
import { inputName, outputName, translate } from './translate.js'

class OrtBuffer implements DeviceBuffer {
  readonly dtype: DType
  readonly shape: Shape
  readonly owner: OrtBackend
  #tensor: Tensor | undefined

  constructor(owner: OrtBackend, dtype: DType, shape: Shape, tensor: Tensor) {
    this.dtype = dtype
    this.shape = [...shape]
    this.owner = owner
    this.#tensor = tensor
    owner.live.add(this)
  }

  /** Undefined once disposed. */
  get tensor(): Tensor | undefined {
    return this.#tensor
  }

  dispose(): void {
    this.#tensor?.dispose()
    this.#tensor = undefined
    this.owner.live.delete(this)
  }
}

export class OrtBackend implements Backend {
  readonly name: string
  readonly versions: Readonly<Record<string, string>>
  readonly live = new Set<OrtBuffer>()
  readonly #ort: Ort
  readonly #device: Device
  readonly #executables = new Set<Executable>()
  #disposed = false

  constructor(ort: Ort, device: Device) {
    this.#ort = ort
    this.#device = device
    this.name = `ort:${device.name}`
    this.versions = { 'onnxruntime-node': ort.env.versions.node ?? 'unknown' }
  }

  get capabilities() {
    return this.#device.capabilities
  }

  async compile(graph: Graph): Promise<Executable> {
    this.#usable('compile')
    const { composites } = this.capabilities
    const lowered = verify(lower(verify(graph), { composites }))
    const { model, inputs } = translate(lowered, this.#device.emitters)
    const session = await this.#ort.InferenceSession.create(model, this.#device.sessionOptions)
    const executable = new OrtExecutable(this, lowered, inputs, session, () =>
      this.#executables.delete(executable),
    )
    this.#executables.add(executable)
    return executable
  }

  async upload(tensor: HostTensor): Promise<DeviceBuffer> {
    this.#usable('upload')
    checkHostTensor(tensor)
    const { dtype, shape } = tensor
    return new OrtBuffer(this, dtype, shape, await this.#device.upload(this.#ort, tensor))
  }

  async read(buffer: DeviceBuffer): Promise<HostTensor> {
    this.#usable('read')
    const { dtype, shape } = buffer
    const data = await this.#device.download(this.#ort, this.tensorOf(buffer, 'read: the buffer'))
    return { dtype, shape, data } as HostTensor
  }

  /** @throws where `buffer` is not a live one of this backend; `what` says which it is. */
  tensorOf(buffer: DeviceBuffer, what: string): Tensor {
    if (!(buffer instanceof OrtBuffer) || buffer.owner !== this)
      throw new Error(`${what} belongs to another backend; upload its data to ${this.name} first`)
    if (!buffer.tensor)
      throw new Error(`${what} (${formatType(buffer)}) was disposed, or donated to an earlier run`)
    return buffer.tensor
  }

  /** A run returns when it has finished. */
  async synchronize(): Promise<void> {}

  memory(): MemoryUse {
    const bytes = [...this.live].reduce((sum, buffer) => sum + bytesOf(buffer), 0)
    return { buffers: this.live.size, bytes }
  }

  async dispose(): Promise<void> {
    this.#disposed = true
    for (const executable of this.#executables) await executable.dispose()
    for (const buffer of this.live) buffer.dispose()
  }

  #usable(action: string): void {
    if (this.#disposed)
      throw new Error(`${action}: ${this.name} was disposed; create a new backend`)
  }
}

class OrtExecutable implements Executable {
  readonly graph: Graph
  readonly #backend: OrtBackend
  readonly #used: ReadonlySet<string>
  readonly #onDispose: () => void
  #session: InferenceSession | undefined

  constructor(
    backend: OrtBackend,
    graph: Graph,
    used: ReadonlySet<string>,
    session: InferenceSession,
    onDispose: () => void,
  ) {
    this.#backend = backend
    this.graph = graph
    this.#used = used
    this.#session = session
    this.#onDispose = onDispose
  }

  async run(inputs: Readonly<Record<string, DeviceBuffer>>): Promise<Record<string, DeviceBuffer>> {
    const { graph } = this
    if (!this.#session) throw new Error(`graph ${graph.name}: the executable was disposed`)
    const feeds = this.#feeds(inputs)
    const results = await this.#session.run(feeds)
    for (const { name, donated } of graph.inputs) if (donated) inputs[name]!.dispose()
    return Object.fromEntries(
      graph.outputs.map(({ name, value }) => {
        const { dtype, shape } = graph.types[value]!
        const tensor = results[outputName(name)] as Tensor
        return [name, new OrtBuffer(this.#backend, dtype, shape, tensor)]
      }),
    )
  }

  /** The tensors to run on, after every rule of running has been checked. */
  #feeds(inputs: Readonly<Record<string, DeviceBuffer>>): Record<string, Tensor> {
    const { graph } = this
    checkInputs(graph, inputs)
    const feeds: Record<string, Tensor> = {}
    for (const { name } of graph.inputs) {
      const tensor = this.#backend.tensorOf(inputs[name]!, `graph ${graph.name}: input ${name}`)
      if (this.#used.has(name)) feeds[inputName(name)] = tensor
    }
    return feeds
  }

  async dispose(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    this.#onDispose()
    await session?.release()
  }
}
