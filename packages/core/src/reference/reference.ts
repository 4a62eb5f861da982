// The reference as a backend: the same contract as any other, kept to the letter, with float64 buffers on the host.
// It is a measure of correctness, not of speed.
import type {
  Availability,
  Backend,
  BackendFactory,
  Capabilities,
  DeviceBuffer,
  Executable,
  MemoryUse,
} from '../backend/backend.js'
import { checkHostTensor, checkInputs } from '../backend/check.js'
import type { Graph } from '../graph/graph.js'
import { isComposite, opNames, type OpName } from '../graph/ops.js'
import { verify } from '../graph/verify.js'
import { formatType, type DType, type HostTensor, type Shape } from '../tensor/tensor.js'
import { byKernels, interpret } from './evaluate.js'
import type { Kernels } from './kernel.js'
import { kernels } from './kernels.js'
import { narrow, widen, type ReferenceTensor } from './tensor.js'

const device = 'cpu'

export const referenceBackend: BackendFactory = {
  name: 'reference',
  devices: [device],
  probe: async (name): Promise<Availability> =>
    name === device
      ? { available: true, detail: 'float64, plain TypeScript' }
      : { available: false, reason: unknownDevice(name), remedy: `use reference:${device}` },
  create: async (name) => {
    if (name !== device) throw new Error(`${unknownDevice(name)}; use reference:${device}`)
    return new ReferenceBackend()
  },
}

const unknownDevice = (name: string) => `the reference has no device "${name}"`

/** Alive until it is disposed, or consumed as a donated input. */
class ReferenceBuffer implements DeviceBuffer {
  readonly dtype: DType
  readonly shape: Shape
  readonly #live: Set<ReferenceBuffer>
  #tensor: ReferenceTensor | undefined
  #end = 'disposed'

  /** Counted in `live` as long as it is alive. */
  constructor(tensor: ReferenceTensor, live: Set<ReferenceBuffer>) {
    this.dtype = tensor.dtype
    this.shape = tensor.shape
    this.#tensor = tensor
    this.#live = live
    live.add(this)
  }

  isOf(live: Set<ReferenceBuffer>): boolean {
    return this.#live === live
  }

  /** @throws where there is none any more. */
  get tensor(): ReferenceTensor {
    if (this.#tensor) return this.#tensor
    throw new Error(`the buffer ${formatType(this)} was ${this.#end} and cannot be used any more`)
  }

  consume(): void {
    this.#end = 'donated to a run'
    this.dispose()
  }

  dispose(): void {
    this.#tensor = undefined
    this.#live.delete(this)
  }
}

/** A reference backend; conformance tests pass kernels with a mistake in them, to see it found. */
export class ReferenceBackend implements Backend {
  readonly name = `reference:${device}`
  readonly versions = {}
  readonly capabilities: Capabilities = {
    composites: opNames.filter(isComposite),
    dtypes: ['float32', 'float16', 'int32', 'bool'],
    // Of float64; Math.exp and its like are within two units in the last place.
    precision: { arithmetic: 2 ** -53, transcendental: 2 ** -52 },
    deterministic: true,
    reusesDonated: false,
    denormals: true,
    excuses: [],
  }
  readonly #kernels: Kernels<OpName>
  readonly #live = new Set<ReferenceBuffer>()
  #disposed = false

  constructor(table = kernels) {
    this.#kernels = table
  }

  async compile(graph: Graph): Promise<Executable> {
    this.#check()
    verify(graph, this.capabilities)
    let disposed = false
    return {
      graph,
      run: async (inputs) => {
        this.#check()
        if (disposed) throw new Error(`graph ${graph.name}: the executable was disposed`)
        checkInputs(graph, inputs)
        const buffers = graph.inputs.map(({ name }) => this.#own(inputs[name]!))
        const tensors = buffers.map((buffer) => buffer.tensor)
        const outputs = interpret(graph, tensors, byKernels(graph, this.#kernels))
        graph.inputs.forEach(({ donated }, i) => donated && buffers[i]!.consume())
        return Object.fromEntries(
          graph.outputs.map(({ name }, i) => [name, new ReferenceBuffer(outputs[i]!, this.#live)]),
        )
      },
      dispose: async () => {
        disposed = true
      },
    }
  }

  async upload(tensor: HostTensor): Promise<DeviceBuffer> {
    this.#check()
    checkHostTensor(tensor, this.capabilities)
    return new ReferenceBuffer(widen(tensor), this.#live)
  }

  async read(buffer: DeviceBuffer): Promise<HostTensor> {
    this.#check()
    return narrow(this.#own(buffer).tensor)
  }

  async synchronize(): Promise<void> {
    this.#check()
  }

  /** Bytes as they are held here, eight for a float. */
  memory(): MemoryUse {
    let bytes = 0
    for (const { tensor } of this.#live) bytes += tensor.data.byteLength
    return { buffers: this.#live.size, bytes }
  }

  async dispose(): Promise<void> {
    for (const buffer of this.#live) buffer.dispose()
    this.#disposed = true
  }

  #check(): void {
    if (this.#disposed) throw new Error(`the backend ${this.name} was disposed`)
  }

  #own(buffer: DeviceBuffer): ReferenceBuffer {
    if (buffer instanceof ReferenceBuffer && buffer.isOf(this.#live)) return buffer
    throw new Error(
      `a buffer ${formatType(buffer)} is not of this ${this.name}; read it there and upload it here`,
    )
  }
}
