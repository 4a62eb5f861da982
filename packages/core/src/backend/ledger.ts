// The rules of ownership of buffers, for all backends: who owns which memory, and until when. Each backend defines what its memory
// is (a tensor of a runtime, an array) and how to free it.
import type { Graph } from '../graph/graph.js'
import { bytesOf, formatType, type DType, type Shape, type TensorType } from '../tensor/tensor.js'
import type { DeviceBuffer, MemoryUse } from './backend.js'
import { checkInputs } from './check.js'

/** One input of a run, as the backend sees it. */
export interface Loan<M> {
  readonly memory: M
  /** Whether the run consumes the input: `take` may be called. */
  readonly donated: boolean
  /**
   * Returns the memory of a donated input, which from now on belongs to the backend: to write over, to free, or to return as an
   * output. Memory of a donated input that nobody takes is freed after the run.
   */
  take(): M
}

/** The rules for one kind of memory. */
export interface MemoryRules<M> {
  /** Frees memory; called once. */
  free(memory: M): void
  /** Returns the bytes that a tensor occupies (default: those of its dtype and shape). */
  bytes?(memory: M, type: TensorType): number
}

/** Keeps account of the live buffers of one backend. */
export class BufferLedger<M> {
  readonly #live = new Set<LedgerBuffer<M>>()
  readonly #owner: string
  readonly #rules: MemoryRules<M>
  #closed = false

  /** @param owner name of the backend, for error messages. */
  constructor(owner: string, rules: MemoryRules<M>) {
    this.#owner = owner
    this.#rules = rules
  }

  /** Returns a new live buffer that owns `memory`. */
  add(type: TensorType, memory: M): DeviceBuffer {
    const buffer = new LedgerBuffer(type, memory, (disposed) => this.#free(disposed))
    this.#live.add(buffer)
    return buffer
  }

  /**
   * Calls `body` with the memory of a buffer. The memory stays until `body` has resolved, even if the caller disposes of the
   * buffer meanwhile.
   * @throws if the buffer is not a live one of this backend.
   */
  async read<T>(buffer: DeviceBuffer, body: (memory: M) => T | Promise<T>): Promise<T> {
    this.assertOpen('read')
    const own = this.#own(buffer, 'read: the buffer')
    return reading([own], async () => body(own.memory))
  }

  /**
   * Runs `body` on the inputs of a graph and returns the outputs by name, as buffers of their own. Donated inputs are consumed
   * when `body` begins, whether it succeeds or throws; the memory of all others stays until it has resolved.
   * @param body gets the inputs in the order of `graph.inputs` and returns memory in the order of `graph.outputs`.
   * @throws before anything is consumed if an input is missing, unknown, of the wrong type, or not a live buffer of this backend.
   */
  async run(
    graph: Graph,
    inputs: Readonly<Record<string, DeviceBuffer>>,
    body: (inputs: readonly Loan<M>[]) => Promise<readonly M[]>,
  ): Promise<Record<string, DeviceBuffer>> {
    this.assertOpen('run')
    checkInputs(graph, inputs)
    const buffers = graph.inputs.map(({ name }) =>
      this.#own(inputs[name]!, `graph ${graph.name}: input ${name}`),
    )
    const donated = buffers.filter((_, i) => graph.inputs[i]!.donated)
    const kept = buffers.filter((_, i) => !graph.inputs[i]!.donated)
    for (const buffer of donated) this.#consume(buffer)
    const untaken = new Set(donated)
    const loans = buffers.map((buffer, i) => ({
      memory: buffer.memory,
      donated: graph.inputs[i]!.donated,
      take: () => {
        if (!untaken.delete(buffer))
          throw new Error(`graph ${graph.name}: input ${graph.inputs[i]!.name} cannot be taken`)
        return buffer.memory
      },
    }))
    try {
      const outputs = await reading(kept, async () => {
        // An earlier run may still read what this run is about to overwrite.
        for (const { readers } of donated) if (readers.size > 0) await Promise.allSettled(readers)
        return body(loans)
      })
      return Object.fromEntries(
        graph.outputs.map(({ name, value }, i) => [
          name,
          this.add(graph.types[value]!, outputs[i]!),
        ]),
      )
    } finally {
      for (const { memory } of untaken) this.#rules.free(memory)
    }
  }

  /** Returns number and bytes of the live buffers. */
  use(): MemoryUse {
    let bytes = 0
    for (const buffer of this.#live)
      bytes += this.#rules.bytes?.(buffer.memory, buffer) ?? bytesOf(buffer)
    return { buffers: this.#live.size, bytes }
  }

  /** @throws if the backend was disposed; `action` says what it was asked for. */
  assertOpen(action: string): void {
    if (this.#closed)
      throw new Error(`${action}: ${this.#owner} was disposed; create a new backend`)
  }

  /** Disposes of every live buffer. From now on `assertOpen`, `read` and `run` throw. */
  close(): void {
    this.#closed = true
    for (const buffer of this.#live) buffer.dispose()
  }

  #own(buffer: DeviceBuffer, what: string): LedgerBuffer<M> {
    const own = buffer as LedgerBuffer<M>
    if (this.#live.has(own)) return own
    const end = buffer instanceof LedgerBuffer ? buffer.end : undefined
    throw new Error(
      end
        ? `${what} (${formatType(buffer)}) was ${end}; upload its data again, or use the output that replaced it`
        : `${what} (${formatType(buffer)}) belongs to another backend; read it there and upload it to ${this.#owner}`,
    )
  }

  #consume(buffer: LedgerBuffer<M>): void {
    buffer.end = 'donated to an earlier run'
    this.#live.delete(buffer)
  }

  #free(buffer: LedgerBuffer<M>): void {
    this.#live.delete(buffer)
    const free = () => this.#rules.free(buffer.memory)
    if (buffer.readers.size === 0) free()
    else void Promise.allSettled(buffer.readers).then(free)
  }
}

/** Buffer of one backend. It is alive until the caller disposes of it or donates it to a run. */
class LedgerBuffer<M> implements DeviceBuffer {
  readonly dtype: DType
  readonly shape: Shape
  readonly memory: M
  /** How the buffer ended; undefined while it is alive. */
  end: 'disposed' | 'donated to an earlier run' | undefined
  /** Work in progress that reads the memory. */
  readonly readers = new Set<Promise<unknown>>()
  readonly #onDispose: (self: LedgerBuffer<M>) => void

  constructor({ dtype, shape }: TensorType, memory: M, onDispose: (self: LedgerBuffer<M>) => void) {
    this.dtype = dtype
    this.shape = [...shape]
    this.memory = memory
    this.#onDispose = onDispose
  }

  dispose(): void {
    if (this.end) return
    this.end = 'disposed'
    this.#onDispose(this)
  }
}

/** Runs `body`, during which the memory of `buffers` is not freed. */
async function reading<T>(
  buffers: readonly { readonly readers: Set<Promise<unknown>> }[],
  body: () => Promise<T>,
): Promise<T> {
  const work = body()
  for (const { readers } of buffers) readers.add(work)
  try {
    return await work
  } finally {
    for (const { readers } of buffers) readers.delete(work)
  }
}
