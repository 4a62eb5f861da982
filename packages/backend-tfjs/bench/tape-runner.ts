// The step of tape-step.ts on a device that backend-tfjs opened, so that both sides of a comparison run the same kernels.
import * as tf from '@tensorflow/tfjs-core'
import type { Device } from '#tfjs/devices/device'
import type { Runner } from './schedule-step.js'
import './tape-gradients.js'
import { tapeStep } from './tape-step.js'
import type { Workload } from './workload.js'

/** Makes tf's engine use the very tf backend that our device uses. */
export async function openTape(
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
