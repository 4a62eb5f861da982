// PyTorch's tensors on every device that can be used here: operators with their gradients, and student steps with all
// gradients and five AdamW steps.
import { describeConformance } from '@embed-kd/conformance'
import { describe, it } from 'vitest'
import { goldenConformance } from '@embed-kd/conformance/golden'
import { tfjsBackend } from '../src/index.js'
import { usableDevices } from './devices.js'

for (const device of await usableDevices()) {
  const backend = await tfjsBackend.create(device)
  describeConformance({ describe, it }, backend, goldenConformance(backend.capabilities))
}
