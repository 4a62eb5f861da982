// Round trips of any tensors, and what each stored dtype becomes.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import {
  formatSafetensors,
  formatSafetensorsHeader,
  parseSafetensors,
  parseSafetensorsHeader,
  readSafetensor,
  safetensorsHeaderBytes,
} from '../src/tensor/safetensors.js'
import { hostTensor, sizeOf } from '../src/tensor/tensor.js'
import type { HostTensor } from '../src/tensor/tensor.js'
import { file } from './safetensors-file.js'

const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

/** The one tensor of a file that stores `data` as `dtype`. */
function stored(dtype: string, data: ArrayBufferView, count: number): HostTensor {
  const raw = bytesOf(data)
  const header = { x: { dtype, shape: [count], data_offsets: [0, raw.length] } }
  return parseSafetensors(file(header, raw)).tensors.get('x')!
}

const anyTensor: fc.Arbitrary<HostTensor> = fc
  .array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 })
  .chain((shape) => {
    const exactly = { minLength: sizeOf(shape), maxLength: sizeOf(shape) }
    return fc.oneof(
      fc.float32Array(exactly).map((data) => hostTensor('float32', shape, data)),
      fc.int32Array(exactly).map((data) => hostTensor('int32', shape, data)),
      fc.uint8Array({ ...exactly, max: 1 }).map((data) => hostTensor('bool', shape, data)),
    )
  })

const anyName = fc
  .string({ unit: 'binary' })
  .filter((name) => name !== '__proto__' && name !== '__metadata__')

const anyFile = fc.record({
  tensors: fc.array(fc.tuple(anyName, anyTensor)).map((pairs) => new Map(pairs)),
  metadata: fc
    .array(fc.tuple(anyName, fc.string({ unit: 'binary' })))
    .map((pairs) => Object.fromEntries(pairs)),
})

describe('round trip', () => {
  it('keeps every tensor and all metadata', () => {
    fc.assert(
      fc.property(anyFile, ({ tensors, metadata }) => {
        const read = parseSafetensors(formatSafetensors(tensors, metadata))
        expect(read.metadata).toEqual(metadata)
        expect(new Set(read.tensors.keys())).toEqual(new Set(tensors.keys()))
        for (const [name, tensor] of tensors) {
          expect(read.tensors.get(name)).toEqual(tensor)
        }
      }),
    )
  })

  it('works at any position in memory', () => {
    fc.assert(
      fc.property(anyFile, fc.integer({ min: 1, max: 7 }), ({ tensors }, shift) => {
        const bytes = formatSafetensors(tensors)
        const moved = Buffer.alloc(bytes.length + shift).subarray(shift)
        moved.set(bytes)
        expect(parseSafetensors(moved)).toEqual(parseSafetensors(bytes))
      }),
    )
  })

  it('writes the same bytes whatever the order, each tensor aligned', () => {
    fc.assert(
      fc.property(anyFile, ({ tensors, metadata }) => {
        const bytes = formatSafetensors(tensors, metadata)
        const backwards = formatSafetensors(
          new Map([...tensors].reverse()),
          Object.fromEntries(Object.entries(metadata).reverse()),
        )
        expect(backwards).toEqual(bytes)
        const header = parseSafetensorsHeader(bytes, bytes.length)
        for (const [name, { begin }] of header.entries)
          expect(begin % tensors.get(name)!.data.BYTES_PER_ELEMENT).toBe(0)
      }),
    )
  })

  it('does not copy aligned data, and keeps the bits of a NaN', () => {
    const nan = new Float32Array(Uint32Array.of(0x7fc12345).buffer)
    const bytes = formatSafetensors(new Map([['x', hostTensor('float32', [1], nan)]]))
    const { data } = parseSafetensors(bytes).tensors.get('x')!
    expect(data.buffer).toBe(bytes.buffer)
    expect(new Uint32Array(data.buffer, data.byteOffset, 1)[0]).toBe(0x7fc12345)
  })
})

