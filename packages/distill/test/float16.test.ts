// Half-precision numbers of embeddings, written and read back.
import { parseSafetensors } from '@embed-kd/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { encodeFloat16 } from '../src/embeddings/float16.js'

describe('encodeFloat16', () => {
  /** The bytes as core reads them back. */
  const decode = (halves: Uint16Array): Float32Array => {
    const header = JSON.stringify({
      x: { dtype: 'F16', shape: [halves.length], data_offsets: [0, halves.byteLength] },
    }).padEnd(96)
    const length = new Uint8Array(8)
    new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true)
    const bytes = Buffer.concat([length, Buffer.from(header), Buffer.from(halves.buffer)])
    return parseSafetensors(bytes).tensors.get('x')!.data as Float32Array
  }

  it('keeps every half-precision number', () => {
    const all = Uint16Array.from({ length: 0x10000 }, (_, i) => i).filter(
      (h) => (h & 0x7c00) !== 0x7c00,
    )
    expect(encodeFloat16(decode(all))).toEqual(all)
  })

  it('gives the nearest, ties to even', () => {
    fc.assert(
      fc.property(fc.float({ min: -60000, max: 60000, noNaN: true }), (value) => {
        const [half] = encodeFloat16(Float32Array.of(value))
        const at = decode(Uint16Array.of(half!))[0]!
        for (const neighbour of [half! - 1, half! + 1]) {
          if (
            neighbour < 0 ||
            (neighbour & 0x7c00) === 0x7c00 ||
            (neighbour & 0x8000) !== (half! & 0x8000)
          )
            continue
          const other = decode(Uint16Array.of(neighbour))[0]!
          const [near, far] = [Math.abs(value - at), Math.abs(value - other)]
          expect(near < far || (near === far && half! % 2 === 0)).toBe(true)
        }
      }),
    )
  })

  it('refuses what is out of range', () => {
    expect(() => encodeFloat16(Float32Array.of(65520))).toThrow('is out of the range of float16')
    expect(encodeFloat16(Float32Array.of(65519))[0]).toBe(0x7bff)
  })
})
