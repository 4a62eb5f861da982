// Measures of embeddings against scikit-learn and NumPy (fixtures/evaluation.py), on the interpreter and in JavaScript, and the
// properties that hold for all embeddings.
import { readFileSync } from 'node:fs'

import { referenceBackend, Random } from '@embed-kd/core'
import { describe, expect, it } from 'vitest'

import {
  calibrationError,
  classifyRows,
  fitLinearProbe,
  fitLogisticRegression,
  knnAccuracy,
  linearCka,
  linearProbeAccuracy,
  meanAveragePrecision,
  meanCosine,
  nearestAnchors,
  nearestRows,
  recallAt,
  shareRight,
  voteClasses,
  type LabelledRows,
} from '../src/index.js'

interface Golden {
  readonly width: number
  readonly rows: number[]
  readonly rowLabels: number[]
  readonly queries: number[]
  readonly queryLabels: number[]
  readonly teacher: number[]
  readonly teacherWidth: number
  readonly twin: number[]
  readonly anchors: number[]
  readonly probabilities: number[]
  readonly knn: { k: number; classes: number[]; accuracy: number }[]
  readonly recall: { k: number; recall: number }[]
  readonly meanAveragePrecision: number
  readonly logistic: {
    c: number
    classes: number
    weights: number[]
    biases: number[]
    accuracy: number
    standardised: number
  }[]
  readonly zeroShot: number
  readonly cosine: number
  readonly cka: number
  readonly calibrationError: number
}

const golden = JSON.parse(
  readFileSync(new URL('fixtures/evaluation.json', import.meta.url), 'utf8'),
) as Golden
const { width } = golden
const floats = (values: readonly number[]) => Float32Array.from(values)
const rows: LabelledRows = { vectors: floats(golden.rows), width, labels: golden.rowLabels }
const queries: LabelledRows = { vectors: floats(golden.queries), width, labels: golden.queryLabels }

/** Rows of the first classes alone. */
const ofClasses = ({ vectors, labels }: LabelledRows, classes: number): LabelledRows => {
  const kept = Array.from(labels).flatMap((label, i) => (label < classes ? [i] : []))
  return {
    width,
    vectors: floats(kept.flatMap((i) => [...vectors.subarray(i * width, (i + 1) * width)])),
    labels: kept.map((i) => labels[i]!),
  }
}

const close = (actual: number, expected: number, tolerance = 1e-6) =>
  expect(Math.abs(actual - expected)).toBeLessThan(tolerance)

describe.each([
  ['in JavaScript', undefined],
  ['on a backend', await referenceBackend.create('cpu')],
])('measures of embeddings %s', (_, backend) => {
  it.each(golden.knn)('k-NN votes as scikit-learn does, k = $k', async (expected) => {
    const neighbours = await nearestRows(queries, rows, expected.k, { backend })
    expect([...voteClasses(neighbours, rows.labels, expected.k)]).toEqual(expected.classes)
    close(await knnAccuracy(queries, rows, expected.k, { backend }), expected.accuracy)
  })

  it.each(golden.recall)('recall at $k is that of scikit-learn', async ({ k, recall }) => {
    const neighbours = await nearestRows(queries, rows, 10, { backend })
    close(recallAt(neighbours, rows.labels, queries.labels, k), recall)
  })

  it('the mean average precision is that of scikit-learn, ties included', async () => {
    close(await meanAveragePrecision(queries, rows, { backend }), golden.meanAveragePrecision)
  })

  it.each(golden.logistic)(
    'logistic regression has the minimum of scikit-learn, $classes classes, C = $c',
    async ({ c, classes, weights, biases, accuracy, standardised }) => {
      const [training, testing] = [ofClasses(rows, classes), ofClasses(queries, classes)]
      const tolerance = backend ? 1e-6 : 1e-9
      const found = await fitLogisticRegression(training, { c, tolerance, backend })
      const { parameters } = found
      // scikit-learn has one vector for two classes: the difference of two.
      const binary = [...weights, ...biases].map((value) => value / 2)
      const expected =
        classes === 2
          ? [...binary.slice(0, width), ...binary.slice(0, width), binary[width]!, binary[width]!]
          : [...weights, ...biases]
      const signs = parameters.map((value, i) =>
        classes === 2 && (i < width || i === 2 * width) ? -value : value,
      )
      // All biases may be shifted together: no prediction depends on it.
      const shift = classes === 2 ? 0 : mean(signs.subarray(-classes)) - mean(biases)
      const scale = Math.max(...expected.map(Math.abs))
      signs.forEach((value, i) => {
        const own = i >= classes * width ? value - shift : value
        expect(Math.abs(own - expected[i]!) / scale).toBeLessThan(backend ? 1e-4 : 1e-5)
      })
      close(shareRight(classifyRows(found, testing), testing.labels), accuracy)
      const probe = await linearProbeAccuracy(testing, training, { grid: [c], backend })
      close(probe.accuracy, standardised)
      expect(probe.c).toBe(c)
    },
  )
})

