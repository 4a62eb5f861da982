// A compiled graph on tf: what is owned by whom during a run. The calls of tf's kernels are in the schedule.
import type { BufferLedger, DeviceBuffer, Executable, Graph } from '@embed-kd/core'
import type { Device } from './devices/device.js'
import type { Schedule } from './schedule.js'
import type { TfTensor, Workspace } from './workspace.js'

export class TfjsExecutable implements Executable {
  readonly graph: Graph
  readonly #schedule: Schedule
  readonly #device: Device
  readonly #workspace: Workspace
  readonly #ledger: BufferLedger<TfTensor>
  readonly #onDispose: (self: TfjsExecutable) => void
  #disposed = false

  constructor(
    graph: Graph,
    schedule: Schedule,
    device: Device,
    workspace: Workspace,
    ledger: BufferLedger<TfTensor>,
    onDispose: (self: TfjsExecutable) => void,
  ) {
    this.graph = graph
    this.#schedule = schedule
    this.#device = device
    this.#workspace = workspace
    this.#ledger = ledger
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
          outputs = this.#schedule.run(tensors)
        })
        return outputs
      } catch (error) {
        for (const tensor of outputs) this.#workspace.free(tensor)
        throw error
      }
    })
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    this.#disposed = true
    this.#schedule.dispose()
    this.#onDispose(this)
  }
}
