// The loop over epochs and steps, shared by all trainings. The computation of a step is in training.ts.
import { UserError } from '@embed-kd/core'

import { batchesFrom, openBatches, type BatchSource, type ImageBatch } from './batch.js'
import { NonFiniteLossError, type StepMetrics } from './training.js'
import { eventTurn } from './turn.js'

/** Position of training between two steps, with the sums that the summary of the unfinished epoch needs. */
export interface EpochPosition {
  /** Number of finished epochs. */
  readonly epochs: number
  /** Number of steps of the next epoch that are done. */
  readonly steps: number
  /** Losses of these steps that were read, and finite. */
  readonly losses: readonly number[]
  readonly seconds: number
  /** Part of `seconds` that was spent on waiting for batches. */
  readonly dataSeconds: number
}

export const beginning: EpochPosition = {
  epochs: 0,
  steps: 0,
  losses: [],
  seconds: 0,
  dataSeconds: 0,
}

/** One step, as an observer sees it. */
export interface StepReport {
  /** Number of steps since the start of training. */
  readonly step: number
  /** Number of steps when this training ends, if known. */
  readonly totalSteps: number | undefined
  /** Losses; read of at most 400 steps and of the last one of each epoch, since reading waits for the device. */
  readonly metrics: StepMetrics | undefined
  /** Position after this step: with the trainer's state, all that resuming needs. */
  readonly position: EpochPosition
  /** Whether this step is the last one of its epoch. */
  readonly endsEpoch: boolean
}

export interface EpochSummary {
  /** Number of the epoch, from 1. */
  readonly epoch: number
  /** Number of steps since the start of training. */
  readonly steps: number
  /** Mean loss over the steps that were read. */
  readonly trainLoss: number
  /** Time of the steps and of waiting for batches. */
  readonly seconds: number
  /** Part of `seconds` that was spent on waiting for batches. */
  readonly dataSeconds: number
}

export interface EpochsPlan {
  readonly source: BatchSource
  /** Number of epochs after which training ends, those before `from` included. */
  readonly epochs: number
  readonly from: EpochPosition
  /** Number of batches of an epoch, if known. */
  readonly stepsPerEpoch: number | undefined
  readonly signal: AbortSignal | undefined
  /** Called after each step; its time does not count as training. */
  readonly onStep: ((step: StepReport) => void | Promise<void>) | undefined
}

/** The training that the loop drives. */
export interface Steps {
  /** Number of steps so far. */
  readonly steps: number
  /** Trains on one batch. */
  step(batch: ImageBatch): Promise<void>
  metrics(): Promise<StepMetrics>
}

/** Number of steps whose losses are read at most: more points show nothing new in a curve, and each read waits for the device. */
const READ_STEPS = 400
/** Number of steps between two reads of the loss, if the number of all steps is unknown. */
const READ_EVERY = 10

/** Returns the number of batches of an epoch, if the source knows. */
export const countBatches = (source: BatchSource, epoch: number): number | undefined =>
  openBatches(source, epoch).length

/**
 * Runs the steps of each epoch, and yields a summary after each.
 * @throws NonFiniteLossError, NonFiniteGradientsError, the reason of an aborted signal.
 */
export async function* runEpochs(training: Steps, plan: EpochsPlan): AsyncGenerator<EpochSummary> {
  const { source, epochs, stepsPerEpoch, signal, onStep } = plan
  const totalSteps =
    stepsPerEpoch === undefined
      ? undefined
      : training.steps + stepsPerEpoch * (epochs - plan.from.epochs) - plan.from.steps
  const readEvery =
    stepsPerEpoch === undefined ? READ_EVERY : Math.ceil((stepsPerEpoch * epochs) / READ_STEPS)
  let position = plan.from
  for (let epoch = position.epochs; epoch < epochs; epoch++) {
    const losses = [...position.losses]
    let { steps, dataSeconds } = position
    let start = performance.now() - 1000 * position.seconds
    const seconds = () => (performance.now() - start) / 1000
    const batches = batchesFrom(openBatches(source, epoch), steps)[Symbol.asyncIterator]()
    const next = async () => {
      const asked = performance.now()
      const result = await batches.next()
      dataSeconds += (performance.now() - asked) / 1000
      return result.done ? undefined : result.value
    }
    let last = stepsPerEpoch !== undefined && steps >= stepsPerEpoch
    while (!last) {
      await eventTurn()
      signal?.throwIfAborted()
      const batch = await next()
      if (!batch) break
      await training.step(batch)
      steps++
      last = steps === stepsPerEpoch
      let metrics: StepMetrics | undefined
      if (training.steps % readEvery === 0 || last) {
        metrics = await training.metrics()
        if (Number.isFinite(metrics.loss)) losses.push(metrics.loss)
      }
      if (!onStep) continue
      const paused = performance.now()
      position = { epochs: epoch, steps, losses, seconds: seconds(), dataSeconds }
      await onStep({ step: training.steps, totalSteps, metrics, position, endsEpoch: last })
      start += performance.now() - paused
    }
    await batches.return(undefined)
    if (steps === 0)
      throw new UserError(
        'an epoch has no whole batch',
        'choose a smaller batch, or give batches anew for each epoch: a function (epoch) => batches',
      )
    if (losses.length === 0) {
      const { loss } = await training.metrics()
      if (!Number.isFinite(loss)) throw new NonFiniteLossError(NaN, training.steps)
      losses.push(loss)
    }
    position = beginning
    const trainLoss = losses.reduce((sum, loss) => sum + loss, 0) / losses.length
    yield { epoch: epoch + 1, steps: training.steps, trainLoss, seconds: seconds(), dataSeconds }
  }
}
