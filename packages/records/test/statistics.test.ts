// The report's statistics against known values, and their coverage by simulation.
import { describe, expect, test } from 'vitest'
import {
  binomialError,
  median,
  pairedDifference,
  pairedRatio,
  summarize,
  tQuantile,
} from '../src/analysis/statistics.js'
import { normals } from './random.js'

describe('means over runs', () => {
  test("carry Student's t interval", () => {
    // Textbook case: n = 5, mean 10, standard deviation sqrt(2.5), t = 2.776.
    const { mean, n, interval } = summarize([8, 9, 10, 11, 12])!
    expect({ mean, n }).toEqual({ mean: 10, n: 5 })
    expect(interval![0]).toBeCloseTo(10 - 2.776 * Math.sqrt(2.5 / 5), 3)
    expect(interval![1]).toBeCloseTo(10 + 2.776 * Math.sqrt(2.5 / 5), 3)
  })

  test('of one run have no interval, of none do not exist', () => {
    expect(summarize([3])).toEqual({ mean: 3, n: 1 })
    expect(summarize([])).toBeUndefined()
  })

  test('use quantiles that agree with the tables', () => {
    const table = [
      [1, 12.706],
      [10, 2.228],
      [11, 2.201],
      [20, 2.086],
      [30, 2.042],
      [120, 1.98],
    ] as const
    for (const [degrees, quantile] of table) expect(tQuantile(degrees)).toBeCloseTo(quantile, 2)
  })
})

describe('ratios of paired runs', () => {
  test('are geometric means, and turning the pairs over turns the interval over', () => {
    const pairs = [
      { numerator: 2, denominator: 1 },
      { numerator: 8, denominator: 1 },
    ]
    const ratio = pairedRatio(pairs)!
    const turned = pairedRatio(
      pairs.map(({ numerator, denominator }) => ({
        numerator: denominator,
        denominator: numerator,
      })),
    )!
    expect(ratio).toMatchObject({ n: 2, over: 'runs' })
    expect(ratio.value).toBeCloseTo(4)
    expect(turned.value).toBeCloseTo(1 / 4)
    expect(turned.interval![0]).toBeCloseTo(1 / ratio.interval![1])
  })

  test('of one pair take their interval from the steps of both runs, or have none', () => {
    expect(pairedRatio([{ numerator: 4, denominator: 2 }])).toEqual({
      value: 2,
      numerator: 4,
      denominator: 2,
      n: 1,
    })
    const ratio = pairedRatio([
      {
        numerator: 4,
        denominator: 2,
        numeratorInterval: [4 / 1.1, 4 * 1.1],
        denominatorInterval: [2 / 1.1, 2 * 1.1],
      },
    ])!
    expect(ratio.over).toBe('steps')
    const factor = Math.exp(Math.SQRT2 * Math.log(1.1))
    expect(ratio.interval![0]).toBeCloseTo(2 / factor)
    expect(ratio.interval![1]).toBeCloseTo(2 * factor)
  })

  test('leave out what has no logarithm', () => {
    expect(pairedRatio([{ numerator: 0, denominator: 1 }])).toBeUndefined()
  })

  test('cover the truth 95 times in a hundred with three pairs', () => {
    const normal = normals(1)
    const trials = 4000
    let covered = 0
    for (let trial = 0; trial < trials; trial++) {
      const pairs = Array.from({ length: 3 }, () => ({
        numerator: 5 * Math.exp(0.1 * normal()),
        denominator: Math.exp(0.1 * normal()),
      }))
      const [low, high] = pairedRatio(pairs)!.interval!
      if (low <= 5 && 5 <= high) covered += 1
    }
    expect(covered / trials).toBeGreaterThan(0.935)
    expect(covered / trials).toBeLessThan(0.965)
  })
})

describe('differences of accuracies', () => {
  test('add the sampling of the test images to the spread of the seeds', () => {
    const pairs = [
      { numerator: 0.92, denominator: 0.9 },
      { numerator: 0.91, denominator: 0.91 },
    ]
    const alone = pairedDifference(pairs)!
    expect(alone).toMatchObject({ n: 2, over: 'runs' })
    expect(alone.value).toBeCloseTo(0.01)
    const sampled = pairedDifference(pairs, 0.05)!
    expect(sampled.over).toBe('runs and images')
    const half = ({ interval }: typeof alone) => (interval![1] - interval![0]) / 2
    expect(half(sampled)).toBeCloseTo(Math.hypot(half(alone), 1.96 * 0.05), 3)
    expect(pairedDifference(pairs.slice(1), 0.05)).toMatchObject({ n: 1, over: 'images' })
    expect(pairedDifference(pairs.slice(1))!.interval).toBeUndefined()
  })

  test('have a binomial error that does not vanish at 100 %', () => {
    expect(binomialError(0.97, 10_000)).toBeCloseTo(Math.sqrt((0.97 * 0.03) / 10_000), 4)
    expect(binomialError(1, 100)).toBeGreaterThan(0.01)
  })
})

test('the median of an even count lies between the middle two', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([3, 1, 2])).toBe(2)
})
