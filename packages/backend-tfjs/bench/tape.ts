// Our schedule against tf's gradient tape: the same step of the same student on one device, in one process, by turns.
// Prints times, greatest tensor bytes and losses of both, and their ratios:
//   node .tsbuild/bench/tape.js --device wasm --student paper --batch 8 --steps 3
import { parseArgs } from 'node:util'
import { planMemory, trainGraph } from '@embed-kd/core'
import * as tf from '@tensorflow/tfjs-core'
import { TfjsBackend } from '#tfjs/backend'
import type { Device } from '#tfjs/devices/device'
import { openDevice } from '#tfjs/devices/registry'
import './tape-gradients.js'
import { tapeStep } from './tape-step.js'
import { openStep, type Runner } from './schedule-step.js'
import { isStudentName, workload, type Workload } from './workload.js'

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'wasm' },
    student: { type: 'string', default: 'small' },
    batch: { type: 'string', default: '8' },
    steps: { type: 'string', default: '3' },
  },
})
const student = values.student
if (!isStudentName(student)) throw new Error(`there is no student "${student}"`)

/** tf's native packages make the outputs of kernels elsewhere than other backends. */
interface NativeOutputs {
  createOutputTensor(metadata: object): tf.TensorInfo
}
const isNative = (backend: object): backend is NativeOutputs => 'createOutputTensor' in backend

/** Bytes of all tensors of a tf backend, and their greatest sum since `restart`. */
class TensorBytes {
  #live = 0
  #peak = 0
  readonly #sizes = new WeakMap<object, number>()

  constructor({ tf: backend }: Device) {
    const write = backend.write.bind(backend)
    const disposeData = backend.disposeData.bind(backend)
    backend.write = (data, shape, dtype) => this.#made(write(data, shape, dtype), shape, dtype)
    if (isNative(backend)) {
      const createOutputTensor = backend.createOutputTensor.bind(backend)
      backend.createOutputTensor = (metadata) => {
        const output = createOutputTensor(metadata)
        this.#made(output.dataId, output.shape, output.dtype)
        return output
      }
    }
    backend.disposeData = (id, force) => {
      const freed = disposeData(id, force)
      if (freed) {
        this.#live -= this.#sizes.get(id) ?? 0
        this.#sizes.delete(id)
      }
      return freed
    }
  }

  #made(id: object, shape: number[], dtype: tf.DataType): object {
    const bytes = tf.util.sizeFromShape(shape) * tf.util.bytesPerElement(dtype)
    this.#sizes.set(id, bytes)
    this.#live += bytes
    this.#peak = Math.max(this.#peak, this.#live)
    return id
  }

  /** Forgets the peak. @returns the bytes alive now. */
  restart(): number {
    this.#peak = this.#live
    return this.#live
  }

  get peak(): number {
    return this.#peak
  }
}

/** Makes tf's engine use the very tf backend that our device uses. */
async function tape(
  { tf: backend, registry, synchronize }: Device,
  work: Workload,
): Promise<Runner> {
  if (tf.findBackend(registry) !== backend) {
    if (tf.findBackendFactory(registry)) tf.removeBackend(registry)
    tf.registerBackend(registry, () => backend)
  }
  await tf.setBackend(registry)
  const { step, dispose } = tapeStep(work)
  return {
    async step() {
      const loss = step()
      const [value] = await loss.data()
      await synchronize()
      loss.dispose()
      return value!
    },
    async dispose() {
      dispose()
    },
  }
}

const work = workload(student, Number(values.batch))
const device = await openDevice(values.device)
const bytes = new TensorBytes(device)
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

const open = [() => openStep(backend, work), () => tape(device, work)] as const
const peaks = [await peakBytes(open[0]), await peakBytes(open[1])] as const

// Times are taken by turns, so that what else the machine does falls on both.
const runners = [await open[0](), await open[1]()] as const
const losses: [number[], number[]] = [[], []]
const seconds: [number[], number[]] = [[], []]
for (let step = 0; step <= Number(values.steps); step++)
  for (const side of [0, 1] as const) {
    const start = performance.now()
    losses[side].push(await runners[side].step())
    // The first step warms up.
    if (step > 0) seconds[side].push((performance.now() - start) / 1000)
  }
for (const runner of runners) await runner.dispose()

const median = (sample: readonly number[]) => sample.toSorted((a, b) => a - b)[sample.length >> 1]!
const times = [median(seconds[0]), median(seconds[1])] as const
const megabytes = (n: number) => `${(n / 1e6).toFixed(1)} MB`
const difference = Math.max(...losses[0].map((loss, i) => Math.abs(loss / losses[1][i]! - 1)))
if (!(difference < 1e-4))
  throw new Error(`losses differ: ${losses[0].join(' ')} against ${losses[1].join(' ')}`)
const planned = planMemory(trainGraph(work.config)).peakBytes
console.log(
  `tfjs:${values.device}, ${student} student, batch ${values.batch}, median of ${values.steps} steps`,
)
console.log(
  `schedule ${times[0].toFixed(3)} s, ${megabytes(peaks[0])} (planned ${megabytes(planned)})`,
)
console.log(`tape     ${times[1].toFixed(3)} s, ${megabytes(peaks[1])}`)
console.log(
  `ratio    ${(times[0] / times[1]).toFixed(3)} of the time, ${(peaks[0] / peaks[1]).toFixed(3)} of the bytes; ` +
    `losses agree to ${difference.toExponential(1)}`,
)
await backend.dispose()
