// The error of a paired difference over images and seeds, against a bootstrap and by its coverage in simulation.
import { describe, expect, test } from 'vitest'
import { imageError, type PairedResults, testSeeds } from '../src/analysis/paired-images.js'
import { pairedDifference } from '../src/analysis/statistics.js'
import { normals, uniforms } from './random.js'

interface World {
  readonly seeds: number
  readonly images: number
  /** Spread of images, of seeds, and of what is left, in units of the decision's noise. */
  readonly image: number
  readonly seed: number
  readonly rest: number
}

/** Two classifiers that are equally good in truth: each image is right if its score is above 0. */
function simulate({ seeds, images, image, seed, rest }: World, normal: () => number) {
  const easiness = Array.from({ length: images }, () => 1.2 + 1.5 * normal())
  const side = () => {
    const own = easiness.map((value) => value + image * normal())
    return Array.from({ length: seeds }, () => {
      const shift = seed * normal()
      return Uint8Array.from(own, (value) => Number(value + shift + rest * normal() > 0))
    })
  }
  const [first, second] = [side(), side()]
  return first.map((bits, at): PairedResults => ({ seed: at, first: bits, second: second[at]! }))
}

const shareOf = (bits: Uint8Array) => bits.reduce((sum, bit) => sum + bit, 0) / bits.length
const differenceOf = (results: readonly PairedResults[]) =>
  pairedDifference(
    results.map(({ first, second }) => ({
      numerator: shareOf(first),
      denominator: shareOf(second),
    })),
    imageError(results),
  )!

test('a seed is tested on the images that one side alone got right', () => {
  const first = Uint8Array.from([1, 1, 1, 1, 1, 0, 0, 1])
  const second = Uint8Array.from([1, 0, 0, 0, 0, 1, 0, 1])
  expect(testSeeds([{ seed: 3, first, second }])).toEqual([
    { seed: 3, gained: 4, lost: 1, p: 0.21875 },
  ])
})

test('one seed has the error of a paired difference of proportions', () => {
  // 40 and 20 discordant of 1,000 images: Wald's error of the difference is 0.00772 (by hand).
  const first = Uint8Array.from({ length: 1000 }, (_, at) => Number(at < 740))
  const second = Uint8Array.from({ length: 1000 }, (_, at) => Number(at >= 40 && at < 760))
  expect(imageError([{ seed: 0, first, second }])).toBeCloseTo(0.00772, 3)
})

test('equal sides have no error over several seeds', () => {
  const bits = Uint8Array.from([1, 0, 1, 1])
  const results = [0, 1, 2].map((seed) => ({ seed, first: bits, second: bits }))
  expect(imageError(results)).toBe(0)
})

test('the error of seeds and images together is that of a bootstrap over both', () => {
  const normal = normals(5)
  const uniform = uniforms(6)
  const world = { seeds: 12, images: 400, image: 0.6, seed: 0.1, rest: 0.4 }
  const results = simulate(world, normal)
  const differences = results.map(({ first, second }) =>
    Int8Array.from(first, (bit, at) => bit - second[at]!),
  )
  const draw = (below: number) => Math.floor(uniform() * below)
  const means = Array.from({ length: 600 }, () => {
    const images = Uint16Array.from({ length: world.images }, () => draw(world.images))
    let sum = 0
    for (let at = 0; at < world.seeds; at++) {
      const row = differences[draw(world.seeds)]!
      for (const image of images) sum += row[image]!
    }
    return sum / (world.seeds * world.images)
  })
  const spread = spreadOf(means)
  const bySeed = spreadOf(differences.map((row) => row.reduce((sum, x) => sum + x, 0) / row.length))
  const error = Math.hypot(bySeed / Math.sqrt(world.seeds), imageError(results))
  // The bootstrap counts what images and seeds leave over more than once, and so may be a little wider.
  expect(spread / error).toBeGreaterThan(0.9)
  expect(spread / error).toBeLessThan(1.3)
})

function spreadOf(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(squares / (values.length - 1))
}

describe('intervals of a difference cover the truth at least 95 times in a hundred', () => {
  test.each<World>([
    { seeds: 1, images: 400, image: 0.5, seed: 0, rest: 0 },
    { seeds: 2, images: 400, image: 0.3, seed: 0.05, rest: 0.5 },
    { seeds: 3, images: 400, image: 0, seed: 0.1, rest: 1 },
    { seeds: 5, images: 400, image: 0.6, seed: 0.02, rest: 0.2 },
  ])('$seeds seeds, spread of images $image, of seeds $seed', (world) => {
    const normal = normals(world.seeds)
    const trials = 400
    let covered = 0
    for (let trial = 0; trial < trials; trial++) {
      const [low, high] = differenceOf(simulate(world, normal)).interval!
      if (low <= 0 && 0 <= high) covered += 1
    }
    // Three standard errors of the simulation below 95 %.
    expect(covered / trials).toBeGreaterThan(0.95 - 3 * Math.sqrt((0.95 * 0.05) / trials))
  })
})
