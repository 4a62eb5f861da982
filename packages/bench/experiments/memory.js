// Prints what a training step needs beside what was planned: by the graph, and for this runtime. Counted is the greatest sum of all
// tensors, if the backend makes them itself (tfjs). Measured is the peak of a step's process over its baseline, the median of five
// steps; spread is (largest - smallest) / median of the five.
//   node packages/bench/experiments/memory.js [--batch 16,64,256] [--student small,paper] [--method embed-kd,teacher-kd]
//     [--rematerialise none,elementwise,blocks] [--teacher vit-base-32] [--backend ort:cpu]
//     [--file rows.txt]
// A line is printed as soon as a trial has ended, and appended to the file; trials whose lines the file has are not measured again.
// Steps of a live teacher are slow; memory does not depend on the machine's load.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Feed, openBackend } from '@embed-kd/distill/node'
import { unexplainedBytes } from '@embed-kd/records'
import { expandGrids, parseGrids, planTrials } from '../dist/index.js'
import { costOf, planRuntimePeak } from '../dist/measure/cost.js'
import { widthOf } from '../dist/sweep/plan.js'
import { loadTrialData, splitsOf } from '../dist/trial/config.js'
import { openTrainer } from '../dist/trial/open-trainer.js'
import { runJob } from '../dist/trial/run-job.js'
import { openTrialSignal } from '../dist/trial/signals.js'

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
    file: { type: 'string' },
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
const known =
  values.file && existsSync(values.file) ? readFileSync(values.file, 'utf8').split('\n') : []
const row = (cells) => {
  const line = cells
    .map((cell, i) => `${cell}`.padEnd(i < 4 ? 12 : 14))
    .join('')
    .trimEnd()
  console.log(line)
  if (values.file && !known.includes(line)) appendFileSync(values.file, `${line}\n`)
}

/** Compiles the step of a trial and returns its plan. */
async function planOf(job) {
  const { config } = job
  const backend = await openBackend(config.backend, config.precision)
  const dataset = await loadTrialData(config)
  const feed = new Feed(dataset)
  const signal = await openTrialSignal(job, feed, dataset, backend)
  const images = splitsOf(dataset, config).train.indices.length
  const { parts } = await openTrainer(backend, config, dataset, feed, signal, images)
  const executables = parts.map(({ executable }) => executable)
  const { planned } = costOf(parts, backend.capabilities, await planRuntimePeak(executables))
  await signal.dispose()
  await backend.dispose()
  return planned
}

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
  const done = known.find((line) => name.every((cell, i) => line.split(/ +/)[i] === `${cell}`))
  if (done !== undefined) {
    console.log(done)
    continue
  }
  const job = { config, ...widthOf(trial) }
  const outcome = await runJob('memory', job, { timeoutSeconds: 3600 }, () => undefined)
  if (outcome.status !== 'ok') {
    console.log([...name, `${outcome.status}: ${outcome.reason}`].join(' '))
    continue
  }
  const memory = outcome.output
  const { peakBytes, runtimePeakBytes } = await planOf(job)
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
