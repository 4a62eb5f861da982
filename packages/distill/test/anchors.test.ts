// Controls of methods that learn from centroids.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { anchorControls, controlAnchors, type Centroids } from '../src/index.js'

const width = 24
const anyCentroids: fc.Arbitrary<Centroids> = fc
  .record({ classes: fc.integer({ min: 2, max: 8 }), prototypes: fc.integer({ min: 1, max: 3 }) })
  .chain(({ classes, prototypes }) =>
    fc
      .array(fc.float({ min: -3, max: 3, noNaN: true }), {
        minLength: classes * prototypes * width,
        maxLength: classes * prototypes * width,
      })
      .map((values) => ({
        kind: 'centroids' as const,
        vectors: Float32Array.from(values, (value, i) => value + (i % width === 0 ? 4 : 0)),
        width,
        classes,
        prototypes,
      })),
  )

const rowsOf = ({ vectors }: Centroids, size = width): number[][] =>
  Array.from({ length: vectors.length / size }, (_, row) =>
    Array.from(vectors.subarray(row * size, (row + 1) * size)),
  )
const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0)

describe('anchors in place of centroids', () => {
  it('shuffled: each class has all centroids of another, and each is given once', () => {
    fc.assert(
      fc.property(anyCentroids, fc.nat(), (centroids, seed) => {
        const size = centroids.prototypes * width
        const before = rowsOf(centroids, size)
        const after = rowsOf(controlAnchors(centroids, 'shuffled', seed), size)
        const same = after.filter((row, label) => row.join() === before[label]!.join())
        // Equal centroids of two classes cannot be told apart.
        if (new Set(before.map(String)).size === before.length) expect(same).toEqual([])
        expect(after.map(String).sort()).toEqual(before.map(String).sort())
      }),
    )
  })

  it.each(['orthogonal', 'one-hot'] as const)(
    '%s: at right angles, of the mean length of the centroids',
    (control) => {
      fc.assert(
        fc.property(anyCentroids, fc.nat(), (centroids, seed) => {
          const lengths = rowsOf(centroids).map((row) => Math.sqrt(dot(row, row)))
          const length = lengths.reduce((sum, value) => sum + value, 0) / lengths.length
          const rows = rowsOf(controlAnchors(centroids, control, seed))
          expect(rows).toHaveLength(lengths.length)
          rows.forEach((row, i) =>
            rows.slice(0, i + 1).forEach((other, j) => {
              expect(dot(row, other) / length ** 2).toBeCloseTo(i === j ? 1 : 0, 5)
            }),
          )
        }),
      )
    },
  )

  it.each(anchorControls)('%s: the same for one seed', (control) => {
    const [centroids] = fc.sample(anyCentroids, { numRuns: 1, seed: 3 })
    const vectors = (seed: number) => controlAnchors(centroids!, control, seed).vectors
    expect(vectors(7)).toEqual(vectors(7))
    const differs = new Set([0, 1, 2, 3, 4].map((seed) => vectors(seed).join())).size > 1
    expect(differs).toBe(control !== 'one-hot' && centroids!.classes > 2)
  })

  it('do not fit into fewer dimensions than there are', () => {
    const centroids = { kind: 'centroids', width: 2, classes: 3, prototypes: 1 } as const
    const vectors = Float32Array.of(1, 0, 0, 1, 1, 1)
    expect(() => controlAnchors({ ...centroids, vectors }, 'orthogonal', 0)).toThrow(
      '3 orthogonal anchors do not fit into embeddings of width 2; choose fewer prototypes, or shuffled anchors',
    )
    expect(controlAnchors({ ...centroids, vectors }, 'shuffled', 0).vectors).toHaveLength(6)
  })
})
