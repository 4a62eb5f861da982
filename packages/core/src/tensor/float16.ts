// Conversions of IEEE 754 binary16, held as 16-bit words: 1 bit of sign, 5 of exponent (bias 15), 10 of mantissa. Node 20 and 22
// have no Float16Array.

const floats = new Float32Array(1)
const bits = new Uint32Array(floats.buffer)

/** Returns the word of the nearest half-precision number, ties to even. Numbers from 65520 on become infinity. */
export function toFloat16(value: number): number {
  floats[0] = value
  const word = bits[0]!
  const sign = (word >>> 16) & 0x8000
  const magnitude = word & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
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

/** The numbers of all 65,536 words, made on first use. */
let table: Float32Array | undefined

/** Returns the number that a word represents. Float32 represents this number exactly. */
export function fromFloat16(word: number): number {
  table ??= Float32Array.from({ length: 0x10000 }, (_, at) => {
    const exponent = (at >> 10) & 31
    const mantissa = at & 1023
    const sign = at & 0x8000 ? -1 : 1
    if (exponent === 31) return mantissa ? NaN : sign * Infinity
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + mantissa / 1024) : 2 ** -24 * mantissa)
  })
  return table[word]!
}
