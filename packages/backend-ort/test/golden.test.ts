// PyTorch's tensors on every device that can be used here: operators with their gradients, and student steps with all
// gradients and five AdamW steps.
import { describeConformance } from '@embed-kd/core/conformance'
import { describe, it } from 'vitest'
import { goldenConformance } from '../../core/test/golden-cases.js'
import { ortBackend } from '../src/index.js'
import { usableDevices } from './devices.js'

for (const device of await usableDevices()) {
  const backend = await ortBackend.create(device)
  describeConformance({ describe, it }, backend, goldenConformance(backend.capabilities))
}
