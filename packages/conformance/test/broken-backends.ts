// Backends with one mistake each in keeping to the backend contract, of kinds that have been made: the reference, wrapped.
import {
  hostTensor,
  lower,
  sizeOf,
  type Backend,
  type DeviceBuffer,
  type Graph,
  type HostTensor,
} from '@embed-kd/core'
import type { ReferenceBackend } from '@embed-kd/core/reference'

/** The methods of a backend as an object, some of them replaced. */
export const wrapped = (backend: Backend, broken: Partial<Backend>): Backend => ({
  name: backend.name,
  capabilities: backend.capabilities,
  versions: backend.versions,
  compile: (graph) => backend.compile(graph),
  upload: (tensor) => backend.upload(tensor),
  read: (buffer) => backend.read(buffer),
  synchronize: () => backend.synchronize(),
  memory: () => backend.memory(),
  dispose: () => backend.dispose(),
  ...broken,
})

type Buffers = Readonly<Record<string, DeviceBuffer>>
type Run = (inputs: Buffers) => Promise<Record<string, DeviceBuffer>>

/** Executables with another `run`. */
const running =
  (broken: (run: Run, graph: Graph, backend: ReferenceBackend) => Run) =>
  (backend: ReferenceBackend) =>
    wrapped(backend, {
      compile: async (graph) => {
        const executable = await backend.compile(graph)
        return { ...executable, run: broken((inputs) => executable.run(inputs), graph, backend) }
      },
    })

const upload = (
  backend: ReferenceBackend,
  { dtype, shape }: DeviceBuffer,
  data?: readonly number[],
) => backend.upload(hostTensor(dtype, shape, data) as HostTensor)

/** A buffer that is only a handle on another. */
const handle = (buffer: DeviceBuffer): DeviceBuffer => ({
  dtype: buffer.dtype,
  shape: buffer.shape,
  dispose: () => buffer.dispose(),
})

const undonated = (graph: Graph): Graph => ({
  ...graph,
  inputs: graph.inputs.map((input) => ({ ...input, donated: false })),
})

