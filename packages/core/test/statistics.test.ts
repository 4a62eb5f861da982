// What methods compute of all embeddings before training, against PyTorch: standardisation and clusters.
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { goldenCases, relativeError, type GoldenEntry } from '@embed-kd/conformance/golden'

import { hadamard } from '../src/distill/hadamard.js'
import { meanDirections, sphericalKMeans } from '../src/distill/clusters.js'
import { symmetricEigen } from '../src/distill/eigen.js'
import { standardisation } from '../src/distill/phi-s.js'
import { Random } from '../src/index.js'

const floats = (count: number, seed: number): Float64Array => {
  const random = new Random(seed)
  return Float64Array.from({ length: count }, () => random.normal())
}

/** Covariance of rows after standardisation. */
function covarianceOf(rows: Float32Array, width: number): Float64Array {
  const { mean, rotation } = standardisation(rows, width)
  const count = rows.length / width
  const out = new Float64Array(width * width)
  for (let row = 0; row < count; row++) {
    const turned = Array.from({ length: width }, (_, i) => {
      let sum = 0
      for (let d = 0; d < width; d++)
        sum += rotation[i * width + d]! * (rows[row * width + d]! - mean[d]!)
      return sum
    })
    for (let i = 0; i < width; i++)
      for (let j = 0; j < width; j++) out[i * width + j]! += (turned[i]! * turned[j]!) / count
  }
  return out
}

describe('Hadamard matrices', () => {
  test.each([1, 2, 4, 8, 12, 20, 28, 36, 64, 96, 192, 384, 512, 640, 768, 896, 1024, 1152, 1408])(
    'have orthogonal rows of ±1 at size %i',
    (size) => {
      const matrix = hadamard(size)!
      expect(matrix.every((entry) => Math.abs(entry) === 1)).toBe(true)
      for (const [i, j] of [
        [0, size - 1],
        [size >> 1, size >> 2],
        [1 % size, size - 1],
      ] as const) {
        let product = 0
        for (let k = 0; k < size; k++) product += matrix[i * size + k]! * matrix[j * size + k]!
        expect(product).toBe(i === j ? size : 0)
      }
    },
  )

  test.each([3, 6, 10, 100 + 1])('are not there for size %i', (size) => {
    expect(hadamard(size)).toBeUndefined()
  })
})

it('finds eigenvalues and eigenvectors of symmetric matrices', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 24 }), fc.nat(), fc.boolean(), (n, seed, low) => {
      const factors = floats(n * n, seed)
      const rank = low ? Math.ceil(n / 3) : n
      const matrix = Float64Array.from({ length: n * n }, (_, at) => {
        let sum = 0
        for (let k = 0; k < rank; k++)
          sum += factors[Math.floor(at / n) * n + k]! * factors[(at % n) * n + k]!
        return sum
      })
      const { values, vectors } = symmetricEigen(matrix, n)
      const scale = Math.max(...values, 1)
      for (let i = 0; i < n; i++) {
        expect(i === 0 || values[i - 1]! >= values[i]!).toBe(true)
        for (let row = 0; row < n; row++) {
          let [image, product] = [0, 0]
          for (let k = 0; k < n; k++) {
            image += matrix[row * n + k]! * vectors[i * n + k]!
            product += vectors[row * n + k]! * vectors[i * n + k]!
          }
          expect(Math.abs(image - values[i]! * vectors[i * n + row]!)).toBeLessThan(1e-10 * scale)
          expect(Math.abs(product - (row === i ? 1 : 0))).toBeLessThan(1e-10)
        }
      }
    }),
    { numRuns: 40 },
  )
})

describe('PHI-S', () => {
  const [golden] = goldenCases<GoldenEntry & { width: number }>('phi-s')
  const embeddings = golden!.tensor('embeddings').data as Float32Array

  it('gives embeddings the covariance that PyTorch computes', () => {
    const covariance = covarianceOf(embeddings, 12)
    const error = relativeError([...covariance], golden!.tensor('covariance').data)
    expect(error).toBeLessThan(1e-5)
    const { mean } = standardisation(embeddings, 12)
    expect(relativeError(mean, golden!.tensor('mean').data)).toBeLessThan(1e-5)
  })

  it('gives every coordinate the variance 1, with a Hadamard matrix of that size or without', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(), (width, seed) => {
        const rows = Float32Array.from(floats(50 * width, seed), (x, i) => x * (1 + (i % width)))
        const covariance = covarianceOf(rows, width)
        for (let d = 0; d < width; d++) expect(covariance[d * width + d]).toBeCloseTo(1, 4)
      }),
      { numRuns: 30 },
    )
  })

  it('refuses embeddings that do not vary', () => {
    expect(() => standardisation(new Float32Array(30).fill(2), 3)).toThrow(
      'the 10 embeddings do not vary; give embeddings of different images',
    )
  })
})

describe('spherical k-means', () => {
  const [golden] = goldenCases<GoldenEntry & Record<'width' | 'clusters' | 'rounds', number>>(
    'clusters',
  )
  const { width, clusters, rounds } = golden!.entry
  const embeddings = golden!.tensor('embeddings').data as Float32Array

  it('moves centres as PyTorch does', () => {
    const rows = Array.from({ length: embeddings.length / width }, (_, i) => {
      const row = Float64Array.from(embeddings.subarray(i * width, (i + 1) * width))
      const length = Math.hypot(...row)
      return row.map((value) => value / length)
    })
    let centres: readonly Float64Array[] = rows.slice(0, clusters)
    for (let round = 0; round < rounds; round++) {
      const nearest = rows.map((row) => {
        const scores = centres.map((centre) => centre.reduce((s, c, d) => s + c * row[d]!, 0))
        return scores.indexOf(Math.max(...scores))
      })
      centres = meanDirections(rows, nearest, centres)
    }
    const found = centres.flatMap((centre) => [...centre])
    expect(relativeError(found, golden!.tensor('centres').data)).toBeLessThan(1e-5)
  })

  it('finds clusters that are far apart, whatever the seed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 6 }), fc.nat(), (k, seed) => {
        const noise = floats(20 * k * 8, seed)
        const rows = Float32Array.from(noise, (x, at) => {
          const [row, d] = [Math.floor(at / 8), at % 8]
          return 0.02 * x + (d === row % k ? 3 : 0)
        })
        const centres = sphericalKMeans(rows, 8, k, new Random(seed))
        const axes = Array.from({ length: k }, (_, c) => {
          const centre = centres.subarray(c * 8, (c + 1) * 8)
          return centre.indexOf(Math.max(...centre))
        })
        expect(new Set(axes).size).toBe(k)
      }),
      { numRuns: 20 },
    )
  })

  it('refuses fewer embeddings than clusters', () => {
    expect(() => sphericalKMeans(embeddings, width, 61, new Random(0))).toThrow(
      '60 embeddings do not make up 61 clusters; give embeddings of at least 61 images',
    )
  })
})
