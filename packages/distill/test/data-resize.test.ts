// Resizing against PyTorch's own numbers (the golden cases of kind "resize"), and the properties that hold for any size.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { parseSafetensors } from '@embed-kd/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { createInputWriter } from '../src/node/data/input.js'
import { planeResize } from '../src/node/data/resize.js'

const golden = process.env.GOLDEN_DIR ?? fileURLToPath(new URL('../../../golden', import.meta.url))
const manifest = JSON.parse(readFileSync(`${golden}/manifest.json`, 'utf8')) as {
  cases: { name: string; kind: string; file: string }[]
}
const cases = manifest.cases.filter(({ kind }) => kind === 'resize')

describe('planeResize', () => {
  it('has golden cases', () => expect(cases).not.toHaveLength(0))

  it.each(cases)('equals PyTorch: $name', ({ file }) => {
    const { tensors } = parseSafetensors(readFileSync(`${golden}/${file}`))
    const input = tensors.get('in')!
    const output = tensors.get('out')!
    const [images, channels, height, width] = input.shape as [number, number, number, number]
    const [toHeight, toWidth] = output.shape.slice(2) as [number, number]
    const resize = planeResize({ height, width }, { height: toHeight, width: toWidth })
    const result = new Float32Array(output.data.length)
    for (let plane = 0; plane < images * channels; plane++)
      resize(input.data as Float32Array, plane * height * width, result, plane * toHeight * toWidth)
    let difference = 0
    let largest = 0
    for (const [i, expected] of output.data.entries()) {
      difference = Math.max(difference, Math.abs(result[i]! - expected))
      largest = Math.max(largest, Math.abs(expected))
    }
    expect(difference / largest).toBeLessThan(1e-6)
  })

  const side = fc.integer({ min: 1, max: 12 })

  it('keeps a plane of the same size', () => {
    fc.assert(
      fc.property(side, side, (height, width) => {
        const plane = Float32Array.from({ length: height * width }, (_, i) => Math.sin(i))
        const result = new Float32Array(plane.length)
        planeResize({ height, width }, { height, width })(plane, 0, result, 0)
        expect(result).toEqual(plane)
      }),
    )
  })

  it('keeps a constant at any size, and writes no other place', () => {
    fc.assert(
      fc.property(side, side, side, side, (height, width, toHeight, toWidth) => {
        const plane = new Float32Array(height * width).fill(0.75)
        const result = new Float32Array(toHeight * toWidth + 2).fill(-1)
        const resize = planeResize({ height, width }, { height: toHeight, width: toWidth })
        resize(plane, 0, result, 1)
        expect([result[0], result.at(-1)]).toEqual([-1, -1])
        for (const value of result.subarray(1, -1)) expect(value).toBeCloseTo(0.75, 6)
      }),
    )
  })

  it('averages exactly when halving a plane of one row of pairs', () => {
    const result = new Float32Array(1)
    planeResize({ height: 1, width: 2 }, { height: 1, width: 1 })(
      Float32Array.of(1, 5),
      0,
      result,
      0,
    )
    expect(result[0]).toBe(3)
  })
})

describe('bicubic', () => {
  const size = { height: 7, width: 9 }
  const plane = Float32Array.from({ length: 63 }, (_, i) => {
    const [x, y] = [i % 9, Math.floor(i / 9)]
    return (3 * x * x + 5 * y + x * y * 2) % 17
  })

  // The first values that Pillow 12.3 gives for this image (mode F, BICUBIC), which antialiases as torchvision does.
  it.each([
    [{ height: 4, width: 5 }, [3.92747, 8.03529, 9.77781, 7.16237, 9.64205, 7.61547]],
    [{ height: 11, width: 13 }, [-0.52827, 0.49418, 4.58666, 12.16908, 11.36332, 11.52744]],
  ])('equals Pillow: %j', (to, expected) => {
    const result = new Float32Array(to.height * to.width)
    planeResize(size, to, 'bicubic')(plane, 0, result, 0)
    expected.forEach((value, i) => expect(result[i]).toBeCloseTo(value, 4))
  })

  it('of the shorter side and the middle, as image processors do it', () => {
    const input = {
      channels: 1,
      height: 6,
      width: 6,
      mean: [0],
      std: [1 / 255],
      fit: 'resize',
    } as const
    const write = createInputWriter(
      { channels: 1, ...size },
      { ...input, interpolation: 'bicubic', shorterSide: 12 },
    )
    const result = new Float32Array(36)
    write(Uint8Array.from(plane), 1, result)
    // Pillow: resized to 15x12, then the middle.
    const rows = [
      [9.54951, 10.19107, 9.53507, 7.83333, 5.12889, 3.83504],
      [14.02049, 15.52548, 11.72628, 5.38379, 2.9608, 2.8443],
    ]
    rows.flat().forEach((value, i) => expect(result[i]).toBeCloseTo(value, 3))
    expect(() => createInputWriter({ channels: 1, ...size }, { ...input, shorterSide: 5 })).toThrow(
      'have no middle of 6x6',
    )
  })
})