export const brokenBackends: Record<string, (backend: ReferenceBackend) => Backend> = {
  'a peak of memory that is not the planned one': (backend) =>
    wrapped(backend, {
      compile: async (graph) => {
        const executable = await backend.compile(graph)
        return {
          ...executable,
          run: (inputs) => executable.run(inputs),
          planMemory: async () => ({ residentBytes: 0, peakBytes: 8 }),
          countedMemory: () => ({ residentBytes: 0, peakBytes: 12 }),
        }
      },
    }),
  'a buffer leaked by every run': running((run, _, backend) => async (inputs) => {
    const outputs = await run(inputs)
    const [first] = Object.values(outputs)
    if (first) await upload(backend, first)
    return outputs
  }),
  'a buffer leaked by every hundredth run': running((run, _, backend) => {
    let runs = 0
    return async (inputs) => {
      const outputs = await run(inputs)
      const [first] = Object.values(outputs)
      if (first && ++runs % 100 === 0) await upload(backend, first)
      return outputs
    }
  }),
  'a buffer leaked by every refused run': running((run, _, backend) => async (inputs) => {
    try {
      return await run(inputs)
    } catch (error) {
      await backend.upload(hostTensor('float32', [1]))
      throw error
    }
  }),
  'memory() that does not count': (backend) =>
    wrapped(backend, { memory: () => ({ buffers: 0, bytes: 0 }) }),
  'donated inputs kept': (backend) =>
    wrapped(backend, {
      compile: async (graph) => ({ ...(await backend.compile(undonated(graph))), graph }),
    }),
  'inputs all consumed': running((run) => async (inputs) => {
    const outputs = await run(inputs)
    for (const buffer of Object.values(inputs)) buffer.dispose()
    return outputs
  }),
  'a donated input consumed by a refused run': running((run, graph) => async (inputs) => {
    try {
      return await run(inputs)
    } catch (error) {
      for (const { name, donated } of graph.inputs) if (donated) inputs[name]?.dispose()
      throw error
    }
  }),
  'donated inputs overwritten as soon as their successor is known': (backend) =>
    wrapped(backend, {
      compile: async (graph) => {
        // Every later reader of the input is given its successor.
        const replaced = new Map<number, number>()
        const nodes = graph.nodes.map((node) => {
          const changed = {
            ...node,
            inputs: node.inputs.map((value) => replaced.get(value) ?? value),
          }
          for (const { name, value, donated } of graph.inputs) {
            const successor = graph.outputs.find((output) => output.name === name)?.value
            if (donated && successor !== undefined && node.outputs.includes(successor))
              replaced.set(value, successor)
          }
          return changed as typeof node
        })
        return backend.compile({ ...graph, nodes })
      },
    }),
  'outputs that are the inputs they were handed': running((run, graph) => async (inputs) => {
    const outputs = await run(inputs)
    for (const { name, value } of graph.outputs) {
      const input = graph.inputs.find((input) => input.value === value && !input.donated)
      if (!input) continue
      outputs[name]!.dispose()
      outputs[name] = inputs[input.name]!
    }
    return outputs
  }),
  'one buffer for two outputs of one value': running((run, graph) => async (inputs) => {
    const outputs = await run(inputs)
    graph.outputs.forEach(({ name, value }, i) => {
      const first = graph.outputs.findIndex((output) => output.value === value)
      if (first === i) return
      outputs[name]!.dispose()
      outputs[name] = outputs[graph.outputs[first]!.name]!
    })
    return outputs
  }),
  'inputs changed by a run': (backend) => {
    // Each buffer is a handle, so that what it stands for can be exchanged.
    const inner = new WeakMap<DeviceBuffer, DeviceBuffer>()
    const wrap = (buffer: DeviceBuffer) => {
      const outer: DeviceBuffer = { ...handle(buffer), dispose: () => inner.get(outer)!.dispose() }
      inner.set(outer, buffer)
      return outer
    }
    return wrapped(backend, {
      upload: async (tensor) => wrap(await backend.upload(tensor)),
      read: (buffer) => backend.read(inner.get(buffer) ?? buffer),
      compile: async (graph) => {
        const executable = await backend.compile(graph)
        return {
          ...executable,
          run: async (inputs) => {
            const given = Object.entries(inputs).map(
              ([name, x]) => [name, inner.get(x) ?? x] as const,
            )
            const outputs = await executable.run(Object.fromEntries(given))
            for (const { name, donated } of graph.inputs) {
              const { data, ...type } = await backend.read(
                donated ? outputs[name]! : inner.get(inputs[name]!)!,
              )
              if (donated) continue
              inner.get(inputs[name]!)!.dispose()
              inner.set(
                inputs[name]!,
                await upload(
                  backend,
                  type as DeviceBuffer,
                  Array.from(data, (x) => x + 1),
                ),
              )
            }
            return Object.fromEntries(Object.entries(outputs).map(([name, x]) => [name, wrap(x)]))
          },
        }
      },
    })
  },
  'upload that keeps the array it was given': (backend) => {
    const sources = new WeakMap<DeviceBuffer, HostTensor>()
    return wrapped(backend, {
      upload: async (tensor) => {
        const buffer = await backend.upload(tensor)
        sources.set(buffer, tensor)
        return buffer
      },
      read: async (buffer) => {
        await backend.read(buffer)
        return sources.get(buffer) ?? backend.read(buffer)
      },
    })
  },
  'upload that takes any data': (backend) =>
    wrapped(backend, {
      upload: ({ dtype, shape, data }) =>
        backend.upload(
          hostTensor(
            dtype,
            shape,
            Array.from({ length: sizeOf(shape) }, (_, i) => data[i] ?? 0),
          ) as HostTensor,
        ),
    }),
  'upload that loses NaN': (backend) =>
    wrapped(backend, {
      upload: (tensor) =>
        backend.upload(
          tensor.data.length === Number(sizeOf(tensor.shape)) &&
            tensor.dtype === 'float32' &&
            tensor.data instanceof Float32Array
            ? hostTensor(
                'float32',
                tensor.shape,
                tensor.data.map((x) => (Number.isNaN(x) ? 0 : x)),
              )
            : tensor,
        ),
    }),
  'disposed buffers that can still be read': (backend) => {
    const last = new WeakMap<DeviceBuffer, HostTensor>()
    return wrapped(backend, {
      upload: async (tensor) => {
        const buffer = await backend.upload(tensor)
        last.set(buffer, await backend.read(buffer))
        return buffer
      },
      read: (buffer) =>
        backend.read(buffer).catch((error) => last.get(buffer) ?? Promise.reject(error)),
    })
  },
  'unknown inputs taken': running(
    (run, graph) => (inputs) =>
      run(
        Object.fromEntries(
          Object.entries(inputs).filter(([name]) =>
            graph.inputs.some((input) => input.name === name),
          ),
        ),
      ),
  ),
  'missing inputs as zeros': running((run, graph, backend) => async (inputs) => {
    const filled: Record<string, DeviceBuffer> = { ...inputs }
    for (const { name, value } of graph.inputs)
      filled[name] ??= await upload(backend, graph.types[value] as DeviceBuffer)
    return run(filled)
  }),
  'inputs reshaped to fit': running((run, graph, backend) => async (inputs) => {
    const fitted: Record<string, DeviceBuffer> = { ...inputs }
    for (const { name, value } of graph.inputs) {
      const { dtype, shape } = graph.types[value]!
      const given = inputs[name]
      if (!given || given.dtype !== dtype || given.shape.join() === shape.join()) continue
      if (sizeOf(given.shape) !== sizeOf(shape)) continue
      const { data } = await backend.read(given)
      fitted[name] = await backend.upload(hostTensor(dtype, shape, Array.from(data)) as HostTensor)
    }
    return run(fitted)
  }),
  'graphs not verified': (backend) =>
    wrapped(backend, {
      compile: (graph) =>
        backend.compile(graph).catch(() => ({
          graph,
          run: () => Promise.reject(new Error('cannot run')),
          dispose: async () => {},
        })),
    }),
  'errors without the constraint': (backend) =>
    wrapped(backend, {
      compile: (graph) =>
        backend.compile(graph).catch(() => Promise.reject(new Error('invalid graph'))),
    }),
  'executables cached by the ops of their graph': (backend) => {
    const made = new Map<string, ReturnType<Backend['compile']>>()
    return wrapped(backend, {
      compile: async (graph) => {
        const key = `${graph.inputs.length} ${graph.nodes.map((node) => node.op).join()}`
        const known = made.get(key) ?? backend.compile(graph)
        made.set(key, known)
        return { ...(await known), graph, dispose: async () => {} }
      },
    })
  },
  'executables that run after they were disposed': (backend) =>
    wrapped(backend, {
      compile: async (graph) => ({ ...(await backend.compile(graph)), dispose: async () => {} }),
    }),
  'concurrent runs that share their inputs': running((run) => {
    let shared: Buffers = {}
    return async (inputs) => {
      shared = inputs
      await Promise.resolve()
      return run(shared)
    }
  }),
  'results of the first run, ever after': running((run, graph, backend) => {
    let first: Record<string, HostTensor> | undefined
    return async (inputs) => {
      const outputs = await run(inputs)
      const entries = await Promise.all(
        Object.entries(outputs).map(async ([name, x]) => [name, await backend.read(x)] as const),
      )
      first ??= Object.fromEntries(entries)
      for (const { name } of graph.outputs) {
        outputs[name]!.dispose()
        outputs[name] = await backend.upload(first[name]!)
      }
      return outputs
    }
  }),
  'results that differ in the last bit from run to run': (backend) => {
    let runs = 0
    return running((run, _, inner) => async (inputs) => {
      const outputs = await run(inputs)
      runs++
      for (const [name, x] of Object.entries(outputs)) {
        const tensor = await inner.read(x)
        if (tensor.dtype !== 'float32') continue
        x.dispose()
        const data = tensor.data.map((value) => Math.fround(value * (1 + (runs % 2) * 2 ** -23)))
        outputs[name] = await inner.upload(hostTensor('float32', tensor.shape, data))
      }
      return outputs
    })(backend)
  },
  'executables that drop an output': (backend) =>
    wrapped(backend, {
      compile: async (graph) => {
        const executable = await backend.compile(graph)
        return { ...executable, graph: { ...lower(graph), outputs: graph.outputs.slice(1) } }
      },
    }),
  'sin compiled as cos': (backend) =>
    wrapped(backend, {
      compile: (graph) =>
        backend.compile({
          ...graph,
          nodes: graph.nodes.map((node) => (node.op === 'sin' ? { ...node, op: 'cos' } : node)),
        }),
    }),
}
