// The reference interpreter as a backend with float64 buffers on the host. It keeps the whole contract of backends, and is made to
// be correct, not fast.
import type {
  Availability,
  Backend,
  BackendFactory,
  Capabilities,
  DeviceBuffer,
  Executable,
  MemoryUse,
} from '../backend/backend.js'
import { checkHostTensor } from '../backend/check.js'
import { BufferLedger } from '../backend/ledger.js'
import type { Graph } from '../graph/graph.js'
import { isComposite, opNames, type OpName } from '../graph/ops.js'
import { verify } from '../graph/verify.js'
import type { HostTensor } from '../tensor/tensor.js'
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

/** The reference backend. Tests of the conformance suite pass kernels with a mistake, which the suite must find. */
export class ReferenceBackend implements Backend {
  readonly name = `reference:${device}`
  readonly versions = {}
  readonly capabilities: Capabilities = {
    composites: opNames.filter(isComposite),
    dtypes: ['float32', 'float16', 'int32', 'bool'],
    // Rounding errors of float64. Math.exp and similar functions err by up to two units in the last place.
    precision: { arithmetic: 2 ** -53, transcendental: 2 ** -52 },
    deterministic: true,
    reusesDonated: false,
    denormals: true,
    hostMemory: true,
    excuses: [],
  }
  readonly #kernels: Kernels<OpName>
  readonly #ledger = new BufferLedger<ReferenceTensor>(this.name, {
    free: () => {},
    // Floats take eight bytes here.
    bytes: ({ data }) => data.byteLength,
  })

  constructor(table = kernels) {
    this.#kernels = table
  }

  async compile(graph: Graph): Promise<Executable> {
    this.#ledger.assertOpen('compile')
    verify(graph, this.capabilities)
    const kernels = byKernels(graph, this.#kernels)
    let disposed = false
    return {
      graph,
      run: async (inputs) => {
        if (disposed) throw new Error(`graph ${graph.name}: the executable was disposed`)
        return this.#ledger.run(graph, inputs, async (loans) =>
          interpret(
            graph,
            loans.map(({ memory }) => memory),
            kernels,
          ),
        )
      },
      dispose: async () => {
        disposed = true
      },
    }
  }

  async upload(tensor: HostTensor): Promise<DeviceBuffer> {
    this.#ledger.assertOpen('upload')
    checkHostTensor(tensor, this.capabilities)
    return this.#ledger.add(tensor, widen(tensor))
  }

  read(buffer: DeviceBuffer): Promise<HostTensor> {
    return this.#ledger.read(buffer, narrow)
  }

  async synchronize(): Promise<void> {
    this.#ledger.assertOpen('synchronize')
  }

  memory(): MemoryUse {
    return this.#ledger.use()
  }

  async dispose(): Promise<void> {
    this.#ledger.close()
  }
}
