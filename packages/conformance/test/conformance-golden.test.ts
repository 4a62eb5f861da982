// The reference gives what PyTorch gives: operators with their gradients, and student steps of all methods and both class
// losses.
import { describe, it } from 'vitest'
import { describeConformance } from '../src/index.js'
import { referenceBackend } from '@embed-kd/core'
import { goldenConformance } from '../src/golden/cases.js'

const reference = await referenceBackend.create('cpu')
describeConformance({ describe, it }, reference, goldenConformance(reference.capabilities))
