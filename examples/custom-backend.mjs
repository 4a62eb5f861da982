// Shows a backend of your own: what core asks of a runtime. The runtime here is core's own interpreter; put yours in its place.
// Check it with: npx embed-kd conform --backend ./examples/custom-backend.mjs
// Use it as --backend in every command, or in a program: await openBackend('./examples/custom-backend.mjs').
import { BufferLedger, checkHostTensor, evaluate, hostTensor, lower, verify } from '@embed-kd/core'

export const backend = {
  name: 'mine',
  devices: ['host'],
  probe: async () => ({ available: true }),
  async create() {
    const capabilities = {
      // Ops that the runtime has beyond the primitives, such as softmax: `lower` writes the others in primitives.
      composites: [],
      dtypes: ['float32', 'int32', 'bool'],
      precision: { arithmetic: 2 ** -24, transcendental: 2 ** -24 },
      deterministic: true,
      reusesDonated: false,
      hostMemory: true,
      denormals: true,
      excuses: [],
    }
    // Knows which buffers are alive, and refuses all others. A buffer's memory is a host tensor here.
    const ledger = new BufferLedger('mine:host', { free: () => {} })
    return {
      name: 'mine:host',
      versions: {},
      capabilities,
      async upload(tensor) {
        ledger.assertOpen('upload')
        checkHostTensor(tensor, capabilities)
        return ledger.add(tensor, { ...tensor, data: tensor.data.slice() })
      },
      read: (buffer) => ledger.read(buffer, (memory) => ({ ...memory, data: memory.data.slice() })),
      async compile(original) {
        ledger.assertOpen('compile')
        const graph = lower(verify(original, capabilities), capabilities)
        let disposed = false
        return {
          graph,
          async run(inputs) {
            if (disposed) throw new Error(`graph ${graph.name}: the executable was disposed`)
            return ledger.run(graph, inputs, async (loans) => {
              const named = graph.inputs.map(({ name }, i) => [name, loans[i].memory])
              const outputs = evaluate(graph, Object.fromEntries(named))
              return graph.outputs.map(({ name }) => {
                const { dtype, shape, data } = outputs[name]
                return hostTensor(dtype, shape, data)
              })
            })
          },
          dispose: async () => void (disposed = true),
        }
      },
      synchronize: async () => {},
      memory: () => ledger.use(),
      dispose: async () => ledger.close(),
    }
  },
}
