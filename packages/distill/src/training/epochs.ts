// Training by epochs: the loop that trials and the making of teachers share. What a step computes is in training.ts.
import type { HostTensor } from '@embed-kd/core'

import type { Batch } from '../node/data/batches.js'
import type { Report } from './progress.js'
import { NonFiniteLossError, type StepMetrics, type Training } from './training.js'

export interface EpochsPlan {
  readonly training: Training
  readonly epochs: number
  /** Where training goes on; default the beginning. */
  readonly from?: EpochPosition
  /** Of an epoch, from 0; as many in each. */
  readonly batchesOf: (epoch: number) => {
    readonly length: number
    read(step: number): Batch | Promise<Batch>
  }
  /** Graph inputs of a batch. */
  readonly tensorsOf: (batch: Batch) => ReadonlyMap<string, HostTensor>
  /** Graph inputs that a live teacher computes of a batch: its time counts as training, not as waiting for data. */
  readonly liveTeacher?: (batch: Batch) => Promise<ReadonlyMap<string, HostTensor>>
  /** Called after each step. */
  readonly afterStep?: () => Promise<void>
  /** Called after every so many steps that do not end an epoch; its time does not count as training. */
  readonly within?: { readonly steps: number; call(position: EpochPosition): Promise<void> }
  /** Called after each epoch, with the epoch from 1; its time does not count as training. Returns 'stop' for the last. */
  readonly afterEpoch: (epoch: number, summary: EpochSummary) => Promise<void | 'stop'>
  /** Called with the metrics of a step, at most `curvePoints` times over all epochs; steps count from 1. */
  readonly onMetrics?: (step: number, metrics: StepMetrics) => void
  readonly report: Report
}

/** Where training stands between two steps, and what the summary of the epoch will need. */
export interface EpochPosition {
  /** Epochs that are over. */
  readonly epochs: number
  /** Steps of the next. */
  readonly steps: number
  /** Of these, the losses that were looked at and finite. */
  readonly losses: readonly number[]
  readonly seconds: number
  readonly dataSeconds: number
}

const beginning = { epochs: 0, steps: 0, losses: [], seconds: 0, dataSeconds: 0 }

export interface EpochSummary {
  /** Mean over the steps that were looked at. */
  readonly trainLoss: number
  readonly seconds: number
  /** Of these, spent on making batches. */
  readonly dataSeconds: number
}

/** A curve of more points shows no more, and each point has the host wait for the device. */
const CURVE_POINTS = 400

/** @throws NonFiniteLossError, NonFiniteGradientsError */
export async function trainEpochs(plan: EpochsPlan): Promise<void> {
  const { training, epochs, batchesOf, tensorsOf, onMetrics, report, within } = plan
  let taken = training.steps
  let position: EpochPosition = plan.from ?? beginning
  for (let epoch = position.epochs; epoch < epochs; epoch++) {
    const batches = batchesOf(epoch)
    const total = batches.length * epochs
    const lookEvery = Math.ceil(total / CURVE_POINTS)
    const losses = [...position.losses]
    let { dataSeconds } = position
    let start = performance.now() - 1000 * position.seconds
    for (let step = position.steps; step < batches.length; step++) {
      const asked = performance.now()
      const batch = await batches.read(step)
      let tensors = tensorsOf(batch)
      dataSeconds += (performance.now() - asked) / 1000
      if (plan.liveTeacher) tensors = new Map([...tensors, ...(await plan.liveTeacher(batch))])
      await training.step(tensors)
      await plan.afterStep?.()
      taken++
      if (taken % lookEvery === 0 || step === batches.length - 1) {
        const metrics = await training.metrics()
        if (Number.isFinite(metrics.loss)) losses.push(metrics.loss)
        onMetrics?.(taken, metrics)
      }
      if (within && taken % within.steps === 0 && step < batches.length - 1) {
        const paused = performance.now()
        const seconds = (paused - start) / 1000
        await within.call({ epochs: epoch, steps: step + 1, losses, seconds, dataSeconds })
        start += performance.now() - paused
      }
      report({ phase: 'training', done: taken, total })
    }
    if (losses.length === 0) throw new NonFiniteLossError(NaN, taken)
    position = beginning
    const seconds = (performance.now() - start) / 1000
    const trainLoss = losses.reduce((sum, loss) => sum + loss, 0) / losses.length
    if ((await plan.afterEpoch(epoch + 1, { trainLoss, seconds, dataSeconds })) === 'stop') return
  }
}
