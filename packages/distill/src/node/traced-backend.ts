// What EMBED_KD_DEBUG prints of a backend, to standard error: 1 each graph that is compiled, 2 also its planned memory,
// 3 also each run, 4 also the graphs themselves.
import {
  cost,
  planMemory,
  print,
  type Backend,
  type BackendFactory,
  type Executable,
  type Graph,
} from '@embed-kd/core'

const level = (): number => Number(process.env['EMBED_KD_DEBUG']) || 0

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
const milliseconds = (since: number): string => `${(performance.now() - since).toFixed(1)} ms`
const say = (text: string) => process.stderr.write(`[embed-kd] ${text}\n`)

/** Returns the factory itself if EMBED_KD_DEBUG is not set, else one whose backends print what they do. */
export const traceFactory = (factory: BackendFactory): BackendFactory =>
  level() === 0
    ? factory
    : override(factory, {
        create: async (device, options) => traceBackend(await factory.create(device, options)),
      })

const traceBackend = (backend: Backend): Backend =>
  override(backend, {
    compile: async (graph) => {
      const began = performance.now()
      const executable = await backend.compile(graph)
      describeGraph(backend.name, graph, milliseconds(began))
      return level() < 3 ? executable : traceExecutable(backend, graph.name, executable)
    },
  })

function describeGraph(backend: string, graph: Graph, elapsed: string): void {
  const { flops } = cost(graph)
  say(
    `${backend} compiled ${graph.name}: ${graph.nodes.length} nodes, ${(flops / 1e9).toFixed(3)} GFLOP, in ${elapsed}`,
  )
  if (level() >= 2) {
    const { residentBytes, peakBytes, activationBytes } = planMemory(graph)
    say(
      `  planned: resident ${mebibytes(residentBytes)}, peak ${mebibytes(peakBytes)}, of which activations ${mebibytes(activationBytes)}`,
    )
  }
  if (level() >= 4) say(print(graph))
}

const traceExecutable = (backend: Backend, name: string, executable: Executable): Executable =>
  override(executable, {
    run: async (inputs) => {
      const began = performance.now()
      const outputs = await executable.run(inputs)
      await backend.synchronize()
      say(`${backend.name} ran ${name} in ${milliseconds(began)}`)
      return outputs
    },
  })

/** The same object with some of its methods replaced; the others keep their `this`, private fields included. */
function override<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_, key) {
      if (Object.hasOwn(methods, key)) return methods[key as keyof T]
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
