// Where the time of a trial's training step goes, by the runtime's own profiler. In a process of its own, as all of a
// trial; it is no measurement of the step, which the profiler slows down a little.
import {
  initialParameters,
  Random,
  studentSpecs,
  type Backend,
  type ProfiledExecutable,
} from '@embed-kd/core'

import { openBackend } from '@embed-kd/distill/node'
import { trainingBatches } from '@embed-kd/distill/node'
import { UserError } from '@embed-kd/core'
import { splitsOf, trainConfigOf, loadTrialData } from './config.js'
import { Feed } from '@embed-kd/distill/node'
import type { Report } from '@embed-kd/distill'
import type { StepProfile, TrialJob } from './protocol.js'
import { loadSignals } from './signals.js'
import { Training } from '@embed-kd/distill'

/** The runtime allocates and packs in the first steps what later ones find. */
const WARMUP_STEPS = 3
const STEPS = 10

/** @throws UserError where the backend does not tell what time its operators take. */
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
  const data = { images: feed.shape, classes: dataset.classes, trainImages: train.indices.length }
  const trainConfig = trainConfigOf(config, data)
  const { batch: size, seed } = config
  const parameters = initialParameters(studentSpecs(trainConfig), new Random(seed))
  const { held, embeddingsOf } = loadSignals(job, feed, dataset)
  const training = await Training.create(profiling, trainConfig, parameters, held, seed)
  const batches = trainingBatches(train, { size, seed, epoch: 0 })
  const total = WARMUP_STEPS + STEPS
  for (let step = 0; step < total; step++) {
    report({ phase: 'profiling', done: step, total })
    const batch = await batches.read(step % batches.length)
    const tensors = feed.tensors(batch)
    if (embeddingsOf) tensors.set('batch.teacher_embeddings', embeddingsOf(batch))
    await training.step(tensors)
    await training.metrics()
  }
  const operators = []
  for (const executable of compiled) {
    const runs = await executable.endProfile()
    operators.push(...runs.slice((WARMUP_STEPS * runs.length) / total).flat())
  }
  await training.dispose()
  await backend.dispose()
  return { steps: STEPS, operators }
}

/** The same backend, but what it compiles is profiled, and kept in `compiled`. */
function profilingBackend(backend: Backend, compiled: ProfiledExecutable[]): Backend {
  const { name, capabilities, versions } = backend
  if (!backend.compileProfiled)
    throw new UserError(
      `${name} does not tell what time its operators take`,
      'use one that does, such as ort:cpu',
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
