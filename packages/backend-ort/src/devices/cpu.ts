// The CPU execution provider: tensors are host memory, and a run has finished when it returns.
import type { HostTensor } from '@embed-kd/core'
import { emitters, matmulFused, nativeComposites } from '../emitters.js'
import type { Device } from './device.js'

export const cpu: Device = {
  name: 'cpu',
  capabilities: {
    composites: nativeComposites,
    dtypes: ['float32', 'int32', 'bool'],
    precision: { arithmetic: 6e-8, transcendental: 3e-7 },
    deterministic: true,
    reusesDonated: false,
    denormals: true,
    excuses: [],
  },
  emitters: { ...emitters, matmul: matmulFused },
  sessionOptions: {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    // Both keep memory for later that a step of fixed shapes does not need: together they double the peak.
    enableMemPattern: false,
    enableCpuMemArena: false,
    // Threads spin while a graph runs, never between runs: idle sessions must not slow the others.
    extra: { session: { force_spinning_stop: '1' } },
  },
  probe: async () => ({ available: true }),
  upload: async (ort, { dtype, shape, data }) => new ort.Tensor(dtype, data.slice(), shape),
  download: async (_, tensor) => (tensor.data as HostTensor['data']).slice(),
}
