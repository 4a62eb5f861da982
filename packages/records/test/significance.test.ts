// Tests and tails against values of SciPy 1.16 (stats.binom, stats.t, stats.norm), and textbook cases.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  holm,
  mcnemar,
  normalTail,
  quadratureP,
  quantileOf,
  studentTail,
} from '../src/analysis/significance.js'

test.each([
  [9, 1, 0.01171875],
  [59, 6, 2.7258031986e-12],
  [25, 15, 0.1172752059574],
  [300, 251, 0.0369210846964],
  [2000, 1800, 0.0011758283821],
  [0, 5, 0.03125],
  // Equal counts: 1 less half the probability of the counts themselves (Fagerland and others 2013).
  [10, 10, 1 - 0.176197052002 / 2],
  [0, 0, 1],
])('the mid-p value of McNemar with %i against %i images is %d', (gained, lost, p) => {
  expect(mcnemar(gained, lost) / p).toBeCloseTo(1, 8)
  expect(mcnemar(lost, gained)).toBe(mcnemar(gained, lost))
})

test.each([
  [12.7062, 1, 0.0500000185607],
  [4.302653, 2, 0.0499999941822],
  [1, 3, 0.3910022189558],
  [2.5, 4, 0.066766544812],
  [2.2281389, 10, 0.0499999959299],
  [3, 29, 0.0054991921339],
])("Student's t beyond %d with %i degrees of freedom has probability %d", (t, degrees, p) => {
  expect(studentTail(t, degrees)).toBeCloseTo(p, 10)
  expect(quantileOf((value) => studentTail(value, degrees), p)).toBeCloseTo(t, 5)
})

test.each([
  [0.1, 0.920344325446],
  [1.959964, 0.0499999981929],
  [2.9, 0.0037316266008],
  [3.1, 0.0019352064264],
  [5, 5.733031437584e-7],
  [8, 1.244192114855e-15],
])('a normal beyond %d has probability %d', (z, p) => {
  expect(normalTail(z) / p).toBeCloseTo(1, 8)
})

test.each([
  [0.02, 0.004, 2, 0.003, 0.0414081082803],
  [0.01, 0.004, 4, 0.001, 0.0697994280633],
  [-0.05, 0.004, 4, 0.003, 0.000259447386249],
  [0.001, 0.01, 1, 0.01, 0.950311360975],
])(
  'an interval around %d of errors %d (%i degrees) and %d reaches 0 at the level %d',
  (mean, error, degrees, normalError, p) => {
    expect(quadratureP(mean, { error, degrees }, normalError) / p).toBeCloseTo(1, 6)
  },
)

test('one error alone gives the p-value of its own distribution', () => {
  expect(quadratureP(2.5, { error: 1, degrees: 4 }, 0)).toBeCloseTo(studentTail(2.5, 4), 12)
  expect(quadratureP(2.5, { error: 0, degrees: 4 }, 1)).toBeCloseTo(normalTail(2.5), 12)
  expect(quadratureP(0, { error: 1, degrees: 4 }, 1)).toBe(1)
})

test('Holm multiplies the smallest value most, and never turns the order', () => {
  // Textbook case: Holm (1979) with four hypotheses.
  expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02])
  expect(holm([])).toEqual([])
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true })), (values) => {
      const corrected = holm(values)
      for (const [at, value] of values.entries()) {
        expect(corrected[at]).toBeGreaterThanOrEqual(value)
        expect(corrected[at]).toBeLessThanOrEqual(Math.min(1, value * values.length))
      }
    }),
  )
})
