// The same training step on several backends, in one process, by turns. Prints times, their ratio to the first backend's, the rate of
// each backend's own matrix products, and whether the losses agree. `tape:wasm` is the step with TensorFlow.js' gradient tape:
//   node .tsbuild/bench/beside.js --backends tfjs:wasm,ort:wasm,tape:wasm --student paper --batch 8 --steps 5
import { parseArgs } from 'node:util'
import { hostTensor, op, spec, trace, type Backend, type BackendFactory } from '@embed-kd/core'
import { ortBackend } from '@embed-kd/backend-ort'
import { tfjsBackend } from '#tfjs/index'
import { openDevice } from '#tfjs/devices/registry'
import { openStep, type Runner } from './schedule-step.js'
import { openTape } from './tape-runner.js'
import { isStudentName, workload } from './workload.js'

const { values } = parseArgs({
  options: {
    backends: { type: 'string', default: 'tfjs:wasm,ort:wasm,tape:wasm' },
    student: { type: 'string', default: 'paper' },
    batch: { type: 'string', default: '8' },
    steps: { type: 'string', default: '5' },
  },
})
const { student, steps } = values
if (!isStudentName(student)) throw new Error(`there is no student "${student}"`)
const work = workload(student, Number(values.batch))

const factories: Readonly<Record<string, BackendFactory>> = { ort: ortBackend, tfjs: tfjsBackend }

interface Side extends Runner {
  readonly name: string
  /** Absent for a tape, which is on the device of another side. */
  readonly backend?: Backend
  readonly seconds: number[]
  readonly losses: number[]
}

async function open(name: string): Promise<Side> {
  const [library = '', device = ''] = name.split(':')
  const measured = { name, seconds: [] as number[], losses: [] as number[] }
  if (library === 'tape')
    return { ...measured, ...(await openTape(await openDevice(device), work)) }
  const factory = factories[library]
  if (!factory) throw new Error(`there is no backend "${name}"; choose of ort, tfjs and tape`)
  const backend = await factory.create(device)
  return { ...measured, backend, ...(await openStep(backend, work)) }
}

const median = (sample: readonly number[]) => sample.toSorted((a, b) => a - b)[sample.length >> 1]!

/** Returns the greatest rate of five products of square matrices, in operations a second. */
async function productRate(backend: Backend): Promise<number> {
  const size = 1024
  const graph = trace('product', { x: spec([size, size]) }, ({ x }) => ({ y: op.matmul(x, x) }))
  const product = await backend.compile(graph)
  const ones = hostTensor('float32', [size, size], new Float32Array(size * size).fill(1))
  const x = await backend.upload(ones)
  let best = Infinity
  for (let run = 0; run < 5; run++) {
    const start = performance.now()
    const { y } = await product.run({ x })
    await backend.synchronize()
    best = Math.min(best, performance.now() - start)
    y!.dispose()
  }
  x.dispose()
  await product.dispose()
  return (2 * size ** 3) / (best / 1000)
}

const sides: Side[] = []
for (const name of values.backends.split(',')) sides.push(await open(name))
// Steps are taken by turns, so that other work of the machine falls on every side.
for (let step = 0; step <= Number(steps); step++)
  for (const side of sides) {
    const start = performance.now()
    side.losses.push(await side.step())
    // The first step warms up.
    if (step > 0) side.seconds.push((performance.now() - start) / 1000)
  }

console.log(`${student} student, batch ${values.batch}, median of ${steps} steps by turns`)
const first = sides[0]!
for (const { name, backend, seconds, losses } of sides) {
  const difference = Math.max(...losses.map((loss, i) => Math.abs(loss / first.losses[i]! - 1)))
  if (!(difference < 1e-3))
    throw new Error(
      `losses differ: ${name} ${losses.join(' ')}, ${first.name} ${first.losses.join(' ')}`,
    )
  const ratio = median(seconds) / median(first.seconds)
  const rate = backend && ((await productRate(backend)) / 1e9).toFixed(1)
  console.log(
    [
      `${name.padEnd(12)} ${median(seconds).toFixed(3)} s, ${ratio.toFixed(2)} of ${first.name}`,
      ...(rate ? [`matrix products at ${rate} GFLOP/s`] : []),
      ...(backend ? [`threads: ${backend.versions['threads'] ?? '-'}`] : []),
      `losses agree to ${difference.toExponential(1)}`,
    ].join('; '),
  )
}
for (const { dispose, backend } of sides) {
  await dispose()
  await backend?.dispose()
}
