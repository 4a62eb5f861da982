// Training by epochs: the loop that trials and the making of teachers share. What a step computes is in training.ts.
import type { HostTensor } from '@embed-kd/core'

import type { Batch } from '../data/batches.js'
import type { Report } from './protocol.js'
import type { StepMetrics, Training } from './training.js'

export interface EpochsPlan {
  readonly training: Training
  readonly epochs: number
  /** Epochs that were trained before, where training goes on; default 0. */
  readonly done?: number
  /** Of an epoch, from 0; as many in each. */
  readonly batchesOf: (epoch: number) => {
    readonly length: number
    read(step: number): Batch | Promise<Batch>
  }
  /** Graph inputs of a batch. */
  readonly tensorsOf: (
    batch: Batch,
    epoch: number,
  ) => ReadonlyMap<string, HostTensor> | Promise<ReadonlyMap<string, HostTensor>>
  /** Graph inputs that a live teacher computes of a batch: its time counts as training, not as waiting for data. */
  readonly liveTeacher?: (batch: Batch, epoch: number) => Promise<ReadonlyMap<string, HostTensor>>
  /** Called after each step. */
  readonly afterStep?: () => Promise<void>
  /** Called after each epoch, with the epoch from 1; its time does not count as training. Returns 'stop' for the last. */
  readonly afterEpoch: (epoch: number, summary: EpochSummary) => Promise<void | 'stop'>
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
  const { training, epochs, done = 0, batchesOf, tensorsOf, onMetrics, report } = plan
  let taken = training.steps
  for (let epoch = done; epoch < epochs; epoch++) {
    const batches = batchesOf(epoch)
    const total = batches.length * epochs
    const lookEvery = Math.ceil(total / CURVE_POINTS)
    const losses: number[] = []
    let dataSeconds = 0
    const start = performance.now()
    for (let step = 0; step < batches.length; step++) {
      const asked = performance.now()
      const batch = await batches.read(step)
      let tensors = await tensorsOf(batch, epoch)
      dataSeconds += (performance.now() - asked) / 1000
      if (plan.liveTeacher)
        tensors = new Map([...tensors, ...(await plan.liveTeacher(batch, epoch))])
      await training.step(tensors)
      await plan.afterStep?.()
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
    if ((await plan.afterEpoch(epoch + 1, { trainLoss, seconds, dataSeconds })) === 'stop') return
  }
}
