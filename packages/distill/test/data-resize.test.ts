// Resizing against the numbers of PyTorch (the golden cases of kind "resize") and of Pillow (fixtures/resize.py), and the properties
// that hold for any size.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { parseSafetensors } from '@embed-kd/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { createInputWriter, type ModelInput } from '../src/node/data/input.js'
import {
  byteResize,
  interpolations,
  planeResize,
  type Interpolation,
} from '../src/node/data/resize.js'

const golden = process.env.GOLDEN_DIR ?? fileURLToPath(new URL('../../../golden', import.meta.url))
const manifest = JSON.parse(readFileSync(`${golden}/manifest.json`, 'utf8')) as {
  cases: { name: string; kind: string; file: string }[]
}
const cases = manifest.cases.filter(({ kind }) => kind === 'resize')

interface PillowCase {
  readonly interpolation: Interpolation
  readonly height: number
  readonly width: number
  readonly pillow: readonly number[]
  /** Absent for the filters that only Pillow has. PyTorch's weights of bytes have 16 bits, Pillow's have 22. */
  readonly torch?: readonly number[]
  readonly float?: readonly number[]
}

const fixture = JSON.parse(
  readFileSync(new URL('./fixtures/resize.json', import.meta.url), 'utf8'),
) as { height: number; width: number; image: number[]; cases: PillowCase[] }
const source = { height: fixture.height, width: fixture.width }

const difference = (a: ArrayLike<number>, b: readonly number[]): number =>
  b.reduce((most, value, i) => Math.max(most, Math.abs(value - a[i]!)), 0)

describe.each(
  fixture.cases.map((c) => [`${c.interpolation} to ${c.height}x${c.width}`, c] as const),
)('%s', (_, { interpolation, pillow, torch, float, ...size }) => {
  it('equals PyTorch on bytes, and Pillow within one step', () => {
    const result = new Uint8Array(pillow.length)
    byteResize(source, size, interpolation)(Uint8Array.from(fixture.image), 0, result, 0)
    expect(difference(result, torch ?? pillow)).toBe(0)
    // If two inputs are at one distance, Pillow can take the other one as the nearest.
    if (interpolation !== 'nearest') expect(difference(result, pillow)).toBeLessThanOrEqual(1)
  })

  if (float)
    it('equals Pillow on floats', () => {
      const result = new Float32Array(pillow.length)
      planeResize(source, size, interpolation)(Float32Array.from(fixture.image), 0, result, 0)
      expect(difference(result, float)).toBeLessThan(2e-3)
    })
})

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
    const expected = Array.from(output.data as Float32Array)
    expect(difference(result, expected) / Math.max(...expected.map(Math.abs))).toBeLessThan(1e-6)
  })

  const side = fc.integer({ min: 1, max: 12 })
  const filter = fc.constantFrom(...interpolations)

  it('keeps a plane of the same size', () => {
    fc.assert(
      fc.property(side, side, filter, (height, width, interpolation) => {
        const plane = Float32Array.from({ length: height * width }, (_, i) => Math.sin(i))
        const result = new Float32Array(plane.length)
        planeResize({ height, width }, { height, width }, interpolation)(plane, 0, result, 0)
        result.forEach((value, i) => expect(value).toBeCloseTo(plane[i]!, 6))
      }),
    )
  })

  it('keeps a constant at any size, and writes no other place', () => {
    fc.assert(
      fc.property(side, side, side, side, filter, (height, width, toHeight, toWidth, name) => {
        const plane = new Float32Array(height * width).fill(0.75)
        const result = new Float32Array(toHeight * toWidth + 2).fill(-1)
        const resize = planeResize({ height, width }, { height: toHeight, width: toWidth }, name)
        resize(plane, 0, result, 1)
        expect([result[0], result.at(-1)]).toEqual([-1, -1])
        for (const value of result.subarray(1, -1)) expect(value).toBeCloseTo(0.75, 6)
      }),
    )
  })

  it('computes a part as it is in the whole', () => {
    fc.assert(
      fc.property(side, side, filter, fc.nat(), fc.nat(), (toHeight, toWidth, name, y, x) => {
        const to = { height: toHeight, width: toWidth }
        const [top, left] = [y % toHeight, x % toWidth]
        const part = { top, left, height: toHeight - top, width: toWidth - left }
        const image = Uint8Array.from(fixture.image)
        const whole = new Uint8Array(toHeight * toWidth)
        const cut = new Uint8Array(part.height * part.width)
        byteResize(source, to, name)(image, 0, whole, 0)
        byteResize(source, to, name, part)(image, 0, cut, 0)
        cut.forEach((value, i) => {
          const row = top + Math.floor(i / part.width)
          expect(value).toBe(whole[row * toWidth + left + (i % part.width)])
        })
      }),
    )
  })
})