describe('what is written', () => {
  it('is the format to the byte', () => {
    const bytes = formatSafetensors(
      new Map<string, HostTensor>([
        ['mask', hostTensor('bool', [2], [1, 0])],
        ['b', hostTensor('int32', [], [-2])],
        ['a', hostTensor('float32', [1, 2], [1, 0.5])],
      ]),
      { step: '3', epoch: '1' },
    )
    const json =
      '{"__metadata__":{"epoch":"1","step":"3"},' +
      '"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},' +
      '"b":{"dtype":"I32","shape":[],"data_offsets":[8,12]},' +
      '"mask":{"dtype":"BOOL","shape":[2],"data_offsets":[12,14]}}'
    const padded = json.padEnd(Math.ceil(json.length / 8) * 8)
    expect(bytes).toEqual(file(padded, [0, 0, 128, 63, 0, 0, 0, 63, 254, 255, 255, 255, 1, 0]))
  })

  it.each([
    ['__metadata__', {}, /format's own word/],
    ['__proto__', {}, /__proto__/],
    ['x', JSON.parse('{"__proto__":"1"}') as Record<string, string>, /__proto__/],
  ])('refuses the name %s with metadata %j', (name, metadata, message) => {
    const tensors = new Map([[name, hostTensor('float32', [1])]])
    expect(() => formatSafetensors(tensors, metadata)).toThrow(message)
  })

  it('refuses data that is not of its shape', () => {
    const tensor: HostTensor = { dtype: 'int32', shape: [3], data: new Int32Array(2) }
    expect(() => formatSafetensors(new Map([['x', tensor]]))).toThrow(/i32\[3\] with 2 elements/)
  })
})

describe('reading and writing piece by piece', () => {
  it('a header from the first bytes, then each tensor', () => {
    const tensors = new Map<string, HostTensor>([
      ['a', hostTensor('float32', [2], [1, 2])],
      ['b', hostTensor('int32', [1], [3])],
    ])
    const bytes = formatSafetensors(tensors, { kind: 'test' })
    const headerBytes = safetensorsHeaderBytes(bytes.subarray(0, 9), bytes.length)
    const header = parseSafetensorsHeader(bytes.subarray(0, headerBytes), bytes.length)
    expect(header.metadata).toEqual({ kind: 'test' })
    for (const [name, entry] of header.entries) {
      const piece = bytes.slice(entry.begin, entry.end)
      expect(readSafetensor(name, entry, piece)).toEqual(tensors.get(name))
      expect(() => readSafetensor(name, entry, piece.subarray(1))).toThrow(/has \d bytes, got/)
    }
    expect(() => safetensorsHeaderBytes(bytes.subarray(0, 8), bytes.length)).toThrow(/first 9/)
    expect(() => parseSafetensorsHeader(bytes.subarray(0, headerBytes - 1), bytes.length)).toThrow(
      /got the first/,
    )
  })

  it('a header for data that follows', () => {
    const half = { storage: 'F16', shape: [2] } as const
    const { bytes, entries, fileBytes } = formatSafetensorsHeader(new Map([['h', half]]))
    const whole = new Uint8Array(fileBytes)
    whole.set(bytes)
    whole.set(bytesOf(Uint16Array.of(0x3c00, 0xc000)), entries.get('h')!.begin)
    expect(parseSafetensors(whole).tensors.get('h')!.data).toEqual(Float32Array.of(1, -2))
  })
})

describe('other dtypes', () => {
  it('F16 is widened exactly', () => {
    const halves = Uint16Array.of(
      0x0000,
      0x8000,
      0x3c00,
      0xc000,
      0x7bff,
      0x0001,
      0x03ff,
      0x0400,
      0x3555,
      0x7c00,
      0xfc00,
      0x7e00,
    )
    const tensor = stored('F16', halves, halves.length)
    expect(tensor.dtype).toBe('float32')
    expect([...tensor.data]).toEqual([
      0,
      -0,
      1,
      -2,
      65504,
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      1365 / 4096,
      Infinity,
      -Infinity,
      NaN,
    ])
  })

  it('BF16 is the upper half of a float32', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (value) => {
        const upper = new Uint16Array(Float32Array.of(value).buffer)[1]!
        const expected = new Float32Array(Uint16Array.of(0, upper).buffer)
        expect(stored('BF16', Uint16Array.of(upper), 1).data).toEqual(expected)
      }),
    )
  })

  it('F64 becomes the nearest float32, or is refused out of range', () => {
    expect([...stored('F64', Float64Array.of(0.1, -Infinity, NaN), 3).data]).toEqual([
      Math.fround(0.1),
      -Infinity,
      NaN,
    ])
    expect(() => stored('F64', Float64Array.of(0, 1e300), 2)).toThrow(
      'tensor "x" (F64): element 1 is 1e+300, out of float32\'s range',
    )
  })

  it('I64 becomes int32, or is refused out of range', () => {
    const fits = BigInt64Array.of(0n, -1n, 2n ** 31n - 1n, -(2n ** 31n))
    expect(stored('I64', fits, 4)).toEqual(
      hostTensor('int32', [4], [0, -1, 2 ** 31 - 1, -(2 ** 31)]),
    )
    for (const value of [2n ** 31n, -(2n ** 31n) - 1n, 2n ** 62n, -(2n ** 63n)])
      expect(() => stored('I64', BigInt64Array.of(value), 1)).toThrow(
        `element 0 is ${value}, out of int32's range`,
      )
  })

  it('I8 and U8 become int32, never a float that a scale was forgotten for', () => {
    expect(stored('I8', Int8Array.of(-128, 0, 127), 3)).toEqual(
      hostTensor('int32', [3], [-128, 0, 127]),
    )
    expect(stored('U8', Uint8Array.of(0, 255), 2)).toEqual(hostTensor('int32', [2], [0, 255]))
  })

  it('BOOL must be 0 or 1', () => {
    expect(() => stored('BOOL', Uint8Array.of(1, 2), 2)).toThrow(/element 1 is the byte 2/)
  })
})
