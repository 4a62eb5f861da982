// Measures the memory of a trial's step in a process that does nothing else: no roofline, no clock, no training. The baseline
// is the same process before the step is compiled, after it has run a graph of next to no size.
import { hostScalar, op, spec, trace, type Backend } from '@embed-kd/core'
import type { Report } from '@embed-kd/distill'
import { Feed, openBackend } from '@embed-kd/distill/node'
import { median } from '@embed-kd/records'

import { countedPeak } from '../measure/cost.js'
import { collectGarbage, ownMemory, resetPeak, settleMemory } from '../measure/memory.js'
import { loadTrialData, runsBeside, splitsOf } from './config.js'
import { firstBatches, imageBatches, openTrainer } from './open-trainer.js'
import type { MemoryResult, Opened, TrialJob } from './protocol.js'
import { augmentationOf, openTrialSignal } from './signals.js'

/** Steps that are not counted: a runtime allocates its working memory in the first ones. */
const WARMUP_STEPS = 2
const SAMPLES = 5

/** Measures what a trial's step keeps and needs, beside what its process holds before. */
export async function measureMemory(
  job: TrialJob,
  report: Report,
  opened: Opened,
): Promise<MemoryResult> {
  const { config } = job
  const total = WARMUP_STEPS + SAMPLES
  const progress = (done: number) => report({ phase: 'measuring memory', done, total })
  progress(0)
  const backend = await openBackend(config.backend, config.precision, { keepsMemory: false })
  opened(backend.capabilities)
  const dataset = await loadTrialData(config)
  const { train } = splitsOf(dataset, config)
  const feed = new Feed(dataset)
  const open = () => openTrialSignal(job, feed, dataset, backend)
  // Stored embeddings are data, like the images. An encoder is part of what a step needs, so it is opened after the baseline.
  const stored = runsBeside(config) ? undefined : await open()
  const images = await firstBatches(train, config, stored ?? augmentationOf(config)).read(0)
  const made = stored && imageBatches(feed, stored)(images)
  await runNothing(backend)
  await settleMemory()
  const baselineRssBytes = ownMemory().rssBytes

  const signal = stored ?? (await open())
  const batch = made ?? imageBatches(feed, signal)(images)
  const trainer = await openTrainer(backend, config, dataset, feed, signal, train.indices.length)
  const peaks: number[] = []
  let residentRssBytes = 0
  let source: MemoryResult['source']
  for (let step = 0; step < total; step++) {
    progress(step)
    collectGarbage()
    residentRssBytes = ownMemory().rssBytes
    source = resetPeak() ? 'step' : 'process'
    await trainer.step(batch)
    await backend.synchronize()
    if (step >= WARMUP_STEPS) peaks.push(ownMemory().peakRssBytes)
  }
  const tensorPeakBytes = countedPeak(trainer.parts.map(({ executable }) => executable))
  const deviceBytes = backend.capabilities.hostMemory ? undefined : backend.memory().bytes
  await trainer.dispose()
  await signal.dispose()
  await backend.dispose()
  return {
    source,
    baselineRssBytes,
    residentRssBytes,
    peakRssBytes: median(peaks),
    peakSamplesRssBytes: peaks,
    ...(tensorPeakBytes === undefined ? {} : { tensorPeakBytes }),
    ...(deviceBytes === undefined ? {} : { deviceResidentBytes: deviceBytes }),
  }
}

/** Compiles and runs one addition, so that what a runtime loads for its first run is part of the baseline. */
async function runNothing(backend: Backend): Promise<void> {
  const graph = trace('nothing', { x: spec([]) }, ({ x }) => ({ y: op.add(x, x) }))
  const executable = await backend.compile(graph)
  const x = await backend.upload(hostScalar(1))
  const { y } = await executable.run({ x })
  await backend.synchronize()
  for (const buffer of [x, y!]) buffer.dispose()
  await executable.dispose()
}
