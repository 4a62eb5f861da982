// A compiled graph: a session, and what it takes and gives under the graph's own names.
import {
  checkInputs,
  type DeviceBuffer,
  type Graph,
  type OperatorTime,
  type ProfiledExecutable,
} from '@embed-kd/core'
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import { holding, type Heap } from './buffer.js'
import type { Profile } from './profile.js'
import { inputName, outputName } from './translate.js'

/** What a graph became. */
export interface Loaded {
  readonly graph: Graph
  readonly session: InferenceSession
  /** Names of the inputs that the session has. */
  readonly inputs: ReadonlySet<string>
  /** Names of the donated inputs that outputs take the memory of. */
  readonly overwritten: ReadonlySet<string>
  /** Of the session, where it takes one. */
  readonly profile: Profile | undefined
}

export class OrtExecutable implements ProfiledExecutable {
  readonly graph: Graph
  readonly #heap: Heap
  readonly #used: ReadonlySet<string>
  readonly #overwritten: ReadonlySet<string>
  readonly #onDispose: (self: OrtExecutable) => void
  #session: InferenceSession | undefined
  #profile: Profile | undefined

  constructor(loaded: Loaded, heap: Heap, onDispose: (self: OrtExecutable) => void) {
    this.graph = loaded.graph
    this.#session = loaded.session
    this.#used = loaded.inputs
    this.#overwritten = loaded.overwritten
    this.#profile = loaded.profile
    this.#heap = heap
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
    checkInputs(graph, inputs)
    const buffers = graph.inputs.map(({ name }) =>
      this.#heap.own(inputs[name]!, `graph ${graph.name}: input ${name}`),
    )
    const feeds: Record<string, Tensor> = {}
    graph.inputs.forEach(({ name }, i) => {
      if (this.#used.has(name)) feeds[inputName(name)] = buffers[i]!.tensor
    })
    // From here on donated tensors are the run's own, to write over or to free.
    const donated = new Map<string, Tensor>()
    graph.inputs.forEach(({ name, donated: isDonated }, i) => {
      if (isDonated) donated.set(name, buffers[i]!.take())
    })
    const written = new Map([...donated].filter(([name]) => this.#overwritten.has(name)))
    const fetches = Object.fromEntries(
      graph.outputs.map(({ name }) => [outputName(name), written.get(name) ?? null]),
    )
    const kept = buffers.filter((_, i) => !graph.inputs[i]!.donated)
    try {
      const results = await holding(kept, () => session.run(feeds, fetches))
      return Object.fromEntries(
        graph.outputs.map(({ name, value }) => {
          const result = results[outputName(name)] as Tensor
          const inPlace = written.get(name)
          if (inPlace) {
            donated.delete(name)
            // The binding gives a copy back even of what it was given to write to.
            this.#heap.free(result)
          }
          return [name, this.#heap.add(graph.types[value]!, inPlace ?? result)]
        }),
      )
    } finally {
      for (const tensor of donated.values()) this.#heap.free(tensor)
    }
  }

  async dispose(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    this.#onDispose(this)
    await session?.release()
    this.#profile?.discard()
  }
}
