// The reference gives what PyTorch gives, operators and their gradients, within what float32 allows PyTorch.
import { describe, it } from 'vitest'
import { describeConformance } from '../src/conformance/index.js'
import { referenceBackend } from '../src/index.js'
import { goldenOperatorCases } from './golden-operators.js'

const reference = await referenceBackend.create('cpu')
describeConformance({ describe, it }, reference, goldenOperatorCases(reference.capabilities))
