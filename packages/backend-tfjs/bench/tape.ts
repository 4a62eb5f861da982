// Our schedule against tf's gradient tape: the same step of the same student on one device, in one process, by turns.
// Prints times, greatest tensor bytes and losses of both, and their ratios:
//   node .tsbuild/bench/tape.js --device wasm --student paper --batch 8 --steps 3
import { parseArgs } from 'node:util'
import { planMemory, trainGraph } from '@embed-kd/core'
import { setThreadsCount } from '@tensorflow/tfjs-backend-wasm'
import { TfjsBackend } from '#tfjs/backend'
import { openDevice } from '#tfjs/devices/registry'
import { TensorBytes } from '#tfjs/tensor-bytes'
import { openTape } from './tape-runner.js'
import { openStep, type Runner } from './schedule-step.js'
import { isStudentName, workload } from './workload.js'

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'wasm' },
    student: { type: 'string', default: 'small' },
    batch: { type: 'string', default: '8' },
    steps: { type: 'string', default: '3' },
    /** Of tfjs:wasm; default: one for each core. */
    threads: { type: 'string' },
  },
})
const student = values.student
if (!isStudentName(student)) throw new Error(`there is no student "${student}"`)

const work = workload(student, Number(values.batch))
if (values.threads) setThreadsCount(Number(values.threads))
const device = await openDevice(values.device)
const bytes = TensorBytes.of(device.tf)
const backend = new TfjsBackend(`tfjs:${values.device}`, device)

/** The greatest tensor bytes of one step, alone on the device, from the upload of the state on. */
async function peakBytes(open: () => Promise<Runner>): Promise<number> {
  const before = bytes.restart()
  const runner = await open()
  await runner.step()
  const peak = bytes.peak - before
  await runner.dispose()
  return peak
}

const names = ['schedule', 'tape'] as const
const open = { schedule: () => openStep(backend, work), tape: () => openTape(device, work) }
const peaks = { schedule: await peakBytes(open.schedule), tape: 0 }
// The tape may need more than the device has: then the schedule stands alone.
const failure = await peakBytes(open.tape).then(
  (peak) => void (peaks.tape = peak),
  (error: Error) => error.message,
)
const measured = failure === undefined ? names : (['schedule'] as const)

// Times are taken by turns, so that what else the machine does falls on both.
const runners = {
  schedule: await open.schedule(),
  ...(failure === undefined && { tape: await open.tape() }),
}
const losses = { schedule: [] as number[], tape: [] as number[] }
const seconds = { schedule: [] as number[], tape: [] as number[] }
for (let step = 0; step <= Number(values.steps); step++)
  for (const side of measured) {
    const start = performance.now()
    losses[side].push(await runners[side]!.step())
    // The first step warms up.
    if (step > 0) seconds[side].push((performance.now() - start) / 1000)
  }
for (const side of measured) await runners[side]!.dispose()

const median = (sample: readonly number[]) => sample.toSorted((a, b) => a - b)[sample.length >> 1]!
const megabytes = (n: number) => `${(n / 1e6).toFixed(1)} MB`
const planned = megabytes(planMemory(trainGraph(work.config)).peakBytes)
console.log(
  `tfjs:${values.device}, ${student} student, batch ${values.batch}, median of ${values.steps} steps` +
    (backend.versions['threads']
      ? `, threads: ${values.threads ?? backend.versions['threads']}`
      : ''),
)
const time = median(seconds.schedule)
console.log(`schedule ${time.toFixed(3)} s, ${megabytes(peaks.schedule)} (planned ${planned})`)
if (failure !== undefined) console.log(`tape     fails: ${failure}`)
else {
  const difference = Math.max(
    ...losses.schedule.map((loss, i) => Math.abs(loss / losses.tape[i]! - 1)),
  )
  if (!(difference < 1e-4))
    throw new Error(`losses differ: ${losses.schedule.join(' ')} against ${losses.tape.join(' ')}`)
  const tapeTime = median(seconds.tape)
  console.log(`tape     ${tapeTime.toFixed(3)} s, ${megabytes(peaks.tape)}`)
  console.log(
    `ratio    ${(time / tapeTime).toFixed(3)} of the time, ${(peaks.schedule / peaks.tape).toFixed(3)} of the bytes; ` +
      `losses agree to ${difference.toExponential(1)}`,
  )
}
await backend.dispose()
