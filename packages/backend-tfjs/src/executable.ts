// A compiled graph on tf: what is owned by whom during a run. The calls of tf's kernels are in the schedule.
import {
  bytesOf,
  type BufferLedger,
  type DeviceBuffer,
  type Executable,
  type Graph,
  type RunMemory,
} from '@embed-kd/core'
import type { Device } from './devices/device.js'
import type { Schedule } from './schedule.js'
import type { TensorBytes } from './tensor-bytes.js'
import type { TfTensor, Workspace } from './workspace.js'

export class TfjsExecutable implements Executable {
  readonly graph: Graph
  readonly #schedule: Schedule
  readonly #device: Device
  readonly #workspace: Workspace
  readonly #ledger: BufferLedger<TfTensor>
  readonly #bytes: TensorBytes
  readonly #onDispose: (self: TfjsExecutable) => void
  /** Returns the plan of a run's memory, on devices whose emitters announce all that they make. */
  readonly planMemory?: () => Promise<RunMemory>
  #counted: RunMemory | undefined
  #disposed = false

  constructor(
    graph: Graph,
    schedule: Schedule,
    device: Device,
    workspace: Workspace,
    ledger: BufferLedger<TfTensor>,
    bytes: TensorBytes,
    onDispose: (self: TfjsExecutable) => void,
  ) {
    this.graph = graph
    this.#schedule = schedule
    this.#device = device
    this.#workspace = workspace
    this.#ledger = ledger
    this.#bytes = bytes
    if (device.plansMemory) this.planMemory = async () => schedule.planMemory()
    this.#onDispose = onDispose
  }

  async run(inputs: Readonly<Record<string, DeviceBuffer>>): Promise<Record<string, DeviceBuffer>> {
    if (this.#disposed) throw new Error(`graph ${this.graph.name}: the executable was disposed`)
    return this.#ledger.run(this.graph, inputs, async (loans) => {
      let outputs: TfTensor[] = []
      try {
        await this.#device.attempt(() => {
          // The schedule frees donated tensors at their last use.
          const tensors = loans.map((loan) => (loan.donated ? loan.take() : loan.memory))
          const before = this.#bytes.restart()
          outputs = this.#schedule.run(tensors)
          this.#counted = this.#runMemory(this.#bytes.peak - before)
        })
        return outputs
      } catch (error) {
        for (const tensor of outputs) this.#workspace.free(tensor)
        throw error
      }
    })
  }

  countedMemory(): RunMemory | undefined {
    return this.#counted
  }

  /** @param added bytes by which all tensors of the device grew in a run. */
  #runMemory(added: number): RunMemory {
    const { inputs, types } = this.graph
    const inputBytes = inputs.reduce((sum, { value }) => sum + bytesOf(types[value]!), 0)
    const residentBytes = this.#schedule.constantBytes
    return { residentBytes, peakBytes: residentBytes + inputBytes + added }
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    this.#schedule.dispose()
    this.#onDispose(this)
  }
}
