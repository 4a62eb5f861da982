// A compiled graph: a session, and what it takes and gives under the graph's own names.
import { checkInputs, type DeviceBuffer, type Executable, type Graph } from '@embed-kd/core'
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import { holding, type Heap } from './buffer.js'
import { inputName, outputName } from './translate.js'

export class OrtExecutable implements Executable {
  readonly graph: Graph
  readonly #heap: Heap
  readonly #used: ReadonlySet<string>
  readonly #onDispose: (self: OrtExecutable) => void
  #session: InferenceSession | undefined

  /** @param used names of the inputs that the session has. */
  constructor(
    graph: Graph,
    session: InferenceSession,
    used: ReadonlySet<string>,
    heap: Heap,
    onDispose: (self: OrtExecutable) => void,
  ) {
    this.graph = graph
    this.#session = session
    this.#used = used
    this.#heap = heap
    this.#onDispose = onDispose
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
    const results = await holding(buffers, () => session.run(feeds))
    graph.inputs.forEach(({ donated }, i) => {
      if (donated) buffers[i]!.dispose()
    })
    return Object.fromEntries(
      graph.outputs.map(({ name, value }) => [
        name,
        this.#heap.add(graph.types[value]!, results[outputName(name)] as Tensor),
      ]),
    )
  }

  async dispose(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    this.#onDispose(this)
    await session?.release()
  }
}
