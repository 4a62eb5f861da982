// Profiles a trial's training step with the runtime's own profiler: the time of each operator. The profiler slows the step
// down a little, so that step times are measured in another process.
import { UserError, type Backend, type ProfiledExecutable } from '@embed-kd/core'
import type { Report } from '@embed-kd/distill'
import { Feed, openBackend } from '@embed-kd/distill/node'

import type { StepProfile } from '../measure/operators.js'
import { loadTrialData, splitsOf } from './config.js'
import { firstBatches, imageBatches, openTrainer } from './open-trainer.js'
import type { TrialJob } from './protocol.js'
import { openTrialSignal } from './signals.js'

/** Steps that are not counted: the runtime still allocates memory and packs weights. */
const WARMUP_STEPS = 3
const STEPS = 10

/** Profiles a trial's step. @throws UserError if the backend has no profiler. */
export async function profileTrial(job: TrialJob, report: Report): Promise<StepProfile> {
  const { config } = job
  report({ phase: 'loading', done: 0, total: 1 })
  const backend = await openBackend(config.backend, config.precision)
  const compiled: ProfiledExecutable[] = []
  const profiling = profilingBackend(backend, compiled)
  const dataset = await loadTrialData(config)
  const { train } = splitsOf(dataset, config)
  const feed = new Feed(dataset)
  report({ phase: 'compiling', done: 0, total: 1 })
  const signal = await openTrialSignal(job, feed, dataset, backend)
  const images = train.indices.length
  const trainer = await openTrainer(profiling, config, dataset, feed, signal, images)
  const imageBatch = imageBatches(feed, signal)
  const batches = firstBatches(train, config, signal)
  const total = WARMUP_STEPS + STEPS
  for (let step = 0; step < total; step++) {
    report({ phase: 'profiling', done: step, total })
    await trainer.step(imageBatch(await batches.read(step % batches.length)))
    await trainer.metrics()
  }
  const operators = []
  for (const executable of compiled) {
    const runs = await executable.endProfile()
    operators.push(...runs.slice((WARMUP_STEPS * runs.length) / total).flat())
  }
  await trainer.dispose()
  await signal.dispose()
  await backend.dispose()
  return { steps: STEPS, operators }
}

/** Returns a backend that compiles with profiling, and adds what it compiles to `compiled`. */
function profilingBackend(backend: Backend, compiled: ProfiledExecutable[]): Backend {
  const { name, capabilities, versions } = backend
  if (!backend.compileProfiled)
    throw new UserError(
      `${name} cannot profile its operators`,
      'use a backend that can, such as ort:cpu',
    )
  return {
    name,
    capabilities,
    versions,
    async compile(graph) {
      const executable = await backend.compileProfiled!(graph)
      compiled.push(executable)
      return executable
    },
    upload: (tensor) => backend.upload(tensor),
    read: (buffer) => backend.read(buffer),
    synchronize: () => backend.synchronize(),
    memory: () => backend.memory(),
    dispose: () => backend.dispose(),
  }
}