describe('the middle of an image', () => {
  const plain: ModelInput = {
    channels: 1,
    height: 6,
    width: 6,
    mean: [0],
    std: [1 / 255],
    fit: 'resize',
  }
  const write = (input: ModelInput, from: { height: number; width: number }): number[] => {
    const pixels = Uint8Array.from({ length: from.height * from.width }, (_, i) => i + 1)
    const result = new Float32Array(input.height * input.width)
    createInputWriter({ channels: 1, ...from }, input)(pixels, 1, result)
    return Array.from(result, Math.round)
  }

  it('is cut out of an image whose shorter side was resized', () => {
    const input: ModelInput = { ...plain, interpolation: 'bicubic', shorterSide: 22 }
    const result = new Float32Array(36)
    createInputWriter({ channels: 1, ...source }, input)(Uint8Array.from(fixture.image), 1, result)
    const whole = fixture.cases.find((c) => c.interpolation === 'bicubic' && c.height === 22)!
    result.forEach((value, i) => {
      const [y, x] = [8 + Math.floor(i / 6), 14 + (i % 6)]
      expect(value).toBeCloseTo(whole.pillow[y * 34 + x]!, 3)
    })
  })

  it('is surrounded by black if the image is smaller, one more below and to the right', () => {
    const input: ModelInput = { ...plain, fit: 'crop', height: 4, width: 2 }
    expect(write(input, { height: 1, width: 4 })).toEqual([0, 0, 2, 3, 0, 0, 0, 0])
  })

  it('must be the whole image if nothing is to be cut', () => {
    const input: ModelInput = { ...plain, shorterSide: 6, uncropped: true }
    expect(() => write(input, { height: 4, width: 5 })).toThrow(
      'images of 4x5 become 6x7, the model takes 6x6',
    )
    expect(write(input, { height: 6, width: 6 })[35]).toBe(36)
  })

  it('has its first and last channel exchanged before the normalisation', () => {
    const input: ModelInput = {
      channels: 3,
      height: 1,
      width: 1,
      mean: [0, 0, 0],
      std: [1 / 255, 1 / 255, 0.1 / 255],
      fit: 'none',
      flippedChannels: true,
    }
    const result = new Float32Array(3)
    createInputWriter({ channels: 3, height: 1, width: 1 }, input)(
      Uint8Array.of(1, 2, 3),
      1,
      result,
    )
    expect(Array.from(result, Math.round)).toEqual([3, 2, 10])
  })
})

it('the nearest of two inputs at one distance is the one that PyTorch takes', () => {
  // 10.5 * 64 / 224 is 3 exactly. Pillow, which adds 64 / 224 up, arrives below: interpolate(mode="nearest-exact").
  const resize = byteResize({ height: 1, width: 64 }, { height: 1, width: 224 }, 'nearest')
  const result = new Uint8Array(224)
  resize(
    Uint8Array.from({ length: 64 }, (_, i) => i),
    0,
    result,
    0,
  )
  expect([...result.subarray(8, 13)]).toEqual([2, 2, 3, 3, 3])
})