const mean = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length

describe('measures without a search', () => {
  it('agree with scikit-learn, NumPy and the definition of torchmetrics', () => {
    const anchors = {
      kind: 'centroids',
      vectors: floats(golden.anchors),
      width,
      classes: 4,
      prototypes: 1,
    } as const
    close(shareRight(nearestAnchors(queries, anchors), queries.labels), golden.zeroShot)
    close(meanCosine(queries, { vectors: floats(golden.twin), width }), golden.cosine)
    const teacher = { vectors: floats(golden.teacher), width: golden.teacherWidth }
    close(linearCka(queries, teacher), golden.cka)
    close(calibrationError(floats(golden.probabilities), queries.labels), golden.calibrationError)
  })
})

describe('a search of neighbours', () => {
  const random = new Random(3)
  const many = (count: number): LabelledRows => ({
    width: 5,
    vectors: Float32Array.from({ length: count * 5 }, () => random.normal()),
    labels: Int32Array.from({ length: count }, () => random.int(3)),
  })

  it('finds the same rows in blocks as at once, beyond the size of a block', async () => {
    const [some, all] = [many(7), many(4099)]
    const found = await nearestRows(some, all, 3, { backend: await referenceBackend.create('cpu') })
    const here = await nearestRows(some, all, 3)
    expect(found).toEqual(here)
    for (let query = 0; query < 7; query++) {
      const one = { width: 5, vectors: some.vectors.subarray(query * 5, (query + 1) * 5) }
      const alone = await nearestRows(one, all, 3)
      expect([...alone.indices]).toEqual([...here.indices.subarray(query * 3, query * 3 + 3)])
    }
  })

  it('takes the lowest class of equally many votes, and the earlier of equally similar rows', async () => {
    const vectors = Float32Array.of(1, 0, 1, 0, 0, 1)
    const tied = { width: 2, vectors, labels: [2, 1, 0] }
    const query = { width: 2, vectors: Float32Array.of(1, 0.1), labels: [1] }
    const neighbours = await nearestRows(query, tied, 3)
    expect([...neighbours.indices]).toEqual([0, 1, 2])
    expect([...voteClasses(neighbours, tied.labels, 1)]).toEqual([2])
    expect([...voteClasses(neighbours, tied.labels, 2)]).toEqual([1])
    expect([...voteClasses(neighbours, tied.labels, 3)]).toEqual([0])
  })

  it('refuses more neighbours than rows, other widths, and labels that do not match', async () => {
    await expect(nearestRows(many(2), many(4), 5)).rejects.toThrow(
      /5 neighbours cannot be found among 4 rows/,
    )
    await expect(nearestRows(queries, many(4), 1)).rejects.toThrow(/width 6, but the rows width 5/)
    await expect(knnAccuracy({ ...many(3), labels: [0] }, many(4), 1)).rejects.toThrow(
      /3 queries, but 1 labels/,
    )
  })
})

describe('a linear probe', () => {
  it('chooses its penalty on held-out rows, and names what it tried', async () => {
    const probe = await fitLinearProbe(rows, { grid: [1e-6, 1e-2, 1] })
    expect(probe.heldOut.map(({ c }) => c)).toEqual([1e-6, 1e-2, 1])
    const best = Math.max(...probe.heldOut.map(({ accuracy }) => accuracy))
    expect(probe.heldOut.find(({ accuracy }) => accuracy === best)!.c).toBe(probe.c)
  })

  it('refuses classes of one row each', async () => {
    const few = { width: 1, vectors: Float32Array.of(1, 2), labels: [0, 1] }
    await expect(fitLinearProbe(few)).rejects.toThrow(/two training images of a class/)
  })
})

it('linear CKA does not change with rotation and scale, and cosine does not with scale', () => {
  const turned = queries.vectors.map((_, at) => {
    const [row, k] = [at - (at % width), at % width]
    return 3 * queries.vectors[row + ((k + 1) % width)]!
  })
  close(linearCka(queries, { vectors: turned, width }), 1)
  close(meanCosine(queries, { vectors: queries.vectors.map((v) => 2 * v), width }), 1)
})
