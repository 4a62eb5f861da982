// Embeddings as IEEE 754 binary16, for files of half the size. Core's reader converts them back.
import { toFloat16, UserError } from '@embed-kd/core'

/** Rounds numbers to float16. @throws UserError if a finite number is out of range: above 65504 in size. */
export function encodeFloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, (value) => {
    const half = toFloat16(value)
    if ((half & 0x7c00) === 0x7c00 && Number.isFinite(value))
      throw new UserError(
        `the embedding's value ${value} is out of the range of float16, at most 65504 in size`,
        'choose the store float32 or int8',
      )
    return half
  })
}
