// Training goes on without leaking a tensor, with the losses of ort:cpu. Longer runs, on any device: bench/endurance.ts.
import { ortBackend } from '@embed-kd/backend-ort'
import { expect, test } from 'vitest'
import { openStep } from '../bench/schedule-step.js'
import { workload } from '../bench/workload.js'
import { TfjsBackend } from '../src/backend.js'
import { openDevice } from '../src/devices/registry.js'
import { usableDevices } from './devices.js'

/** As many as a device does in seconds; webgpu may be a software device. */
const steps: Readonly<Record<string, number>> = { wasm: 500, cpu: 50, webgpu: 5, node: 100 }
const COMPARED = 50

test.each(await usableDevices())('tfjs:%s', { timeout: 180_000 }, async (name) => {
  const device = await openDevice(name)
  const backend = new TfjsBackend(`tfjs:${name}`, device)
  const reference = await ortBackend.create('cpu')
  const work = workload('tiny', 8)
  const [runner, exact] = [await openStep(backend, work), await openStep(reference, work)]
  const use = () => ({ tensors: device.tf.numDataIds(), ...backend.memory() })

  const count = steps[name] ?? COMPARED
  let first
  for (let step = 0; step < count; step++) {
    const loss = await runner.step()
    if (step < COMPARED) expect(Math.abs(loss / (await exact.step()) - 1)).toBeLessThan(1e-5)
    first ??= use()
  }
  expect(use()).toEqual(first)
  await runner.dispose()
  await exact.dispose()
  expect(backend.memory()).toMatchObject({ buffers: 0, bytes: 0 })
  expect(device.tf.numDataIds()).toBe(0)
  await backend.dispose()
  await reference.dispose()
})
