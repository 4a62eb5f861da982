// A compiled graph: a session, run with inputs and outputs under the graph's own names.
import {
  type BufferLedger,
  type DeviceBuffer,
  type Loan,
  type Graph,
  type OperatorTime,
  type ProfiledExecutable,
  type RunMemory,
} from '@embed-kd/core'
import type { InferenceSession, Tensor } from 'onnxruntime-common'
import type { Profile } from './profile.js'
import { inputName, outputName } from './onnx/translate.js'

/** The results of translating and compiling a graph. */
export interface Loaded {
  readonly graph: Graph
  readonly session: InferenceSession
  /** Names of the graph's inputs that the session has; the others are unused. */
  readonly inputs: ReadonlySet<string>
  /** Names of the donated inputs whose memory outputs of the same name take. */
  readonly overwritten: ReadonlySet<string>
  /** Profile of the session, if the session takes one. */
  readonly profile: Profile | undefined
  /** Plans the memory of a run, if the runtime's management of memory is known. */
  readonly planMemory: (() => Promise<RunMemory | undefined>) | undefined
}

export class OrtExecutable implements ProfiledExecutable {
  readonly graph: Graph
  readonly planMemory?: () => Promise<RunMemory | undefined>
  readonly #ledger: BufferLedger<Tensor>
  readonly #free: (tensor: Tensor) => void
  readonly #used: ReadonlySet<string>
  readonly #overwritten: ReadonlySet<string>
  readonly #onDispose: (self: OrtExecutable) => void
  #session: InferenceSession | undefined
  #profile: Profile | undefined

  constructor(
    loaded: Loaded,
    ledger: BufferLedger<Tensor>,
    free: (tensor: Tensor) => void,
    onDispose: (self: OrtExecutable) => void,
  ) {
    this.graph = loaded.graph
    if (loaded.planMemory) this.planMemory = loaded.planMemory
    this.#session = loaded.session
    this.#used = loaded.inputs
    this.#overwritten = loaded.overwritten
    this.#profile = loaded.profile
    this.#ledger = ledger
    this.#free = free
    this.#onDispose = onDispose
  }

  async endProfile(): Promise<readonly (readonly OperatorTime[])[]> {
    const profile = this.#profile
    if (!profile || !this.#session)
      throw new Error(`graph ${this.graph.name}: it is not profiled, or its profile was ended`)
    this.#profile = undefined
    return profile.end(this.#session)
  }

  async run(inputs: Readonly<Record<string, DeviceBuffer>>): Promise<Record<string, DeviceBuffer>> {
    const { graph } = this
    const session = this.#session
    if (!session) throw new Error(`graph ${graph.name}: the executable was disposed`)
    return this.#ledger.run(graph, inputs, async (loans) => {
      const feeds: Record<string, Tensor> = {}
      const overwritten = new Map<string, Loan<Tensor>>()
      graph.inputs.forEach(({ name }, i) => {
        const loan = loans[i]!
        if (this.#used.has(name)) feeds[inputName(name)] = loan.memory
        if (this.#overwritten.has(name)) overwritten.set(name, loan)
      })
      const fetches = Object.fromEntries(
        graph.outputs.map(({ name }) => [outputName(name), overwritten.get(name)?.memory ?? null]),
      )
      const results = await session.run(feeds, fetches)
      return graph.outputs.map(({ name }) => {
        const result = results[outputName(name)] as Tensor
        const inPlace = overwritten.get(name)
        if (!inPlace) return result
        // The binding returns a copy even of an output that it was given the memory for.
        this.#free(result)
        return inPlace.take()
      })
    })
  }

  async dispose(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    this.#onDispose(this)
    await session?.release()
    this.#profile?.discard()
  }
}
