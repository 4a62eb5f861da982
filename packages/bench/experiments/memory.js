// Prints what a training step needs beside what was planned: by the graph, and for this runtime. Counted is the greatest sum of all
// tensors, if the backend makes them itself (tfjs). Measured is the peak of a step's process over its baseline, the median of five
// steps; spread is (largest - smallest) / median of the five.
//   node packages/bench/experiments/memory.js [--batch 16,64,256] [--student small,paper] [--method embed-kd,teacher-kd]
//     [--rematerialise none,elementwise,blocks] [--teacher vit-base-32] [--backend ort:cpu]
// A line is printed as soon as a trial has ended. Steps of a live teacher are slow; memory does not depend on the machine's load.
import { parseArgs } from 'node:util'
import { expandGrids, measureTrial, parseGrids, planTrials } from '../dist/index.js'
import { widthOf } from '../dist/sweep/plan.js'
import { unexplainedBytes } from '@embed-kd/records'

const lists = {
  batch: '16,64,256',
  student: 'small,paper',
  method: 'embed-kd,teacher-kd',
  rematerialise: 'none,elementwise,blocks',
}
const { values } = parseArgs({
  options: {
    ...Object.fromEntries(
      Object.entries(lists).map(([name, all]) => [name, { type: 'string', default: all }]),
    ),
    teacher: { type: 'string', default: 'vit-base-32' },
    backend: { type: 'string', default: 'ort:cpu' },
  },
})
const split = (name) => values[name].split(',')
const grid = {
  backend: values.backend,
  teacher: values.teacher,
  batch: split('batch').map(Number),
  student: split('student'),
  method: split('method'),
  rematerialise: split('rematerialise'),
  steps: 1,
}
const trials = await planTrials(expandGrids(parseGrids({ grids: [grid] }, 'the command line')))

const mebibytes = (bytes) => (bytes === undefined ? '-' : (bytes / 2 ** 20).toFixed(1))
const row = (cells) =>
  console.log(
    cells
      .map((cell, i) => `${cell}`.padEnd(i < 4 ? 12 : 16))
      .join('')
      .trimEnd(),
  )
row([
  'method',
  'student',
  'recompute',
  'batch',
  'planned',
  'for runtime',
  'counted',
  'measured',
  'spread',
  'verdict',
])
row(['', '', '', '', 'MiB', 'MiB', 'MiB', 'MiB', '%', ''])
for (const trial of trials) {
  const { config } = trial
  const { method, student, rematerialise = 'none', batch } = config
  const name = [method, student.name, rematerialise, batch]
  const outcome = await measureTrial({ config, ...widthOf(trial) }, { timeoutSeconds: 1800 })
  if (outcome.status !== 'ok') {
    row([...name, `${outcome.status}: ${outcome.reason}`])
    continue
  }
  const { memory, cost } = outcome.output
  const { peakBytes, runtimePeakBytes } = cost.planned
  const samples = memory.peakSamplesRssBytes.map((bytes) => bytes - memory.baselineRssBytes)
  const measured = memory.peakRssBytes - memory.baselineRssBytes
  const spread = (Math.max(...samples) - Math.min(...samples)) / measured
  row([
    ...name,
    mebibytes(peakBytes),
    mebibytes(runtimePeakBytes),
    mebibytes(memory.tensorPeakBytes),
    mebibytes(measured),
    (100 * spread).toFixed(1),
    runtimePeakBytes === undefined
      ? ''
      : unexplainedBytes(memory, runtimePeakBytes) === 0
        ? 'explained'
        : 'NOT explained',
  ])
}
