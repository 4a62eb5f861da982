// Training by epochs: the loop that trials and the making of teachers share. What a step computes is in training.ts.
import type { HostTensor } from '@embed-kd/core'

import { trainingBatches, type Batch } from '../data/batches.js'
import type { Subset } from '../data/subsets.js'
import type { Report } from './protocol.js'
import type { StepMetrics, Training } from './training.js'

export interface EpochsPlan {
  readonly training: Training
  readonly subset: Subset
  readonly batch: number
  readonly epochs: number
  readonly seed: number
  /** Graph inputs of a batch. */
  readonly tensorsOf: (batch: Batch) => ReadonlyMap<string, HostTensor>
  /** Called after each epoch, with the epoch from 1; its time does not count as training. */
  readonly afterEpoch: (epoch: number, summary: EpochSummary) => Promise<void>
  /** Called with the metrics of a step, at most `curvePoints` times over all epochs; steps count from 1. */
  readonly onMetrics?: (step: number, metrics: StepMetrics) => void
  readonly report: Report
}

export interface EpochSummary {
  /** Mean over the steps that were looked at. */
  readonly trainLoss: number
  readonly seconds: number
  /** Of these, spent on making batches. */
  readonly dataSeconds: number
}

/** A curve of more points shows no more, and each point has the host wait for the device. */
const CURVE_POINTS = 400

/** @throws NonFiniteLossError */
export async function trainEpochs(plan: EpochsPlan): Promise<void> {
  const { training, subset, batch, epochs, seed, tensorsOf, afterEpoch, onMetrics, report } = plan
  let taken = 0
  for (let epoch = 0; epoch < epochs; epoch++) {
    const batches = trainingBatches(subset, { size: batch, seed, epoch })
    const total = batches.length * epochs
    const lookEvery = Math.ceil(total / CURVE_POINTS)
    const losses: number[] = []
    let dataSeconds = 0
    const start = performance.now()
    for (let step = 0; step < batches.length; step++) {
      const asked = performance.now()
      const tensors = tensorsOf(batches.read(step))
      dataSeconds += (performance.now() - asked) / 1000
      await training.step(tensors)
      taken++
      if (taken % lookEvery === 0 || step === batches.length - 1) {
        const metrics = await training.metrics()
        losses.push(metrics.loss)
        onMetrics?.(taken, metrics)
      }
      report({ phase: 'training', done: taken, total })
    }
    const seconds = (performance.now() - start) / 1000
    const trainLoss = losses.reduce((sum, loss) => sum + loss, 0) / losses.length
    await afterEpoch(epoch + 1, { trainLoss, seconds, dataSeconds })
  }
}
