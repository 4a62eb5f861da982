// Compact stores of embeddings: what comes back is as near as the store promises, on any platform, and files whose parts do not fit
// together are refused.
import {
  formatSafetensors,
  hostTensor,
  parseSafetensors,
  Random,
  type HostTensor,
} from '@embed-kd/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { formatTensors } from '../src/embeddings/file.js'
import { principalComponents } from '../src/embeddings/principal-components.js'
import { ErrorMeter } from '../src/embeddings/store-error.js'
import { parseStore, rawBytes, type Store } from '../src/embeddings/store.js'
import { centroidsOf, readEmbeddings, sampleEmbeddings, writeEmbeddings } from '../src/index.js'

const width = 12
const random = new Random(1, 1)
/** Rows whose dimensions vary less and less, turned by a rotation of the first two. */
const rows = Array.from({ length: 60 }, () => {
  const row = Float32Array.from({ length: width }, (_, i) => random.normal() * 2 ** -i + 3)
  const [a, b] = [row[0]!, row[1]!]
  return row.map((value, i) => [0.6 * a - 0.8 * b, 0.8 * a + 0.6 * b][i] ?? value)
})
const labels = rows.map((_, i) => i % 3)
const samples = sampleEmbeddings(rows, labels)

const errorOf = (got: Float32Array) => {
  const meter = new ErrorMeter()
  meter.add(samples.vectors, got, width)
  return meter.result()!
}

describe('stores', () => {
  it.each<[Store, number, number]>([
    ['float32', 0, 4 * width],
    ['float16', 5e-4, 2 * width],
    ['int8', 0.01, width + 4],
    ['pca12', 0.01, 12 + 4],
    ['pca6', 0.02, 6 + 4],
    ['pca2', 0.2, 2 + 4],
    // With fewer rows than centres, each row is a centre.
    ['pq4', 0, 4],
    ['pq1', 0, 1],
  ])('%s comes back within a relative error of %d', async (store, most, bytesEach) => {
    const bytes = writeEmbeddings(samples, { teacher: 'mine' }, store)
    const whole = writeEmbeddings(
      {
        ...samples,
        vectors: samples.vectors.slice(0, 30 * width),
        labels: samples.labels!.slice(0, 30),
      },
      { teacher: 'mine' },
      store,
    )
    // Labels take four bytes; headers differ by a few digits.
    expect(Math.abs(bytes.length - whole.length - 30 * (bytesEach + 4))).toBeLessThanOrEqual(8)
    for (const source of [
      bytes,
      new Blob([bytes as Uint8Array<ArrayBuffer>]),
      new Response(bytes as Uint8Array<ArrayBuffer>),
    ]) {
      const got = await readEmbeddings(source)
      expect(got).toMatchObject({ kind: 'samples', width, labels: samples.labels })
      expect(errorOf(got.vectors).relative).toBeLessThanOrEqual(most)
      expect(errorOf(got.vectors).cosine).toBeGreaterThanOrEqual(1 - most ** 2)
    }
  })

  it('int8 is off by at most half a step of the row', async () => {
    const float = fc.float({
      noNaN: true,
      noDefaultInfinity: true,
      min: Math.fround(-1e6),
      max: Math.fround(1e6),
    })
    const row = fc.array(float, { minLength: 3, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 9 }), async (values) => {
        const given = sampleEmbeddings(
          values,
          values.map(() => 0),
        )
        const { vectors } = await readEmbeddings(writeEmbeddings(given, {}, 'int8'))
        values.forEach((one, i) => {
          const step = Math.max(...one.map(Math.abs)) / 127
          one.forEach((value, k) =>
            expect(Math.abs(value - vectors[3 * i + k]!)).toBeLessThanOrEqual(
              step * 0.5001 + 1e-44 * 127,
            ),
          )
        })
      }),
      { numRuns: 50 },
    )
  })

  it('keep centroids too, except those that must be fitted', async () => {
    const centroids = centroidsOf(rows, labels, { classNames: ['a', 'b', 'c'] })
    for (const store of ['float16', 'int8'] as const) {
      const got = await readEmbeddings(writeEmbeddings(centroids, {}, store))
      expect(got).toMatchObject({ kind: 'centroids', classes: 3, classNames: ['a', 'b', 'c'] })
      got.vectors.forEach((value, i) => expect(value).toBeCloseTo(centroids.vectors[i]!, 1))
    }
    expect(() => writeEmbeddings(centroids, {}, 'pca2')).toThrow('choose float16 or int8')
  })

  it('say which version reads them: the first read floats alone', () => {
    const formatOf = (store: Store) =>
      parseSafetensors(writeEmbeddings(samples, {}, store)).metadata['format']
    expect(['float32', 'float16', 'int8', 'pca2'].map((store) => formatOf(store as Store))).toEqual(
      ['embed-kd 1', 'embed-kd 1', 'embed-kd 2', 'embed-kd 2'],
    )
  })

  it('are refused if there are none of that name, or more components than dimensions', () => {
    for (const word of ['pca', 'pca0', 'pq', 'pq-1', 'int4', 'float32 ', 'pca1.5'])
      expect(() => parseStore(word)).toThrow('give float32, float16, int8, pcaN')
    expect(() => writeEmbeddings(samples, {}, 'pca13')).toThrow('choose at most pca12, or int8')
    expect(() => writeEmbeddings(samples, {}, 'pq5')).toThrow('choose a divisor of 12, such as pq4')
    expect(() => writeEmbeddings(samples, {}, 'pq24')).toThrow('choose at most pq12, or int8')
    const large = sampleEmbeddings([[1e5]], [0])
    expect(() => writeEmbeddings(large, {}, 'float16')).toThrow(
      'at most 65504 in size; choose the store float32',
    )
  })
})

