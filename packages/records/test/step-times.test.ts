// Statistics of step times: quantiles and the bootstrap interval of the median.
import { Random } from '@embed-kd/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { median } from '../src/analysis/statistics.js'
import { medianInterval95, quantile } from '../src/step-times.js'

describe('quantiles', () => {
  it('are those of numpy.quantile', () => {
    const samples = [7, 1, 3, 10]
    expect([0, 0.25, 0.5, 0.75, 1].map((q) => quantile(samples, q))).toEqual([1, 2.5, 5, 7.75, 10])
    expect(median([4])).toBe(4)
  })

  it('lie between the least and the greatest sample and rise with q', () => {
    const samples = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 })
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const value = quantile(values, q)
        expect(value).toBeGreaterThanOrEqual(Math.min(...values))
        expect(value).toBeLessThanOrEqual(Math.max(...values))
        expect(quantile(values, Math.min(q + 0.1, 1))).toBeGreaterThanOrEqual(value)
      }),
    )
  })

  it('need a sample', () => {
    expect(() => quantile([], 0.5)).toThrow('at least one sample')
  })
})

describe('the bootstrap interval of the median', () => {
  it('is the same at each call, and contains the median', () => {
    const samples = [3, 1, 4, 1, 5, 9, 2, 6]
    const [low, high] = medianInterval95(samples)
    expect(medianInterval95(samples)).toEqual([low, high])
    expect(low).toBeLessThanOrEqual(median(samples))
    expect(high).toBeGreaterThanOrEqual(median(samples))
    expect(medianInterval95([2])).toEqual([2, 2])
  })

  it('contains the true median of a normal distribution about 95 times of 100', () => {
    const random = new Random(1)
    const runs = 200
    let covered = 0
    for (let run = 0; run < runs; run++) {
      const [low, high] = medianInterval95(Array.from({ length: 25 }, () => random.normal()))
      if (low <= 0 && high >= 0) covered++
    }
    expect(covered / runs).toBeGreaterThan(0.9)
    expect(covered / runs).toBeLessThan(0.99)
  })
})
