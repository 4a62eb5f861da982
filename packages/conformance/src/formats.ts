// The ranges of float32 and float16, and a device's precision in each.
import type { Capabilities } from '@embed-kd/core'
import type { DType, FloatType } from '@embed-kd/core'

/** The capabilities that determine a device's tolerances. */
export type Precision = Pick<Capabilities, 'precision' | 'denormals'>

interface Format {
  /** Unit roundoff: the maximum relative error of rounding to the format. */
  readonly unit: number
  readonly greatest: number
  readonly leastNormal: number
  readonly least: number
}

export const formats: Record<FloatType, Format> = {
  float32: {
    unit: 2 ** -24,
    greatest: (2 - 2 ** -23) * 2 ** 127,
    leastNormal: 2 ** -126,
    least: 2 ** -149,
  },
  float16: { unit: 2 ** -11, greatest: 65504, leastNormal: 2 ** -14, least: 2 ** -24 },
}

/** Returns a device's precision in a dtype. In float16 it may flush denormals, and functions have an error of two roundoffs. */
export function precisionIn(dtype: DType, device: Precision): Precision {
  if (dtype !== 'float16') return device
  const { arithmetic, transcendental } = device.precision
  const { unit } = formats.float16
  return {
    precision: {
      arithmetic: Math.max(arithmetic, unit),
      transcendental: Math.max(transcendental, 2 * unit),
    },
    denormals: false,
  }
}
