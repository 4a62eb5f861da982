// Compares a device's tensor with the expected one, element by element, and describes the first difference.
// The sign of a zero is not compared.
import type { ReferenceTensor } from '@embed-kd/core'
import {
  formatType,
  isFloat,
  sameType,
  valuesOf,
  type HostTensor,
  type Shape,
} from '@embed-kd/core'
import type { Bounded } from './bounds.js'
import { formats } from './formats.js'

/** Expected values in float64, and the maximum difference for each element. Infinity means that the element is not compared. */
export interface Expected {
  readonly tensor: ReferenceTensor
  readonly tolerance: Float64Array
}

/** Returns what a device's tensor is compared with. Reading a result in its dtype rounds it once more, unless it is exact. */
export const expect = ({ tensor, error }: Bounded): Expected => ({
  tensor,
  tolerance: error.map((e, i) => {
    if (e === 0 || e === Infinity || !isFloat(tensor.dtype)) return e
    const { unit, least } = formats[tensor.dtype]
    return e + Math.abs(tensor.data[i]!) * unit + least / 2
  }),
})

export interface Comparison {
  /** Description of the first wrong element; undefined if all elements are within their tolerance. */
  readonly failure?: string
  /** Maximum error of the compared elements, as a share of the tolerance. */
  readonly worstShare: number
}

/** Returns the error of an element as a share of its tolerance. More than 1 is wrong. */
function share(got: number, expected: number, tolerance: number): number {
  if (tolerance === Infinity || got === expected) return 0
  if (Number.isNaN(expected)) return Number.isNaN(got) ? 0 : Infinity
  const error = Math.abs(got - expected)
  return Number.isNaN(error) ? Infinity : error / tolerance
}

/** Compares an output with its expected values. */
export function compare(
  name: string,
  got: HostTensor,
  { tensor, tolerance }: Expected,
): Comparison {
  const failed = (failure: string) => ({
    failure: `output ${name}${failure}`,
    worstShare: Infinity,
  })
  if (!sameType(got, tensor))
    return failed(`: expected ${formatType(tensor)}, got ${formatType(got)}`)
  if (got.data.length !== tensor.data.length)
    return failed(`: expected ${tensor.data.length} elements of data, got ${got.data.length}`)
  const values = valuesOf(got)
  const shares = tolerance.map((t, i) => share(values[i]!, tensor.data[i]!, t))
  const first = shares.findIndex((s) => s > 1)
  const worstShare = shares.reduce((worst, s) => Math.max(worst, s), 0)
  if (first < 0) return { worstShare }
  const wrong = shares.reduce((count, s) => count + Number(s > 1), 0)
  return failed(
    `[${indexOf(first, tensor.shape).join(',')}]: expected ${tensor.data[first]}, ` +
      `got ${values[first]}, tolerance ${tolerance[first]!.toPrecision(3)}; ` +
      `${wrong} of ${shares.length} elements are wrong`,
  )
}

/** Returns an element's index along each axis from its position in row-major order. */
function indexOf(element: number, shape: Shape): number[] {
  const index: number[] = []
  let rest = element
  for (const size of shape.toReversed()) {
    index.unshift(rest % size)
    rest = Math.floor(rest / size)
  }
  return index
}
