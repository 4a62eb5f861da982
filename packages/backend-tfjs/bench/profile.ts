// Where a training step's time goes, by op and shapes, on a device whose kernels run on this thread (cpu, wasm):
//   node .tsbuild/bench/profile.js --device wasm --student paper --batch 8 --steps 5
import { parseArgs } from 'node:util'
import { formatType, type OpName } from '@embed-kd/core'
import { setThreadsCount } from '@tensorflow/tfjs-backend-wasm'
import { TfjsBackend } from '#tfjs/backend'
import { openDevice } from '#tfjs/devices/registry'
import type { Emitter, Emitters } from '#tfjs/emitters'
import { openStep } from './schedule-step.js'
import { isStudentName, workload } from './workload.js'

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'wasm' },
    student: { type: 'string', default: 'paper' },
    batch: { type: 'string', default: '8' },
    steps: { type: 'string', default: '5' },
    /** Of tfjs:wasm; default: one for each core. */
    threads: { type: 'string' },
    lines: { type: 'string', default: '30' },
  },
})
const { device: name, student } = values
if (!isStudentName(student)) throw new Error(`there is no student "${student}"`)

interface Line {
  calls: number
  milliseconds: number
}
const byOp = new Map<string, Line>()
const bySite = new Map<string, Line>()
const count = (lines: Map<string, Line>, key: string, milliseconds: number) => {
  const line = lines.get(key) ?? { calls: 0, milliseconds: 0 }
  lines.set(key, { calls: line.calls + 1, milliseconds: line.milliseconds + milliseconds })
}

const timed =
  (op: string, emitter: Emitter<OpName>): Emitter<OpName> =>
  (application, tf) => {
    const run = emitter(application, tf)
    const { value: _, ...attrs } = application.attrs as { value?: unknown }
    const key = `${op} ${application.inputs.map(formatType).join(' ')} ${JSON.stringify(attrs)}`
    return (inputs) => {
      const start = performance.now()
      const outputs = run(inputs)
      const milliseconds = performance.now() - start
      count(byOp, op, milliseconds)
      count(bySite, key, milliseconds)
      return outputs
    }
  }

if (values.threads) setThreadsCount(Number(values.threads))
const device = await openDevice(name)
const emitters = Object.fromEntries(
  Object.entries(device.emitters).map(([op, emitter]) => [
    op,
    timed(op, emitter as Emitter<OpName>),
  ]),
) as unknown as Emitters
const backend = new TfjsBackend(`tfjs:${name}`, { ...device, emitters })
const runner = await openStep(backend, workload(student, Number(values.batch)))
// The first steps warm up.
for (let step = 0; step < 2; step++) await runner.step()
byOp.clear()
bySite.clear()
const steps = Number(values.steps)
const start = performance.now()
for (let step = 0; step < steps; step++) await runner.step()
const total = (performance.now() - start) / steps

console.log(
  `tfjs:${name}, ${student} student, batch ${values.batch}, mean of ${steps} steps: ${total.toFixed(1)} ms`,
)
for (const lines of [byOp, bySite]) {
  const sorted = [...lines].sort(([, a], [, b]) => b.milliseconds - a.milliseconds)
  for (const [key, { calls, milliseconds }] of sorted.slice(0, Number(values.lines))) {
    const each = milliseconds / steps
    const share = ((100 * each) / total).toFixed(1).padStart(5)
    console.log(
      `${share} % ${each.toFixed(2).padStart(8)} ms ${String(calls / steps).padStart(5)} × ${key}`,
    )
  }
  console.log()
}
await runner.dispose()
await backend.dispose()
