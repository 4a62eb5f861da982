// Measures a large store of embeddings on this machine: bytes, seconds to write, seconds of a batch of random rows with the files in
// and out of the page cache, and peak memory. Writing and each kind of reading are processes of their own. Usage:
//   node packages/bench/experiments/store.js [--rows 10000000] [--width 64] [--stores int8,float16] [--shards 10] [--keep]
// Needs space in the directory of temporary files: about rows · (width + 12) bytes for int8. Values are random, so pcaN has no place here.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { Random } from '@embed-kd/core'
import {
  encodeRows,
  noteShard,
  RowWriter,
  sampleColumns,
  SampleStore,
  shardFile,
} from '@embed-kd/distill/node'

/** Distinct rows; the row of an image is the one of its position modulo this number. */
const BANK = 65_536
const BATCH = 64
const BATCHES = 500

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000000' },
    width: { type: 'string', default: '64' },
    stores: { type: 'string', default: 'int8,float16' },
    shards: { type: 'string', default: '10' },
    keep: { type: 'boolean', default: false },
    // The next two are for the processes that this one starts.
    job: { type: 'string' },
    file: { type: 'string' },
  },
})
const [rows, width, shards] = [values.rows, values.width, values.shards].map(Number)

const jobs = { write, read, order }
if (values.job) console.log(JSON.stringify(await jobs[values.job](values.stores, values.file)))
else main()

function main() {
  const directory = mkdtempSync(join(tmpdir(), 'embed-kd-store-'))
  try {
    console.log(
      `${rows} rows of width ${width} in ${shards} shards, batches of ${BATCH} random rows`,
    )
    for (const store of values.stores.split(',')) {
      const file = join(directory, `${store}.safetensors`)
      const child = (job) => {
        const args = [import.meta.filename, '--job', job, '--file', file, '--stores', store]
        const sizes = ['--rows', `${rows}`, '--width', `${width}`, '--shards', `${shards}`]
        return JSON.parse(
          execFileSync(process.execPath, [...args, ...sizes], {
            encoding: 'utf8',
            stdio: ['ignore', 'pipe', 'inherit'],
          }),
        )
      }
      const written = child('write')
      console.log(
        `${store}: ${written.bytes} bytes, ${(written.bytes / rows).toFixed(2)} a row; written in ${written.seconds.toFixed(1)} s, digests and manifest in ${written.noteSeconds.toFixed(1)} s, peak ${megabytes(written.peak)}`,
      )
      const { orderSeconds, ...ordered } = child('order')
      console.log(
        `  order of an epoch: drawn in ${orderSeconds.toFixed(1)} s, peak ${megabytes(ordered.peak)}`,
      )
      for (const cache of ['out of', 'in']) {
        if (cache === 'out of') dropFromCache(directory)
        const { openSeconds, median, p95, seconds, peak } = child('read')
        console.log(
          `  reading, files ${cache} the page cache: opened in ${(1000 * openSeconds).toFixed(1)} ms; a batch ${(1000 * median).toFixed(2)} ms (median), ${(1000 * p95).toFixed(2)} ms (95 %), ${((BATCHES * BATCH) / seconds).toFixed(0)} rows/s; peak ${megabytes(peak)}`,
        )
      }
    }
  } finally {
    if (!values.keep) rmSync(directory, { recursive: true })
  }
}

/** Writes the shards as embed-kd embed does, with random rows in place of a teacher's. */
async function write(store, file) {
  const bank = bankOfRows()
  const start = performance.now()
  for (let shard = 1; shard <= shards; shard++) {
    const first = Math.floor(((shard - 1) * rows) / shards)
    const end = Math.floor((shard * rows) / shards)
    const writer = new RowWriter(
      shardFile(file, shard, shards),
      end - first,
      sampleColumns(width, store, false),
      metadataOf(store, shard, first),
    )
    for (let row = first; row < end;) {
      const count = Math.min(BANK - (row % BANK), 4096, end - row)
      const part = bank.subarray((row % BANK) * width, ((row % BANK) + count) * width)
      const zeros = new Uint8Array(4 * count)
      writer.append(count, { ...encodeRows(store, part, width), labels: zeros, keys: zeros })
      row += count
    }
    writer.finish()
  }
  const seconds = elapsed(start)
  const noting = performance.now()
  for (let shard = 1; shard <= shards; shard++) await noteShard(file, shard, shards)
  const bytes = shardSizes(file).reduce((sum, size) => sum + size, 0)
  return { bytes, seconds, noteSeconds: elapsed(noting), peak: peak() }
}

/** Reads batches of random rows, and checks each against the row that was written. */
function read(store, file) {
  const start = performance.now()
  const opened = SampleStore.open(file)
  const openSeconds = elapsed(start)
  const bank = bankOfRows()
  const random = new Random(2, 1)
  const tolerance = { float32: 0, float16: 1e-3, int8: 0.02 }[store]
  const times = []
  for (let batch = 0; batch < BATCHES; batch++) {
    const images = Int32Array.from({ length: BATCH }, () => random.int(rows))
    const began = performance.now()
    const vectors = opened.vectorsOf(images)
    times.push(elapsed(began))
    images.forEach((image, i) => {
      for (let k = 0; k < width; k++) {
        const [got, wanted] = [vectors[i * width + k], bank[(image % BANK) * width + k]]
        if (Math.abs(got - wanted) > tolerance)
          throw new Error(`image ${image}: ${got}, not ${wanted}`)
      }
    })
  }
  opened.close()
  const sorted = times.toSorted((a, b) => a - b)
  const seconds = times.reduce((sum, one) => sum + one, 0)
  return {
    openSeconds,
    median: sorted[BATCHES >> 1],
    p95: sorted[Math.floor(0.95 * BATCHES)],
    seconds,
    peak: peak(),
  }
}

/** Draws the order of an epoch, which a training holds in memory beside the store. */
function order() {
  const start = performance.now()
  new Random(0, 1).shuffle(Int32Array.from({ length: rows }, (_, i) => i))
  return { orderSeconds: elapsed(start), peak: peak() }
}

function bankOfRows() {
  const random = new Random(1, 1)
  return Float32Array.from({ length: BANK * width }, () => random.uniform() - 0.5)
}

function metadataOf(store, shard, first) {
  return {
    format: 'embed-kd 2',
    kind: 'samples',
    store,
    teacher: 'random',
    teacher_digest: '',
    pooling: 'none',
    preprocessing: '{}',
    dataset: 'random',
    dataset_digest: 'random',
    class_names: '[]',
    counts: '[]',
    seed: '0',
    augmentation: '{"flip":false,"cropPadding":0}',
    views: '1',
    images: `${rows}`,
    shard: `${shard}/${shards}`,
    first_image: `${first}`,
  }
}

function shardSizes(file) {
  const all = Array.from({ length: shards }, (_, i) => shardFile(file, i + 1, shards))
  return all.map((shard) => statSync(shard).size)
}

/** Asks the system to forget the files' pages. */
function dropFromCache(directory) {
  for (const name of readdirSync(directory).filter((one) => one.endsWith('.safetensors')))
    execFileSync('dd', [`if=${join(directory, name)}`, 'iflag=nocache', 'count=0'], {
      stdio: 'ignore',
    })
}

/** Returns the most memory that this process had resident, in bytes. */
function peak() {
  return process.resourceUsage().maxRSS * 1024
}
function elapsed(start) {
  return (performance.now() - start) / 1000
}
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
