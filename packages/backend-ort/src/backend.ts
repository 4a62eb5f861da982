// Core's Backend on ONNX Runtime: lower, plan, translate, compile. Devices are in devices/, ONNX models in onnx/, runs in
// executable.ts.
import {
  BufferLedger,
  checkHostTensor,
  verify,
  type Backend,
  type Capabilities,
  type DeviceBuffer,
  type DeviceOptions,
  type Executable,
  type Graph,
  type HostTensor,
  type MemoryUse,
  type ProfiledExecutable,
} from '@embed-kd/core'
import type { Tensor } from 'onnxruntime-common'
import type { Device, Memory, Ort } from './devices/device.js'
import { OrtExecutable } from './executable.js'
import { lowerForRuntime } from './lowering.js'
import { planRun } from './plan.js'
import { ownInterface, translate } from './onnx/translate.js'

export class OrtBackend implements Backend {
  readonly name: string
  readonly capabilities: Capabilities
  readonly versions: Readonly<Record<string, string>>
  readonly compileProfiled?: (graph: Graph) => Promise<ProfiledExecutable>
  readonly #ort: Ort
  readonly #device: Device
  readonly #memory: Memory
  readonly #ledger: BufferLedger<Tensor>
  readonly #executables = new Set<OrtExecutable>()
  #disposed = false

  private constructor(ort: Ort, device: Device, memory: Memory) {
    this.#ort = ort
    this.#device = device
    this.#memory = memory
    const { dtypes, ...capabilities } = { ...device.capabilities, ...memory.capabilities }
    this.capabilities = {
      ...capabilities,
      dtypes: dtypes.filter((dtype) => dtype !== 'float16' || device.runtime.passesFloat16(ort)),
    }
    this.name = `ort:${device.name}`
    this.versions = device.runtime.versions(ort)
    this.#ledger = new BufferLedger<Tensor>(this.name, { free: (tensor) => memory.free(tensor) })
    if (device.profile) this.compileProfiled = (graph) => this.#load(graph, true)
  }

  static async open(
    device: Device,
    { keepsMemory = true }: DeviceOptions = {},
  ): Promise<OrtBackend> {
    const ort = await device.runtime.load()
    const sessionOptions = { ...device.sessionOptions, enableCpuMemArena: keepsMemory }
    return new OrtBackend(ort, { ...device, sessionOptions }, await device.open(ort))
  }

  compile(graph: Graph): Promise<Executable> {
    return this.#load(graph, false)
  }

  async #load(graph: Graph, isProfiled: boolean): Promise<OrtExecutable> {
    this.#ledger.assertOpen('compile')
    const { emitters, sessionOptions, hidesShapes = false, planMemory } = this.#device
    const lowered = lowerForRuntime(verify(graph, this.capabilities), this.capabilities.composites)
    const plan = planRun(lowered, this.#device)
    const encode = () => translate(plan, emitters, { ...ownInterface, hidesShapes })
    const { model, inputs } = encode()
    const profile = isProfiled ? this.#device.profile?.(plan.graph) : undefined
    const session = await this.#ort.InferenceSession.create(model, {
      ...sessionOptions,
      ...profile?.sessionOptions,
    })
    const executable = new OrtExecutable(
      {
        graph: lowered,
        session,
        inputs,
        overwritten: plan.overwritten,
        profile,
        planMemory:
          planMemory && (() => planMemory(this.#ort, plan, encode().model, sessionOptions)),
      },
      this.#ledger,
      (tensor) => this.#memory.free(tensor),
      (self) => this.#executables.delete(self),
    )
    this.#executables.add(executable)
    return executable
  }

  async upload(tensor: HostTensor): Promise<DeviceBuffer> {
    this.#ledger.assertOpen('upload')
    checkHostTensor(tensor, this.capabilities)
    return this.#ledger.add(tensor, await this.#memory.upload(tensor))
  }

  async read(buffer: DeviceBuffer): Promise<HostTensor> {
    const { dtype, shape } = buffer
    const data = await this.#ledger.read(buffer, (tensor) => this.#memory.download(tensor))
    return { dtype, shape, data } as HostTensor
  }

  async synchronize(): Promise<void> {
    this.#ledger.assertOpen('synchronize')
    await this.#memory.synchronize()
  }

  memory(): MemoryUse {
    return this.#ledger.use()
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    for (const executable of this.#executables) await executable.dispose()
    this.#ledger.close()
    await this.#memory.close()
  }
}