describe('files whose parts do not fit', () => {
  const int8 = (shape: readonly number[]) => ({
    storage: 'I8' as const,
    shape,
    bytes: new Uint8Array(shape.reduce((a, b) => a * b, 1)),
  })
  const float = ({ shape, data }: HostTensor) => ({
    storage: 'F32' as const,
    shape,
    bytes: rawBytes(data),
  })
  const floats = (...shape: number[]) => float(hostTensor('float32', shape))
  it.each([
    [
      'integers without scales',
      { embeddings: int8([2, 3]) },
      'has 2 rows of integers, and no scales',
    ],
    ['too few scales', { embeddings: int8([2, 3]), scales: floats(1) }, 'and 1 scales'],
    [
      'floats with scales',
      { embeddings: floats(2, 3), scales: floats(2) },
      'has scales, but its tensor embeddings is float32',
    ],
    ['coefficients alone', { coefficients: floats(2, 3) }, 'without a mean [width] and a basis'],
    [
      'a basis of another width',
      { coefficients: floats(2, 3), basis: floats(3, 4), mean: floats(5) },
      'that fit',
    ],
    ['codes without codebooks', { codes: int8([2, 3]) }, 'without codebooks [3, 256, width'],
    ['codebooks of other parts', { codes: int8([2, 3]), codebooks: floats(2, 256, 1) }, 'that fit'],
    [
      'a basis of other components',
      { coefficients: floats(2, 3), basis: floats(2, 4), mean: floats(4) },
      'has 3 coefficients a row, but 2 directions',
    ],
  ])('are refused: %s', async (_, tensors, message) => {
    const bytes = formatTensors(new Map(Object.entries(tensors)), {})
    await expect(readEmbeddings(bytes, 'f')).rejects.toThrow(message)
  })

  it('are refused if a scale is not finite', async () => {
    const tensors = { embeddings: int8([1, 3]), scales: float(hostTensor('float32', [1], [NaN])) }
    await expect(
      readEmbeddings(formatTensors(new Map(Object.entries(tensors)), {})),
    ).rejects.toThrow('finite floats')
  })

  it('are refused if rows are a part of the split', async () => {
    const bytes = formatSafetensors(new Map([['embeddings', hostTensor('float32', [1, 1])]]), {
      first_image: '4',
    })
    await expect(readEmbeddings(bytes)).rejects.toThrow('embeddings of the images from 4 on')
  })
})

describe('product quantisation', () => {
  it('takes the nearest centre of each part, and more parts are nearer', async () => {
    const [count, width] = [700, 4]
    const vectors = Float32Array.from({ length: count * width }, () => random.normal())
    const given = sampleEmbeddings(vectors, new Int32Array(count))
    const errors = []
    for (const parts of [1, 2, 4]) {
      const bytes = writeEmbeddings(given, {}, `pq${parts}`)
      const { tensors } = parseSafetensors(bytes)
      const [codes, books] = [tensors.get('codes')!.data, tensors.get('codebooks')!]
      const each = width / parts
      const { vectors: got } = await readEmbeddings(bytes)
      const distance = (at: number, centre: number) =>
        Math.hypot(
          ...Array.from({ length: each }, (_, k) => vectors[at + k]! - books.data[centre + k]!),
        )
      for (let i = 0; i < 40; i++) {
        const centres = Array.from({ length: 256 }, (_, c) => ((i % parts) * 256 + c) * each)
        const nearest = Math.min(...centres.map((centre) => distance(i * each, centre)))
        expect(distance(i * each, centres[codes[i]!]!)).toBeCloseTo(nearest, 5)
        expect(got[i * each]).toBe(books.data[centres[codes[i]!]!])
      }
      const meter = new ErrorMeter()
      meter.add(vectors, got, width)
      errors.push(meter.result()!.relative)
    }
    expect(errors).toEqual(errors.toSorted((a, b) => b - a))
    expect(errors[2]).toBeLessThan(0.02)
  })
})

describe('principal components', () => {
  it('are orthonormal, hold the most variance first, and come with the mean', () => {
    const { mean, basis } = principalComponents(samples.vectors, width, 4)
    const direction = (k: number) => basis.subarray(k * width, (k + 1) * width)
    const dot = (a: Float32Array, b: Float32Array) =>
      a.reduce((sum, value, i) => sum + value * b[i]!, 0)
    for (let a = 0; a < 4; a++)
      for (let b = 0; b < 4; b++)
        expect(dot(direction(a), direction(b))).toBeCloseTo(Number(a === b), 5)
    rows[0]!.forEach((_, i) =>
      expect(mean[i]).toBeCloseTo(rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length, 4),
    )
    const variances = [0, 1, 2, 3].map((k) =>
      rows.reduce(
        (sum, row) =>
          sum +
          dot(
            row.map((value, i) => value - mean[i]!),
            direction(k),
          ) **
            2,
        0,
      ),
    )
    expect(variances).toEqual(variances.toSorted((a, b) => b - a))
  })

  it('of rows that vary in fewer directions are completed', () => {
    const line = Float32Array.from({ length: 40 }, (_, i) => (i % 4 === 1 ? i : 1))
    const { basis } = principalComponents(line, 4, 3)
    expect([...basis.subarray(0, 4)].map(Math.abs)).toEqual([0, 1, 0, 0])
    for (let k = 0; k < 3; k++)
      expect(Math.hypot(...basis.subarray(4 * k, 4 * k + 4))).toBeCloseTo(1, 5)
  })
})
