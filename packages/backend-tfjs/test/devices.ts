// Which devices a test runs on here, and how results are compared with the reference. A device that cannot be used is
// printed with its reason, never left out in silence.
import {
  evaluate,
  formatType,
  op,
  trace,
  type Backend,
  type Graph,
  type HostTensor,
  type InputSpec,
  type Tensor,
  type Tracer,
} from '@embed-kd/core'
import { tfjsBackend } from '../src/index.js'

/** The devices that `probe` finds usable. */
export async function usableDevices(): Promise<string[]> {
  const usable: string[] = []
  for (const device of tfjsBackend.devices) {
    const found = await tfjsBackend.probe(device)
    if (found.available) usable.push(device)
    else console.warn(`skipped tfjs:${device}: ${found.reason}; ${found.remedy}`)
  }
  return usable
}

/** A graph of `body` over inputs of the types of `inputs`. */
export function graphOf(
  inputs: Readonly<Record<string, HostTensor>>,
  body: (inputs: Record<string, Tensor>, tracer: Tracer) => Record<string, Tensor>,
): Graph {
  const specs: Record<string, InputSpec> = {}
  for (const [name, { dtype, shape }] of Object.entries(inputs))
    specs[name] = { dtype, shape, role: 'batch' }
  return trace('test', specs, body)
}

/** Runs a graph once, host tensors in and out; everything is disposed of. */
export async function runOnce(
  backend: Backend,
  graph: Graph,
  inputs: Readonly<Record<string, HostTensor>>,
): Promise<Record<string, HostTensor>> {
  const executable = await backend.compile(graph)
  const buffers = new Map(
    await Promise.all(
      Object.entries(inputs).map(async ([name, x]) => [name, await backend.upload(x)] as const),
    ),
  )
  const outputs = await executable.run(Object.fromEntries(buffers))
  const read: Record<string, HostTensor> = {}
  for (const [name, buffer] of Object.entries(outputs)) {
    read[name] = await backend.read(buffer)
    buffer.dispose()
  }
  for (const buffer of buffers.values()) buffer.dispose()
  await executable.dispose()
  return read
}

/** Where a graph's outputs part from the reference's, in words; `tolerance` is relative to the greatest element. */
export async function differences(
  backend: Backend,
  graph: Graph,
  inputs: Readonly<Record<string, HostTensor>>,
  tolerance = 2e-6,
): Promise<string[]> {
  const expected = evaluate(graph, inputs)
  const got = await runOnce(backend, graph, inputs)
  return graph.outputs.flatMap(({ name }) => {
    const [a, b] = [got[name]!, expected[name]!]
    if (formatType(a) !== formatType(b as unknown as HostTensor))
      return [`${name}: ${formatType(a)}`]
    const finite = Array.from(b.data, Math.abs).filter(Number.isFinite)
    const bound = b.dtype !== 'float32' ? 0 : tolerance * Math.max(1, ...finite)
    const wrong = Array.from(b.data).findIndex((y, i) => {
      const x = a.data[i]!
      return !(Object.is(x, y) || x === y || Math.abs(x - y) <= bound)
    })
    return wrong < 0 ? [] : [`${name}[${wrong}]: ${a.data[wrong]} instead of ${b.data[wrong]}`]
  })
}

export { op }
