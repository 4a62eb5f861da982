// One run: it trains a student, reports steps and snapshots to the page, and keeps its state in the browser.
import { methods, UserError } from '@embed-kd/core'
import type { EpochPosition, StepReport, Trainer } from '@embed-kd/distill'

import type { OpenDevice } from './device.js'
import type { Dataset, Embeddings, FromWorker, RunSettings } from './messages.js'
import { makeRecord, type Metadata } from './record.js'
import { SnapshotTaker } from './snapshot.js'
import { keepRun, type SavedRun } from './store.js'
import { createTrainer, stepsPerEpoch } from './training.js'

export interface RunInputs {
  readonly device: OpenDevice
  readonly dataset: Dataset
  readonly teacher?: { readonly embeddings: Embeddings; readonly metadata: Metadata } | undefined
  readonly settings: RunSettings
  /** Runs that follow, kept with this one. */
  readonly next: readonly RunSettings[]
  /** Called between two steps, when the device is free. */
  between(): Promise<void>
  readonly saved?: SavedRun | undefined
  say(message: FromWorker): void
}

/** Time between two snapshots, as a multiple of the time that a snapshot takes. */
const SNAPSHOT_SHARE = 6
/** Milliseconds between two times that the run is kept. */
const KEEP_EVERY = 5000

export class Run {
  readonly trainer: Trainer
  readonly #inputs: RunInputs
  readonly #snapshots: SnapshotTaker
  readonly #points: SavedRun['points'][number][]
  readonly #epochs: SavedRun['epochs'][number][]
  readonly #stepSeconds: number[]
  readonly #startedAt: Date
  readonly #began = performance.now()
  #position: EpochPosition | undefined
  /** Position of the last step whose loss was read. */
  #read: Pick<EpochPosition, 'steps' | 'seconds'>
  #nextSnapshot = 0
  #nextKeep = performance.now() + KEEP_EVERY

  private constructor(trainer: Trainer, inputs: RunInputs) {
    const { dataset, teacher, saved } = inputs
    this.trainer = trainer
    this.#inputs = inputs
    this.#snapshots = new SnapshotTaker(dataset, teacher?.embeddings)
    this.#points = [...(saved?.points ?? [])]
    this.#epochs = [...(saved?.epochs ?? [])]
    this.#stepSeconds = [...(saved?.stepSeconds ?? [])]
    this.#startedAt = saved?.startedAt ?? new Date()
    this.#position = saved?.position
    this.#read = saved?.position ?? { steps: 0, seconds: 0 }
  }

  /** Begins a run, or resumes a saved one. @throws UserError if settings, images and embeddings do not go together. */
  static async begin(inputs: RunInputs): Promise<Run> {
    const { device, dataset, teacher, settings, saved, say } = inputs
    if (saved && saved.dataset !== dataset.name)
      throw new UserError(
        `the kept run learns from ${saved.dataset}, but the images at hand are ${dataset.name}`,
        `choose the folder ${saved.dataset} again, then resume`,
      )
    say({
      type: 'started',
      settings,
      points: saved?.points ?? [],
      totalSteps: settings.epochs * stepsPerEpoch(dataset, settings),
    })
    const trainer = await createTrainer(device.backend, dataset, teacher?.embeddings, settings)
    if (saved) await trainer.restore(saved.checkpoint)
    return new Run(trainer, inputs)
  }

  /** Trains to the end. @throws the signal's reason if the run is paused; the run is kept then. */
  async train(signal: AbortSignal): Promise<void> {
    const { dataset, settings, say } = this.#inputs
    const epochs = this.trainer.fit(dataset.train, {
      epochs: settings.epochs,
      validation: dataset.test,
      signal,
      ...(this.#position ? { from: this.#position } : {}),
      onStep: (step) => this.#report(step),
    })
    await this.#snapshot()
    try {
      for await (const { epoch, accuracy = 0, trainLoss, seconds } of epochs) {
        const result = { epoch, accuracy, trainLoss, seconds }
        this.#epochs.push(result)
        await this.#snapshot()
        say({ type: 'epoch', epoch: result })
        await this.#keep()
      }
    } catch (error) {
      if (signal.aborted) await this.#keep()
      throw error
    }
  }

  /** Returns the record of the finished run as a line of JSON. */
  async record(): Promise<string> {
    const { device, dataset, teacher, settings } = this.#inputs
    const tensors = [...(await this.trainer.parameters()).values()]
    const record = makeRecord({
      settings,
      dataset,
      backend: device.backend,
      ...(teacher && methods[settings.method].teacher !== 'none' ? { teacher } : {}),
      parameterCount: tensors.reduce((sum, { data }) => sum + data.length, 0),
      points: this.#points,
      epochs: this.#epochs,
      stepSeconds: this.#stepSeconds,
      startedAt: this.#startedAt,
      wallSeconds: (performance.now() - this.#began) / 1000,
    })
    return `${JSON.stringify(record)}\n`
  }

  async #report({ step, metrics, position }: StepReport): Promise<void> {
    this.#position = position
    await this.#inputs.between()
    if (!metrics) return
    // Reading the loss waits for the device: the steps since the last reading have ended now.
    const before = position.steps > this.#read.steps ? this.#read : { steps: 0, seconds: 0 }
    this.#stepSeconds.push((position.seconds - before.seconds) / (position.steps - before.steps))
    this.#read = position
    this.#points.push([step, metrics.loss])
    const rate = (position.steps * this.#inputs.settings.batch) / position.seconds
    this.#inputs.say({ type: 'step', step, loss: metrics.loss, imagesPerSecond: rate })
    if (performance.now() >= this.#nextSnapshot) await this.#snapshot()
    if (performance.now() >= this.#nextKeep) await this.#keep()
  }

  async #snapshot(): Promise<void> {
    const began = performance.now()
    const snapshot = await this.#snapshots.take(this.trainer)
    this.#inputs.say({ type: 'snapshot', snapshot })
    const now = performance.now()
    this.#nextSnapshot = now + SNAPSHOT_SHARE * (now - began)
  }

  async #keep(): Promise<void> {
    const { settings, next, dataset } = this.#inputs
    await keepRun({
      settings,
      next,
      dataset: dataset.name,
      checkpoint: await this.trainer.export('checkpoint'),
      position: this.#position,
      points: this.#points,
      epochs: this.#epochs,
      stepSeconds: this.#stepSeconds,
      startedAt: this.#startedAt,
    })
    this.#nextKeep = performance.now() + KEEP_EVERY
  }
}
