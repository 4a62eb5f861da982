// Prints how far stored embeddings are from those of a float file: each store is fitted to every other row, and judged on the rest.
//   node packages/bench/experiments/store-error.js FILE [--stores int8,pca64,pq64,…]
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

import { readEmbeddings } from '@embed-kd/distill'

import { ErrorMeter } from '../../distill/dist/embeddings/store-error.js'
import {
  columnTensors,
  encodeRows,
  fitConstants,
  rowDecoder,
  storeColumns,
} from '../../distill/dist/embeddings/store.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { stores: { type: 'string', default: 'int8,pca64,pq64,pca32,pq32,pca16,pq16' } },
})
const [file] = positionals
const { vectors, width } = await readEmbeddings(readFileSync(file), file)
const half = (odd) => {
  const count = Math.floor(vectors.length / width / 2)
  const rows = new Float32Array(count * width)
  for (let i = 0; i < count; i++) {
    const row = 2 * i + odd
    rows.set(vectors.subarray(row * width, (row + 1) * width), i * width)
  }
  return rows
}
const [fitted, judged] = [half(0), half(1)]
console.log(
  `${file}: fitted to ${fitted.length / width} rows of width ${width}, judged on ${judged.length / width} others`,
)
for (const store of values.stores.split(',')) {
  const constants = fitConstants(store, fitted, width)
  const bytes = encodeRows(store, judged, width, constants)
  const rows = judged.length / width
  const decoded = rowDecoder(
    constants,
    store,
  )(columnTensors(storeColumns(store, width), bytes, rows))
  const meter = new ErrorMeter()
  meter.add(judged, decoded.vectors, width)
  const { relative, cosine } = meter.result()
  const size = Object.values(bytes).reduce((sum, { length }) => sum + length, 0) / rows
  console.log(
    `${store.padEnd(8)} ${size} bytes a row, mean relative error ${(100 * relative).toFixed(1)} %, mean cosine ${cosine.toFixed(5)}`,
  )
}
