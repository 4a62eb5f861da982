// Core's Backend on ONNX Runtime. What depends on the device is in devices/, what depends on the graph in
// lowering.ts and translate.ts, what a run does in executable.ts.
import {
  checkHostTensor,
  verify,
  type Backend,
  type Capabilities,
  type DeviceBuffer,
  type Executable,
  type Graph,
  type HostTensor,
  type ProfiledExecutable,
} from '@embed-kd/core'
import { Heap, holding } from './buffer.js'
import type { Device, Memory, Ort } from './devices/device.js'
import { overwritten } from './donation.js'
import { OrtExecutable } from './executable.js'
import { lowerForRuntime } from './lowering.js'
import { Profile } from './profile.js'
import { keepsFloat16Words } from './runtime.js'
import { translate } from './translate.js'

export class OrtBackend implements Backend {
  readonly name: string
  readonly capabilities: Capabilities
  readonly versions: Readonly<Record<string, string>>
  readonly compileProfiled?: (graph: Graph) => Promise<ProfiledExecutable>
  readonly #ort: Ort
  readonly #device: Device
  readonly #memory: Memory
  readonly #heap: Heap
  readonly #executables = new Set<OrtExecutable>()
  #disposed = false

  private constructor(ort: Ort, device: Device, memory: Memory) {
    this.#ort = ort
    this.#device = device
    this.#memory = memory
    const { dtypes, ...capabilities } = { ...device.capabilities, ...memory.capabilities }
    this.capabilities = {
      ...capabilities,
      dtypes: dtypes.filter((dtype) => dtype !== 'float16' || keepsFloat16Words(ort)),
    }
    this.name = `ort:${device.name}`
    this.versions = { 'onnxruntime-node': ort.env.versions.node ?? 'unknown' }
    this.#heap = new Heap(this.name, (tensor) => this.#memory.free(tensor))
    if (device.profiles) this.compileProfiled = (graph) => this.#load(graph, true)
  }

  static async open(ort: Ort, device: Device): Promise<OrtBackend> {
    return new OrtBackend(ort, device, await device.open(ort))
  }

  compile(graph: Graph): Promise<Executable> {
    return this.#load(graph, false)
  }

  async #load(graph: Graph, isProfiled: boolean): Promise<OrtExecutable> {
    this.#usable('compile')
    const { absorbs, emitters, sessionOptions } = this.#device
    const { composites } = this.capabilities
    const lowered = lowerForRuntime(verify(graph, this.capabilities), composites, absorbs)
    const { model, inputs } = translate(lowered, emitters)
    const profile = isProfiled ? new Profile(lowered.graph) : undefined
    const session = await this.#ort.InferenceSession.create(model, {
      ...sessionOptions,
      ...profile?.sessionOptions,
    })
    const executable = new OrtExecutable(
      {
        graph,
        session,
        inputs,
        overwritten: this.#device.writesOver ? overwritten(lowered.graph) : new Set(),
        profile,
      },
      this.#heap,
      (self) => this.#executables.delete(self),
    )
    this.#executables.add(executable)
    return executable
  }

  async upload(tensor: HostTensor): Promise<DeviceBuffer> {
    this.#usable('upload')
    checkHostTensor(tensor, this.capabilities)
    return this.#heap.add(tensor, await this.#memory.upload(tensor))
  }

  async read(buffer: DeviceBuffer): Promise<HostTensor> {
    this.#usable('read')
    const own = this.#heap.own(buffer, 'read: the buffer')
    const data = await holding([own], () => this.#memory.download(own.tensor))
    return { dtype: own.dtype, shape: own.shape, data } as HostTensor
  }

  async synchronize(): Promise<void> {
    await this.#memory.synchronize()
  }

  memory() {
    return this.#heap.use()
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    for (const executable of this.#executables) await executable.dispose()
    this.#heap.disposeAll()
    await this.#memory.close()
  }

  #usable(action: string): void {
    if (this.#disposed)
      throw new Error(`${action}: ${this.name} was disposed; create a new backend`)
  }
}
