// The generator against its authors' algorithm, and the properties that users of it rely on.

import { describe, expect, it } from 'vitest'

import { Random, xoshiro128StarStar } from '../src/tensor/random.js'

describe('xoshiro128**', () => {
  it('gives the published sequence of the state 1, 2, 3, 4', () => {
    const state = Uint32Array.of(1, 2, 3, 4)
    expect(Array.from({ length: 10 }, () => xoshiro128StarStar(state))).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597,
      4258142804,
    ])
  })
})

const first = (...keys: [number, ...number[]]) => {
  const random = new Random(...keys)
  return Array.from({ length: 4 }, () => random.bits())
}

describe('Random', () => {
  it('repeats a sequence from its keys, and has another for any other keys', () => {
    expect(first(7, 3, 1)).toEqual(first(7, 3, 1))
    const keys: [number, ...number[]][] = [[0], [1], [0, 0], [0, 1], [1, 0], [2 ** 32], [0, 0, 0]]
    expect(new Set(keys.map((k) => first(...k).join())).size).toBe(keys.length)
  })

  it('starts unrelated sequences for neighbouring streams', () => {
    let ones = 0
    for (let index = 0; index < 1000; index++) {
      let difference = new Random(1, index).bits() ^ new Random(1, index + 1).bits()
      for (; difference; difference &= difference - 1) ones++
    }
    expect(ones / 32_000).toBeCloseTo(0.5, 1)
  })

  it.each([-1, 0.5, NaN, 2 ** 53])('refuses the seed %s', (seed) => {
    expect(() => new Random(seed)).toThrow(/whole number from 0/)
  })

  it('draws uniforms in [0, 1) that float32 holds exactly', () => {
    const random = new Random(2)
    let sum = 0
    for (let i = 0; i < 10_000; i++) {
      const u = random.uniform()
      expect(u >= 0 && u < 1 && Math.fround(u) === u).toBe(true)
      sum += u
    }
    expect(Math.abs(sum / 10_000 - 0.5)).toBeLessThan(0.01)
  })

  it('draws normals of mean 0 and variance 1', () => {
    const random = new Random(3)
    const draws = Array.from({ length: 20_000 }, () => random.normal())
    const mean = draws.reduce((a, b) => a + b) / draws.length
    const variance = draws.reduce((a, b) => a + (b - mean) ** 2, 0) / draws.length
    const withinOne = draws.filter((x) => Math.abs(x) < 1).length / draws.length
    expect(Math.abs(mean)).toBeLessThan(0.03)
    expect(Math.abs(variance - 1)).toBeLessThan(0.05)
    expect(Math.abs(withinOne - 0.6827)).toBeLessThan(0.015)
  })

  it('draws whole numbers evenly', () => {
    const random = new Random(4)
    const counts = [0, 0, 0, 0, 0, 0]
    for (let i = 0; i < 60_000; i++) counts[random.int(6)]!++
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400)
    expect(random.int(1)).toBe(0)
    expect(random.int(2 ** 32)).toBeLessThan(2 ** 32)
  })

  it.each([0, -1, 1.5, 2 ** 32 + 1, NaN])('refuses int(%s)', (n) => {
    expect(() => new Random(1).int(n)).toThrow(/1 to 2\^32/)
  })

  it('shuffles: every order of three comes equally often', () => {
    const counts = new Map<string, number>()
    const random = new Random(5)
    for (let i = 0; i < 6000; i++) {
      const order = random.shuffle(Int32Array.of(0, 1, 2)).join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(6)
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })
})
