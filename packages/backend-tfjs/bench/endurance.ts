// Many training steps on one device: whether tensors and bytes stay constant, and losses those of ort:cpu.
//   node .tsbuild/bench/endurance.js --device wasm --student small --batch 8 --steps 500
import { parseArgs } from 'node:util'
import { ortBackend } from '@embed-kd/backend-ort'
import { TfjsBackend } from '#tfjs/backend'
import { openDevice } from '#tfjs/devices/registry'
import { isStudentName, workload } from './workload.js'
import { openStep } from './schedule-step.js'

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'wasm' },
    student: { type: 'string', default: 'tiny' },
    batch: { type: 'string', default: '8' },
    steps: { type: 'string', default: '500' },
    compared: { type: 'string', default: '50' },
  },
})
const { device: name, student } = values
if (!isStudentName(student)) throw new Error(`there is no student "${student}"`)
const work = workload(student, Number(values.batch))

const device = await openDevice(name)
const backend = new TfjsBackend(`tfjs:${name}`, device)
const reference = await ortBackend.create('cpu')
const [runner, exact] = [await openStep(backend, work), await openStep(reference, work)]

const use = () => ({ tensors: device.tf.numDataIds(), ...backend.memory() })
await runner.step().then(() => exact.step())
const first = use()
let difference = 0
let last = Number.NaN
for (let step = 1; step < Number(values.steps); step++) {
  last = await runner.step()
  if (step < Number(values.compared))
    difference = Math.max(difference, Math.abs(last / (await exact.step()) - 1))
}
const end = use()
console.log(`tfjs:${name}, ${student} student, batch ${values.batch}, ${values.steps} steps`)
console.log('after the first step', first)
console.log('after the last step ', end)
console.log(
  `losses of the first ${values.compared} steps agree with ort:cpu to ${difference.toExponential(1)}; the last is ${last}`,
)
await runner.dispose()
await exact.dispose()
await backend.dispose()
await reference.dispose()
