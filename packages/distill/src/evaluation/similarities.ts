// Cosine similarities of many queries with many rows, a block of queries at a time, so that memory stays bounded. The products run on
// a backend if one is given, and in JavaScript otherwise.
import { hostTensor, op, spec, trace, type Backend, type DeviceBuffer } from '@embed-kd/core'

import type { Report } from '../training/progress.js'
import { checkRows, checkWidths, rowCount, unitRows, type Rows } from './rows.js'

/** How products are computed, and who watches. */
export interface SearchOptions {
  /** Runs the matrix products, many times as fast as JavaScript (default: none). */
  readonly backend?: Backend | undefined
  readonly report?: Report | undefined
}

/** Largest number of similarities that are held at a time. */
const HELD = 2 ** 24
const MOST_QUERIES = 256
/** Rows in one product, so that one compiled graph serves galleries of any size. */
const ROWS = 4096

/**
 * Calls `visit` with each query in turn, and the query's cosine similarities with all rows. The array is valid during the call only.
 * @throws UserError if widths differ, or there are no rows.
 */
export async function visitSimilarities(
  queries: Rows,
  rows: Rows,
  visit: (query: number, similarities: Float32Array) => void,
  { backend, report }: SearchOptions = {},
): Promise<void> {
  checkRows(queries, 'queries')
  checkRows(rows, 'rows')
  checkWidths(queries, rows, 'rows')
  const { width } = queries
  const [count, total] = [rowCount(queries), rowCount(rows)]
  const block = Math.max(4, Math.min(MOST_QUERIES, count, Math.floor(HELD / total)))
  const unitQueries = unitRows(queries)
  const products = await (backend ? productsOn(backend, rows, block) : productsHere(rows))
  const similarities = new Float32Array(block * total)
  try {
    for (let first = 0; first < count; first += block) {
      const real = Math.min(block, count - first)
      const part = unitQueries.subarray(first * width, (first + real) * width)
      await products.compute(part, real, similarities)
      for (let i = 0; i < real; i++)
        visit(first + i, similarities.subarray(i * total, (i + 1) * total))
      report?.({ phase: 'comparing', done: first + real, total: count })
    }
  } finally {
    await products.dispose()
  }
}

interface ProductSource {
  /** Computes the products of queries `[count, width]` with all rows into `out` `[count, rows]`. */
  compute(queries: Float32Array, count: number, out: Float32Array): Promise<void> | void
  dispose(): Promise<void> | void
}

/** Products on a backend, with the rows kept on its device. */
async function productsOn(backend: Backend, rows: Rows, block: number): Promise<ProductSource> {
  const { width } = rows
  const total = rowCount(rows)
  const shapes = { queries: spec([block, width]), rows: spec([ROWS, width]) }
  const graph = trace('similarities', shapes, ({ queries, rows }) => ({
    products: op.matmul(queries, rows, { transposeB: true }),
  }))
  const executable = await backend.compile(graph)
  const unit = unitRows(rows)
  const kept: DeviceBuffer[] = []
  for (let first = 0; first < total; first += ROWS) {
    const tensor = hostTensor('float32', [ROWS, width])
    tensor.data.set(unit.subarray(first * width, (first + ROWS) * width))
    kept.push(await backend.upload(tensor))
  }
  return {
    async compute(queries, count, out) {
      const tensor = hostTensor('float32', [block, width])
      tensor.data.set(queries)
      const uploaded = await backend.upload(tensor)
      for (const [part, buffer] of kept.entries()) {
        const { products } = await executable.run({ queries: uploaded, rows: buffer })
        const { data } = await backend.read(products!)
        products!.dispose()
        const real = Math.min(ROWS, total - part * ROWS)
        for (let i = 0; i < count; i++)
          out.set(
            (data as Float32Array).subarray(i * ROWS, i * ROWS + real),
            i * total + part * ROWS,
          )
      }
      uploaded.dispose()
    },
    async dispose() {
      for (const buffer of kept) buffer.dispose()
      await executable.dispose()
    },
  }
}

/** Products in JavaScript: four queries with four rows at a time, so that each number is read once for four products. */
function productsHere(rows: Rows): ProductSource {
  const { width } = rows
  const unit = unitRows(rows)
  const total = rowCount(rows)
  const four = new Float64Array(4 * width)
  const tile = new Float64Array(16)
  return {
    compute(queries, count, out) {
      // Queries and rows are padded with zeros up to fours.
      const padded = new Float64Array(4 * Math.ceil(count / 4) * width)
      padded.set(queries)
      for (let row = 0; row < total; row += 4) {
        four.fill(0)
        four.set(unit.subarray(row * width, (row + 4) * width))
        const columns = Math.min(4, total - row)
        for (let query = 0; query < count; query += 4) {
          multiplyFours(padded, query * width, four, width, tile)
          for (let i = 0; i < 4 && query + i < count; i++)
            for (let j = 0; j < columns; j++) out[(query + i) * total + row + j] = tile[4 * i + j]!
        }
      }
    },
    dispose() {},
  }
}

/** Computes the products of four rows of `a`, from `at` on, with four rows of `b` into `tile` `[4, 4]`. */
function multiplyFours(
  a: Float64Array,
  at: number,
  b: Float64Array,
  width: number,
  tile: Float64Array,
): void {
  for (let i = 0; i < 4; i += 2) {
    let [p0, p1, p2, p3, q0, q1, q2, q3] = [0, 0, 0, 0, 0, 0, 0, 0]
    const [p, q] = [at + i * width, at + (i + 1) * width]
    for (let k = 0; k < width; k++) {
      const [x, y] = [a[p + k]!, a[q + k]!]
      const [b0, b1, b2, b3] = [b[k]!, b[width + k]!, b[2 * width + k]!, b[3 * width + k]!]
      p0 += x * b0
      p1 += x * b1
      p2 += x * b2
      p3 += x * b3
      q0 += y * b0
      q1 += y * b1
      q2 += y * b2
      q3 += y * b3
    }
    tile.set([p0, p1, p2, p3, q0, q1, q2, q3], 4 * i)
  }
}
