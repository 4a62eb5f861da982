// Numeric cases: computes expected values and tolerances of a graph, and compares a backend's run with them.
import type { Backend, DeviceBuffer, Executable } from '@embed-kd/core'
import type { Graph } from '@embed-kd/core'
import { verify } from '@embed-kd/core'
import { evaluate } from '@embed-kd/core'
import { widen, type ReferenceTensor } from '@embed-kd/core/reference'
import type { HostTensor } from '@embed-kd/core'
import { errorBounds } from './bounds.js'
import type { NumericCase } from './case.js'
import type { NumericDefinition } from './cases/define.js'
import { compare, expect, type Expected } from './compare.js'
import { backendContract } from './contract.js'
import type { Precision } from './formats.js'

/**
 * Returns a numeric case for a device: expected values come from the reference, tolerances from the device's precision.
 * @param given expected outputs from another source, computed in float32, instead of the reference's.
 */
export function numericCase(
  { name, contract, graph, inputs }: NumericDefinition,
  device: Precision,
  given?: Readonly<Record<string, HostTensor>>,
): NumericCase {
  const work = (): ReadonlyMap<string, Expected> => {
    const wide = Object.fromEntries(
      Object.entries(inputs).map(([input, tensor]) => [input, widen(tensor)]),
    )
    const exact: Record<string, ReferenceTensor> = given
      ? Object.fromEntries(Object.entries(given).map(([output, tensor]) => [output, widen(tensor)]))
      : evaluate(graph, wide)
    const bounds = errorBounds(graph, wide, device)
    const others = given && errorBounds(graph, wide, float32)
    return new Map(
      Object.entries(exact).map(([output, tensor]) => {
        const { error } = bounds.get(output)!
        const other = others?.get(output)?.error
        return [
          output,
          expect({ tensor, error: other ? error.map((e, i) => e + other[i]!) : error }),
        ]
      }),
    )
  }
  let known: ReadonlyMap<string, Expected> | undefined
  return { kind: 'numeric', name, contract, graph, inputs, expected: () => (known ??= work()) }
}

/** Precision that is assumed of expected values from other sources. */
const float32: Precision = {
  precision: { arithmetic: 2 ** -24, transcendental: 2 ** -22 },
  denormals: true,
}

/** Result of a run of a numeric case. */
export interface Observation {
  readonly failure?: string
  /** Name of the first wrong output; absent if all are right. */
  readonly output?: string
  /** Maximum error of the outputs compared so far, as a share of the tolerance. */
  readonly worstShare: number
}

/**
 * Runs a case, compares its outputs in the graph's order, and disposes of all buffers.
 * @throws Error if the backend throws.
 */
export async function observe(
  backend: Backend,
  { graph, inputs, expected }: NumericCase,
): Promise<Observation> {
  const executable = await backend.compile(graph)
  const held: DeviceBuffer[] = []
  try {
    checkInterface(executable.graph, graph)
    const feeds: Record<string, DeviceBuffer> = {}
    for (const [name, tensor] of Object.entries(inputs)) {
      feeds[name] = await backend.upload(tensor)
      held.push(feeds[name])
    }
    const outputs = await executable.run(feeds)
    held.push(...Object.values(outputs))
    await checkMemory(executable)
    let worstShare = 0
    for (const [name, wanted] of expected()) {
      const buffer = outputs[name]
      const comparison = buffer
        ? compare(name, await backend.read(buffer), wanted)
        : { failure: `output ${name} is missing`, worstShare: Infinity }
      if (comparison.failure) return { ...comparison, output: name }
      worstShare = Math.max(worstShare, comparison.worstShare)
    }
    return { worstShare }
  } finally {
    for (const buffer of held) buffer.dispose()
    await executable.dispose()
  }
}

/** Checks rule B14: an executable's graph has the inputs and outputs of the compiled one. */
function checkInterface(made: Graph, asked: Graph): void {
  verify(made)
  const names = (list: readonly { readonly name: string }[]) =>
    list.map(({ name }) => name).join(', ')
  for (const side of ['inputs', 'outputs'] as const)
    if (names(made[side]) !== names(asked[side]))
      throw new Error(
        `B14: the executable's ${side} are ${names(made[side])}, the graph's ${names(asked[side])}`,
      )
}

/** @throws Error if the executable plans another peak of memory than it counted in its latest run. */
async function checkMemory(executable: Executable): Promise<void> {
  const counted = executable.countedMemory?.()
  if (!counted) return
  const planned = await executable.planMemory?.()
  if (planned && counted.peakBytes !== planned.peakBytes)
    throw new Error(
      `B16 (${backendContract.B16}): ${planned.peakBytes} bytes planned, ${counted.peakBytes} counted`,
    )
}
