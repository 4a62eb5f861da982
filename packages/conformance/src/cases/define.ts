// How cases are written down: inputs drawn from the case's own name, a body on symbolic tensors.
import type { Graph } from '@embed-kd/core'
import { spec, trace, type Tensor, type Tracer } from '@embed-kd/core'
import { Random } from '@embed-kd/core'
import { hostTensor, type HostTensor, type Shape } from '@embed-kd/core'

/** A numeric case but for its expected values, which depend on the backend's capabilities. */
export interface NumericDefinition {
  readonly name: string
  readonly contract: string
  readonly graph: Graph
  readonly inputs: Readonly<Record<string, HostTensor>>
}

/** Values to be drawn. */
export type Draw = (random: Random) => HostTensor

/** Uniform between two numbers. */
export const floats =
  (shape: Shape, low = -2, high = 2): Draw =>
  (random) =>
    filled(hostTensor('float32', shape), () => low + (high - low) * random.uniform())

/** Whole numbers from low to high, both inclusive. */
export const ints =
  (shape: Shape, low = -9, high = 9): Draw =>
  (random) =>
    filled(hostTensor('int32', shape), () => low + random.int(high - low + 1))

export const bools =
  (shape: Shape): Draw =>
  (random) =>
    filled(hostTensor('bool', shape), () => random.int(2))

function filled(tensor: HostTensor, next: () => number): HostTensor {
  for (let i = 0; i < tensor.data.length; i++) tensor.data[i] = next()
  return tensor
}

/** Returns a vector of the given elements. */
export const exactly = (...values: number[]): HostTensor =>
  hostTensor('float32', [values.length], values)

/** Returns a matrix of the given rows. */
export const rows = (...data: readonly (readonly number[])[]): HostTensor =>
  hostTensor('float32', [data.length, data[0]!.length], data.flat())

/** Returns `count` values from low to high, with equal differences or equal factors. */
export const range = (low: number, high: number, count: number, spacing: 'even' | 'log' = 'even') =>
  exactly(
    ...Array.from({ length: count }, (_, i) => {
      const t = i / (count - 1)
      return spacing === 'even' ? low + (high - low) * t : low * (high / low) ** t
    }),
  )

/** Returns a shape as names of cases show it: `[2,3]` or `scalar`. */
export const label = (shape: Shape): string =>
  shape.length === 0 ? 'scalar' : `[${shape.join(',')}]`

/** Returns random numbers whose keys are the characters of a name. */
const randomFor = (name: string) => new Random(0, ...Array.from(name, (c) => c.codePointAt(0)!))

type Values = HostTensor | Draw

/** Draws the inputs of a case. They depend on the case's name alone, so that other cases do not change them. */
export function drawInputs<K extends string>(
  name: string,
  inputs: Readonly<Record<K, Values>>,
): Record<K, HostTensor> {
  const random = randomFor(name)
  return Object.fromEntries(
    Object.entries<Values>(inputs).map(([key, values]) => [
      key,
      typeof values === 'function' ? values(random) : values,
    ]),
  ) as Record<K, HostTensor>
}

/** Returns a case that runs `body` once. Its outputs are called y, or y.0, y.1, … if there are several. */
export function numeric<K extends string>(
  name: string,
  contract: string,
  inputs: Readonly<Record<K, Values>>,
  body: (inputs: Record<K, Tensor>, tracer: Tracer) => Tensor | readonly Tensor[],
): NumericDefinition {
  const drawn = drawInputs(name, inputs)
  const specs = Object.fromEntries(
    Object.entries<HostTensor>(drawn).map(([key, { dtype, shape }]) => [
      key,
      spec(shape, { dtype }),
    ]),
  )
  const graph = trace(name, specs, (symbols, tracer) => ({
    y: body(symbols as Record<K, Tensor>, tracer),
  }))
  return { name, contract, graph, inputs: drawn }
}
