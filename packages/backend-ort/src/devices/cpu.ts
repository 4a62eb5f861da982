// ONNX Runtime's CPU execution provider, on onnxruntime-node.
import { availableParallelism, cpus } from 'node:os'
import { Profile } from '../profile.js'
import { nodeRuntime } from '../runtime.js'
import { cpuKernels, cpuOptions } from './cpu-kernels.js'
import type { Device } from './device.js'
import { hostMemory } from './host-memory.js'
import { planSession } from '../memory/plan-session.js'

/**
 * By default the runtime starts a thread for each of the machine's cores, also for cores that a scheduler or `taskset` keeps from
 * this process. Its threads would then wait for each other.
 */
const allowed = availableParallelism()
const threads = allowed < cpus().length ? { intraOpNumThreads: allowed } : {}

export const cpu: Device = {
  name: 'cpu',
  runtime: nodeRuntime,
  ...cpuKernels,
  // Only errors are logged, since the runtime warns of every hidden shape.
  sessionOptions: {
    ...cpuOptions,
    ...threads,
    executionProviders: ['cpu'],
    logSeverityLevel: 3,
  },
  hidesShapes: true,
  planMemory: planSession,
  profile: (graph) => new Profile(graph),
  writesOver: true,
  probe: async () => ({ available: true }),
  open: async (ort) => hostMemory(ort),
}
