// Shows how a training step grows with the batch and with the student's width, layers and classes, one of them varied at a time:
// time beside the matrix-product rate of this machine, and peak memory beside what was planned. Prints a line for each step and
// draws all of them as one figure.
//   node packages/bench/experiments/growth.js [--out growth.svg] [--backend ort:cpu] [--only batch,width,layers,classes]
// The images are random: cost does not depend on them. Time needs a quiet machine; memory and the plans do not.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { expandGrids, measureTrial, parseGrids, planTrials, widthOf } from '../dist/index.js'
import { drawPanels } from './panels.js'

/** The step that is varied: about the student small-32 with images of one channel. */
const BASE = { batch: 64, width: 64, layers: 4, classes: 10 }
const VARIED = {
  batch: [1, 4, 16, 64, 256, 1024],
  width: [64, 128, 256, 512, 768],
  layers: [3, 6, 12, 24],
  classes: [10, 30, 100, 300, 1000],
}
const SIDE = 32

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'growth.svg' },
    backend: { type: 'string', default: 'ort:cpu' },
    only: { type: 'string', default: Object.keys(VARIED).join(',') },
  },
})

/** Writes IDX files of random images, at least two of each class in each split, and returns their directory. */
function writeImages(parent, classes) {
  const directory = join(parent, `${classes}`)
  mkdirSync(directory)
  for (const [split, count] of Object.entries({ train: 4096, t10k: 2048 })) {
    const pixels = Buffer.from({ length: count * SIDE * SIDE }, (_, i) => (i * 2654435761) >>> 24)
    const labels = Buffer.from({ length: count * 4 })
    for (let i = 0; i < count; i++) labels.writeInt32BE(i % classes, 4 * i)
    const write = (name, type, dimensions, data) => {
      const header = Buffer.alloc(4 + 4 * dimensions.length)
      header.set([0, 0, type, dimensions.length])
      dimensions.forEach((size, i) => header.writeInt32BE(size, 4 + 4 * i))
      writeFileSync(join(directory, `${split}-${name}`), Buffer.concat([header, data]))
    }
    write('images-idx3-ubyte', 0x08, [count, SIDE, SIDE], pixels)
    write('labels-idx1-ubyte', 0x0c, [count], labels)
  }
  return `idx:${directory}`
}

const mebibytes = (bytes) => bytes / 2 ** 20
const row = (cells) => console.log(cells.map((cell) => `${cell}`.padStart(13)).join(''))

async function measure(varied, value, dataset) {
  const { batch, width, layers } = { ...BASE, [varied]: value }
  const student = `vit:width=${width},layers=${layers},heads=4,patch=4,image=${SIDE}`
  const grid = { method: ['embed-kd'], teacher: ['vit-base-32'], backend: values.backend }
  const size = { student: [student], dataset: [dataset], batch: [batch], steps: 5 }
  const [trial] = await planTrials(
    expandGrids(parseGrids({ grids: [{ ...grid, ...size }] }, 'the command line')),
  )
  const job = { config: trial.config, ...widthOf(trial) }
  const outcome = await measureTrial(job, { timeoutSeconds: 1800 })
  if (outcome.status !== 'ok') throw new Error(`${varied} ${value}: ${outcome.reason}`)
  const { memory, cost, time, roofline } = outcome.output
  const { peakBytes, runtimePeakBytes } = cost.planned
  return {
    value,
    step: 1000 * time.medianSeconds,
    gigaflops: cost.stepFlops / 1e9,
    rate: Math.max(roofline.gemmFlopsPerSecondBefore, roofline.gemmFlopsPerSecondAfter) / 1e9,
    planned: mebibytes(peakBytes),
    ...(runtimePeakBytes === undefined ? {} : { runtime: mebibytes(runtimePeakBytes) }),
    peak: mebibytes(memory.peakRssBytes - memory.baselineRssBytes),
  }
}

const temporary = mkdtempSync(join(tmpdir(), 'embed-kd-growth-'))
const groups = []
try {
  row(['varied', 'value', 'step ms', 'GFLOP', 'planned MiB', 'runtime MiB', 'peak MiB'])
  const datasets = new Map()
  for (const varied of values.only.split(',')) {
    const points = []
    for (const value of VARIED[varied]) {
      const classes = varied === 'classes' ? value : BASE.classes
      if (!datasets.has(classes)) datasets.set(classes, writeImages(temporary, classes))
      const point = await measure(varied, value, datasets.get(classes))
      points.push(point)
      const { step, gigaflops, planned, runtime, peak } = point
      row([
        varied,
        value,
        ...[step, gigaflops, planned, runtime, peak].map((n) => n?.toFixed(1) ?? '-'),
      ])
    }
    groups.push({ varied, points })
  }
} finally {
  rmSync(temporary, { recursive: true })
}

// The fastest matrix product of all: a disturbance must not flatter the steps.
const rate = Math.max(...groups.flatMap(({ points }) => points.map((point) => point.rate)))
console.log(`matrix products: ${rate.toFixed(1)} GFLOP/s`)
for (const { points } of groups)
  for (const point of points) point.bound = (1000 * point.gigaflops) / rate

const series = {
  time: [
    { key: 'bound', name: 'all FLOPs at the rate of matrix products', line: true },
    { key: 'step', name: 'step, measured', line: false },
  ],
  memory: [
    { key: 'planned', name: 'peak planned by the graph', line: true },
    { key: 'runtime', name: 'peak planned for the runtime', line: true },
    { key: 'peak', name: 'peak measured, over the baseline', line: false },
  ],
}
const svg = drawPanels([
  { title: 'milliseconds a step', groups, series: series.time },
  { title: 'MiB', groups, series: series.memory },
])
writeFileSync(`${values.out}.tmp`, svg)
renameSync(`${values.out}.tmp`, values.out)
console.log(`figure: ${values.out}`)
