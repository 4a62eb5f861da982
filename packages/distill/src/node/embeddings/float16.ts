// Embeddings as IEEE 754 binary16, for files half as large. The way back is part of core's reader.
import { toFloat16 } from '@embed-kd/core'

import { UserError } from '@embed-kd/core'

/** @throws UserError where a finite number is out of range: at most 65504 in size. */
export function encodeFloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, (value) => {
    const half = toFloat16(value)
    if ((half & 0x7c00) === 0x7c00 && Number.isFinite(value))
      throw new UserError(
        `the embedding's value ${value} is out of the range of float16, at most 65504 in size`,
        'leave out --float16',
      )
    return half
  })
}
