// Event files of TensorBoard, byte by byte.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { crc32c, EventWriter } from '../src/node/run/tensorboard.js'
import { temporaryDirectory } from './temporary.js'

describe('EventWriter', () => {
  it("has TFRecord's checksum (RFC 3720, B.4)", () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
  })

  it('writes records of known bytes', () => {
    const at = join(temporaryDirectory(), 'events')
    const writer = new EventWriter(at, 0)
    writer.scalars(300, { a: 0.5 }, 2000)
    writer.close()
    const bytes = readFileSync(join(at, readdirSync(at)[0]!))
    const first = Number(bytes.readBigUInt64LE(0))
    expect(bytes.subarray(12 + 11, 12 + first).toString()).toBe('brain.Event:2')
    const second = 16 + first
    const length = Number(bytes.readBigUInt64LE(second))
    const data = bytes.subarray(second + 12, second + 12 + length)
    // wall_time 2.0, step 300, summary { value { tag "a", simple_value 0.5 } }
    expect(data.toString('hex')).toBe('09000000000000004010ac022a0a0a080a0161150000003f')
    expect(bytes.length).toBe(second + 16 + length)
  })
})
