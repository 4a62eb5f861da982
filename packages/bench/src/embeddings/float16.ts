// float32 to IEEE 754 binary16, for files half as large. The way back is part of core's reader.

import { UserError } from '../errors.js'

const floats = new Float32Array(1)
const bits = new Uint32Array(floats.buffer)

/** The nearest half-precision number, ties to even; beyond its range an infinity. */
function toFloat16(value: number): number {
  floats[0] = value
  const word = bits[0]!
  const sign = (word >>> 16) & 0x8000
  const magnitude = word & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  // 65520 and more round to an infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00
  if (magnitude < 0x38800000) {
    // Below 2^-14 the exponent stays: the number is a multiple of 2^-24.
    const scaled = Math.abs(floats[0]) * 2 ** 24
    const below = Math.floor(scaled)
    const rest = scaled - below
    return sign | (below + (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? 1 : 0))
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1)
  return sign | ((rounded - 0x38000000) >>> 13)
}

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
