// Accuracy, accuracy of each class and the confusion matrix.
import { describe, expect, it } from 'vitest'

import { classification, formatConfusion } from '../src/training/classification.js'

describe('classification', () => {
  it('counts which classes are taken for which', () => {
    const got = classification([0, 0, 1, 2], [0, 1, 1, 0], 4)
    expect(got.confusion).toEqual([
      [1, 1, 0, 0],
      [0, 1, 0, 0],
      [1, 0, 0, 0],
      [0, 0, 0, 0],
    ])
    expect([got.accuracy, got.classAccuracy]).toEqual([0.5, [0.5, 1, 0, null]])
    expect(formatConfusion(got, ['a', 'b', 'c', 'd']).split('\n')[1]).toBe('a    1    1    0    0')
  })
})
