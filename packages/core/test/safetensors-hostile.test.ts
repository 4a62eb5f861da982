// Hostile files of safetensors, each with the error it must give.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { formatSafetensors, parseSafetensors } from '../src/tensor/safetensors.js'
import { hostTensor } from '../src/tensor/tensor.js'
import { file } from './safetensors-file.js'

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
})
const text = (string: string) => Uint8Array.from(string, (c) => c.charCodeAt(0))

const hostile: [name: string, bytes: Uint8Array, message: RegExp][] = [
  ['an empty file', new Uint8Array(0), /at least 10 bytes, this one has 0/],
  ['a length and nothing else', new Uint8Array(8), /at least 10 bytes/],
  ['a huge header length', file({}, [], 2n ** 63n), /claims 9223372036854775808 bytes/],
  ['a length above the limit', file({}, [], 100_000_001n), /more than the 100000000/],
  ['a header cut short', file({ a: f32(0, 4) }, [], 99n), /ends after \d+: it is truncated/],
  ['a header of length 0', file('{}', [], 0n), /not valid JSON/],
  ['a header that is an array', file([]), /does not start with "\{"/],
  ['a header that starts with a space', file(' {}'), /does not start with "\{"/],
  ['JSON cut short', file('{"a":'), /not valid JSON/],
  ['text after the JSON', file('{}x'), /not valid JSON/],
  ['invalid UTF-8', file(text('{"\xff":1}')), /not valid UTF-8/],
  [
    'a duplicate name',
    file(`{"a":${JSON.stringify(f32(0, 4))},"a":${JSON.stringify(f32(0, 4))}}`, [0, 0, 0, 0]),
    /the key "a" twice/,
  ],
  [
    'a duplicate name, escaped',
    file(
      `{"a":${JSON.stringify(f32(0, 4))},"\\u0061" : ${JSON.stringify(f32(0, 4))}}`,
      [0, 0, 0, 0],
    ),
    /the key "a" twice/,
  ],
  [
    'a duplicate field',
    file('{"a":{"dtype":"F32","shape":[1],"shape":[0],"data_offsets":[0,0]}}'),
    /the key "shape" twice/,
  ],
  ['duplicate metadata', file('{"__metadata__":{"a":"1","a":"2"}}'), /the key "a" twice/],
  [
    'a tensor named __proto__',
    file('{"__proto__":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
    /"__proto__" is no name/,
  ],
  [
    'metadata named __proto__',
    file('{"__metadata__":{"__proto__":"x"}}'),
    /"__proto__" is no name/,
  ],
  ['metadata that is a list', file({ __metadata__: [] }), /__metadata__ must be an object/],
  ['metadata that is a number', file({ __metadata__: { n: 1 } }), /"n" must be a string, is 1/],
  ['a tensor that is null', file({ a: null }), /tensor "a" must be an object, is null/],
  ['a tensor with nothing', file({ a: {} }), /has dtype missing/],
  [
    'an unknown dtype',
    file({ a: { ...f32(0, 4), dtype: 'X9' } }, [0, 0, 0, 0]),
    /"X9"; those read are/,
  ],
  [
    'a dtype of Object.prototype',
    file({ a: { ...f32(0, 4), dtype: 'toString' } }, [0, 0, 0, 0]),
    /has dtype "toString"/,
  ],
  [
    'a negative axis',
    file({ a: f32(0, 4, [-1]) }, [0, 0, 0, 0]),
    /a shape of whole numbers, has \[-1\]/,
  ],
  ['a fractional axis', file({ a: f32(0, 4, [0.5, 2]) }, [0, 0, 0, 0]), /a shape of whole numbers/],
  [
    'a shape that overflows',
    file({ a: f32(0, 4, [2 ** 40, 2 ** 40]) }, [0, 0, 0, 0]),
    /bytes, but has 4/,
  ],
  [
    'a shape beyond any number',
    file({ a: f32(0, 4, Array(40).fill(2 ** 50) as number[]) }, [0, 0, 0, 0]),
    /bytes, but has 4/,
  ],
  ['no shape', file({ a: { dtype: 'F32', data_offsets: [0, 4] } }, [0, 0, 0, 0]), /has missing/],
  [
    'one offset',
    file({ a: { ...f32(0, 4), data_offsets: [0] } }),
    /two whole numbers as data_offsets/,
  ],
  [
    'offsets that are strings',
    file({ a: { ...f32(0, 4), data_offsets: ['0', '4'] } }),
    /two whole numbers/,
  ],
  ['a negative offset', file({ a: f32(-4, 0) }), /two whole numbers/],
  ['offsets backwards', file({ a: f32(4, 0, [1]) }, [0, 0, 0, 0]), /ends before it begins/],
  [
    'an offset past the end',
    file({ a: f32(0, 8) }, [0, 0, 0, 0]),
    /ends at byte 8 of the data, but the file has 4/,
  ],
  [
    'a shape that is not the size',
    file({ a: f32(0, 8, [3]) }, new Uint8Array(8)),
    /F32 of shape \[3\], 12 bytes, but has 8/,
  ],
  [
    'overlapping tensors',
    file({ a: f32(0, 8), b: f32(4, 12) }, new Uint8Array(12)),
    /"b" overlaps that of tensor "a"/,
  ],
  [
    'two tensors of the same bytes',
    file({ a: f32(0, 8), b: f32(0, 8) }, new Uint8Array(8)),
    /overlaps/,
  ],
  [
    'a hole between tensors',
    file({ a: f32(0, 4), b: f32(8, 12) }, new Uint8Array(12)),
    /4 bytes after tensor "a" belong to no tensor/,
  ],
  [
    'a hole before the first',
    file({ a: f32(4, 8) }, new Uint8Array(8)),
    /4 bytes after the header/,
  ],
  [
    'bytes after the last',
    file({ a: f32(0, 4) }, new Uint8Array(7)),
    /3 bytes after tensor "a", at the end/,
  ],
  [
    'a torch zip',
    text('PK\x03\x04\x00\x00\x08\x08\x00\x00archive/data.pkl'),
    /zip archive, as torch\.save writes.*any code/,
  ],
  ['a pickle', text('\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'), /Python pickle.*any code/],
  [
    'a Git LFS pointer',
    text('version https://git-lfs.github.com/spec/v1\noid sha256:00\n'),
    /git lfs pull/,
  ],
  ['the index of shards', text('{\n  "metadata": {"total_size": 1}}'), /this is JSON/],
]

describe('hostile files', () => {
  it.each(hostile)('%s', (_, bytes, message) => {
    expect(() => parseSafetensors(bytes)).toThrow(message)
    expect(() => parseSafetensors(bytes)).toThrow(/^safetensors: .{10,250}$/)
  })

  it('a name of a megabyte does not fill the screen', () => {
    const bytes = file({ ['n'.repeat(1 << 20)]: f32(0, 8, [3]) }, new Uint8Array(8))
    expect(() => parseSafetensors(bytes)).toThrow(/^.{10,250}$/)
  })

  it('any bytes give a file or an error of ours', () => {
    const valid = formatSafetensors(
      new Map([
        ['a', hostTensor('float32', [2])],
        ['b', hostTensor('float32', [1])],
      ]),
    )
    const damage = fc.array(
      fc.tuple(fc.integer({ min: 0, max: valid.length - 1 }), fc.integer({ min: 0, max: 255 })),
      { minLength: 1, maxLength: 4 },
    )
    fc.assert(
      fc.property(damage, (changes) => {
        const bytes = valid.slice()
        for (const [at, byte] of changes) bytes[at] = byte
        try {
          parseSafetensors(bytes)
        } catch (error) {
          expect((error as Error).message).toMatch(/^safetensors: /)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
