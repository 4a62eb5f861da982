// The file and the row that hold the embedding of an image and view.
import { Random } from '@embed-kd/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { placesInRanges, placesInTable } from '../src/node/embeddings/row-places.js'

describe('places of rows', () => {
  it('are found by arithmetic as by a table, in any order of the files', () => {
    const parts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 3 }), fc.nat(), (sizes, views, seed) => {
        const total = sizes.reduce((sum, size) => sum + size, 0)
        const firsts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0))
        const order = new Random(seed, 1).shuffle(Int32Array.from(sizes.keys()))
        const ranges = Array.from(order, (i) => ({
          path: `${i}`,
          first: firsts[i]!,
          images: sizes[i]!,
        }))
        const listed = ranges.map(({ path, first, images: size }) => ({
          path,
          indices: Int32Array.from({ length: 2 * size * views }, (_, i) =>
            i % 2 === 0 ? first + ((i / 2) % size) : Math.floor(i / 2 / size),
          ),
        }))
        const [one, other] = [
          placesInRanges(ranges),
          placesInTable(listed, { images: total, views }),
        ]
        for (let image = -1; image <= total; image++)
          for (let view = 0; view < views; view++)
            expect(one.find(image, view)).toEqual(other.find(image, view))
        for (const count of [1, 3, 100]) expect(one.spread(count)).toEqual(other.spread(count))
      }),
    )
  })

  it('are refused if two files have the same image', () => {
    const range = { path: 'a', first: 0, images: 3 }
    expect(() => placesInRanges([{ ...range, path: 'b', first: 2 }, range])).toThrow(
      'a and b both have image 2',
    )
  })
})
