// Files of embeddings from plain arrays: what is written is read again, from bytes, blobs and responses, and so are the files that
// a program in another language writes.
import { formatSafetensors, hostTensor, type HostTensor } from '@embed-kd/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import {
  centroidsOf,
  readCentroids,
  readEmbeddings,
  sampleEmbeddings,
  writeEmbeddings,
} from '../src/index.js'

const file = (tensors: Record<string, HostTensor>, metadata: Record<string, string> = {}) =>
  formatSafetensors(new Map(Object.entries(tensors)), metadata)
const matrix = (rows: number, width: number, data?: number[]) =>
  hostTensor('float32', [rows, width], data)

describe('files of embeddings', () => {
  it('hold what was written, whatever they are read from', async () => {
    const floats = fc.float({ noNaN: true, noDefaultInfinity: true })
    await fc.assert(
      fc.asyncProperty(
        fc
          .integer({ min: 1, max: 5 })
          .chain((width) =>
            fc.array(fc.array(floats, { minLength: width, maxLength: width }), { minLength: 3 }),
          ),
        async (rows) => {
          const labels = rows.map((_, i) => i % 3)
          const samples = sampleEmbeddings(rows, labels)
          const centroids = centroidsOf(rows, labels, { classNames: ['a', 'b', 'c'] })
          for (const embeddings of [samples, centroids]) {
            const bytes = writeEmbeddings(embeddings, { teacher: 'mine' })
            for (const source of [
              bytes,
              new Blob([bytes as Uint8Array<ArrayBuffer>]),
              new Response(bytes as Uint8Array<ArrayBuffer>),
            ])
              expect(await readEmbeddings(source)).toEqual(embeddings)
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  it('may be as a few lines of Python write them', async () => {
    const labels = hostTensor('int32', [2], [1, 0])
    expect(await readEmbeddings(file({ embeddings: matrix(2, 2, [1, 2, 3, 4]), labels }))).toEqual({
      kind: 'samples',
      vectors: new Float32Array([1, 2, 3, 4]),
      width: 2,
      labels: new Int32Array([1, 0]),
    })
    expect(await readCentroids(file({ anything: matrix(2, 1, [5, 6]) }))).toMatchObject({
      classes: 2,
      prototypes: 1,
    })
    const named = file({ cat: hostTensor('float32', [2], [1, 2]), dog: hostTensor('float32', [2]) })
    expect(await readCentroids(named)).toMatchObject({ classes: 2, classNames: ['cat', 'dog'] })
  })

  it.each<[string, Uint8Array, string]>([
    ['no safetensors file', new Uint8Array(4), 'f: '],
    ['no embeddings', file({}), 'has 0 matrices'],
    ['several matrices', file({ a: matrix(1, 1), b: matrix(1, 1) }), 'has 2 matrices'],
    ['numbers that are not finite', file({ a: matrix(1, 1, [NaN]) }), 'finite floats'],
    [
      'fewer labels than rows',
      file({ embeddings: matrix(2, 1), labels: hostTensor('int32', [1]) }),
      'has 1 labels (int32) for 2 embeddings',
    ],
    [
      'embeddings of augmented images',
      file({ embeddings: matrix(1, 1) }, { augmentation: '{"flip":true,"cropPadding":0}' }),
      'embeddings of augmented images',
    ],
    ['another format', file({ a: matrix(1, 1) }, { format: 'embed-kd 9' }), 'format "embed-kd 9"'],
  ])('refuse %s', async (_, bytes, message) => {
    await expect(readEmbeddings(bytes, 'f')).rejects.toThrow(message)
  })

  it('name the status of a failed download', async () => {
    await expect(readEmbeddings(new Response('', { status: 404 }))).rejects.toThrow('status 404')
  })
})

describe('centroidsOf', () => {
  it('is the mean of each class', () => {
    const { vectors } = centroidsOf([[1], [2], [3], [10]], [0, 0, 1, 1])
    expect([...vectors]).toEqual([1.5, 6.5])
  })

  it('refuses rows that differ in width, and labels that are too few', async () => {
    expect(() => centroidsOf([[1], [2, 3]], [0, 1])).toThrow('embedding 1 has 2 values')
    expect(() => centroidsOf([[1], [2]], [0])).toThrow('2 embeddings, but 1 labels')
    expect(() => centroidsOf([[1], [2]], [0, 2])).toThrow('class 1 has 0 images')
    expect(() => centroidsOf([[1], [2]], [0, 1.5])).toThrow('labels[1] must be a whole number')
    expect(() => centroidsOf([[1], [NaN]], [0, 1])).toThrow('embedding 1 is not finite')
    const names = { classNames: ['a'] }
    expect(() => centroidsOf([[1], [2]], [0, 1], names)).toThrow('1 names of 2 classes')
    expect(() => sampleEmbeddings([[1]], [NaN])).toThrow('labels[0] must be a whole number')
    expect(sampleEmbeddings([[1, 2]])).toEqual({
      kind: 'samples',
      vectors: Float32Array.of(1, 2),
      width: 2,
    })
    const path = 'centroids.safetensors' as unknown as Uint8Array
    await expect(readEmbeddings(path)).rejects.toThrow('give its bytes (await readFile(path))')
  })
})
