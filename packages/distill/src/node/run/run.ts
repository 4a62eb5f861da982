// Trains a classifier to be used: a student with any method, or a teacher. Epoch by epoch, with a checkpoint after each or more often,
// the best chosen on images held out of the training split, and the test split looked at once, at the end.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import {
  initialParameters,
  parseSafetensors,
  presets,
  Random,
  scheduleOf,
  studentSpecs,
  type Backend,
  type ClassifierConfig,
  type DeviceBuffer,
  type HostTensor,
  type Precision,
  type Preset,
  type PresetSettings,
  type Rematerialise,
  type TrainConfig,
} from '@embed-kd/core'

import { BackgroundBatches } from '../data/background.js'
import type { Dataset } from '../data/dataset.js'
import { holdOut, wholeSplit, type Subset } from '../data/subsets.js'
import { UserError, messageOf } from '@embed-kd/core'
import { writeTensors } from '../files/tensors.js'
import { microBatchOf } from '../../training/micro-batch.js'
import { trainEpochs, type EpochPosition } from '../../training/epochs.js'
import { Evaluation } from '../../training/evaluation.js'
import { Feed } from '../data/feed.js'
import type { Report } from '../../training/progress.js'
import { disposeAll, Training, upload, type LossScale } from '../../training/training.js'
import { readCheckpoint, writeCheckpoint, type EpochNote, type RunProgress } from './checkpoint.js'
import { Ema } from '../../training/ema.js'
import type { Signal } from './signal.js'
import { classification, type Classification } from '../../training/classification.js'
import { EventWriter } from './tensorboard.js'

export interface RunConfig {
  /** Directory of checkpoints and curves. */
  readonly out: string
  readonly dataset: Dataset
  readonly model: ClassifierConfig
  readonly preset: Preset
  readonly batch: number
  /** Images whose gradients are computed at a time, a divisor of batch; default all. */
  readonly microBatch?: number
  readonly rematerialise?: Rematerialise
  /** Of training steps; default float32. */
  readonly precision?: Precision
  readonly epochs: number
  readonly seed: number
  readonly learningRate: number
  readonly weightDecay: number
  /** Default the preset's. */
  readonly kdWeight?: number
  /** Of the learning rate; default the preset's. */
  readonly schedule?: PresetSettings['schedule']
  /** Share of each class of the training split that checkpoints are chosen on; 0 trains on all and takes the last. */
  readonly heldOut: number
  /** Average of the parameters that is evaluated and kept in their place, such as 0.999; default none. */
  readonly emaDecay?: number
  /** Epochs without a better checkpoint after which training ends; default never. */
  readonly patience?: number
  /** Steps between checkpoints within an epoch; default none. */
  readonly checkpointEvery?: number
  /** Go on from the last checkpoint, if there is one. */
  readonly resume: boolean
}

export interface RunResult {
  /** Parameters of the best checkpoint, by name. */
  readonly parameters: ReadonlyMap<string, HostTensor>
  readonly progress: RunProgress
  readonly steps: number
  /** With mixed precision. */
  readonly lossScale?: LossScale
  readonly test: Classification
}

/** Which images are held out does not depend on the seed, so that all runs train on the same ones. */
const HELD_OUT_SEED = 0

const PARAMETERS = 'state.parameters.'

/** @throws UserError where the directory holds another run, or the loss is not finite. */
export async function runTraining(
  backend: Backend,
  config: RunConfig,
  signal: Signal,
  report: Report,
  tell: (message: string) => void,
): Promise<RunResult> {
  const { out, dataset, model, batch, epochs, seed, emaDecay, checkpointEvery } = config
  const { training: subset, heldOut } = splitOf(config)
  if (subset.indices.length < batch)
    throw new UserError(
      `a batch of ${batch} needs as many images, there are ${subset.indices.length} to train on`,
      'choose a smaller --batch',
    )
  mkdirSync(out, { recursive: true })
  const files = { last: join(out, 'last.safetensors'), best: join(out, 'best.safetensors') }
  const identity = identityOf(config, signal)
  if (!config.resume && existsSync(files.last))
    throw new UserError(
      `${out} has a run in it already`,
      'give --resume to go on with it, or another --out',
    )
  const found = config.resume ? readCheckpoint(files.last, identity) : undefined

  const feed = new Feed(dataset)
  const trainConfig = trainConfigOf(config, signal, feed, Math.floor(subset.indices.length / batch))
  const { augmentation, store } = signal
  const loader = new BackgroundBatches({
    subset,
    size: batch,
    seed,
    augmentation,
    input: feed.input,
    ...(store === undefined ? {} : { store }),
  })
  const from = found && positionOf(found.progress)
  loader.prepare(from?.epochs ?? 0, from?.steps ?? 0)
  const first = initialParameters(studentSpecs(trainConfig), new Random(seed))
  const training = await Training.create(backend, trainConfig, first, signal.held, seed)
  if (found) {
    await training.restore(found.state)
    const { epochs: over, within } = found.progress
    tell(
      `going on after epoch ${over.length} of ${epochs}${within ? ` and ${within.steps} steps` : ''}`,
    )
  }
  const ema =
    emaDecay === undefined
      ? undefined
      : await Ema.create(backend, training.parameters, emaDecay, found?.average ?? byInput(first))
  const evaluation = await Evaluation.create(backend, feed, model)
  const events = new EventWriter(join(out, 'tensorboard'), Date.now())
  const writeLast = async (progress: RunProgress) => {
    const average = ema ? { average: await ema.read() } : {}
    writeCheckpoint(
      files.last,
      { state: await training.readState(), ...average, progress },
      identity,
    )
  }
  const progress: { epochs: EpochNote[]; bestEpoch: number } = found
    ? { epochs: [...found.progress.epochs], bestEpoch: found.progress.bestEpoch }
    : { epochs: [], bestEpoch: 0 }

  try {
    if (!isOver(progress, config))
      await trainEpochs({
        training,
        epochs,
        ...(from ? { from } : {}),
        batchesOf: (epoch) => loader.epoch(epoch),
        tensorsOf: (images) => feed.tensors(images),
        ...(signal.liveTeacher ? { liveTeacher: signal.liveTeacher } : {}),
        ...(ema ? { afterStep: () => ema.update(training.parameters) } : {}),
        onMetrics(step, { loss, classLoss, kdLoss, correct }) {
          const kd = kdLoss === undefined ? {} : { 'loss/distillation': kdLoss }
          const values = { 'loss/total': loss, 'loss/class': classLoss, ...kd }
          events.scalars(step, { ...values, 'accuracy/batch': correct / batch }, Date.now())
        },
        ...(checkpointEvery === undefined
          ? {}
          : {
              within: {
                steps: checkpointEvery,
                call: ({ epochs: _epochs, ...within }) => writeLast({ ...progress, within }),
              },
            }),
        async afterEpoch(epoch, { trainLoss, seconds, dataSeconds }) {
          const model = ema ? ema.parameters : training.parameters
          const accuracy = heldOut && (await evaluation.accuracy(model, heldOut))
          const note: EpochNote = {
            epoch,
            trainLoss,
            ...(accuracy === undefined ? {} : { heldOutAccuracy: accuracy }),
            seconds,
            dataWaitShare: dataSeconds / seconds,
          }
          progress.epochs.push(note)
          if (isBest(progress, note)) {
            progress.bestEpoch = epoch
            const best = ema ? await ema.read() : byInput(await training.readParameters())
            writeTensors(files.best, byName(best), { epoch: `${epoch}`, identity })
          }
          await writeLast(progress)
          const curves = {
            'epoch/train loss': trainLoss,
            'epoch/data wait share': note.dataWaitShare,
          }
          const held = accuracy === undefined ? {} : { 'epoch/held-out accuracy': accuracy }
          events.scalars(training.steps, { ...curves, ...held }, Date.now())
          tell(describeEpoch(note, epochs, await training.lossScale()))
          if (note.dataWaitShare > 0.5)
            tell(
              'most of the time is spent waiting for images: smaller ones, or a cache for decoded ones, would help',
            )
          return isOver(progress, config) ? 'stop' : undefined
        },
        report,
      })
  } finally {
    events.close()
    await loader.dispose()
  }
  const { steps } = training
  const lossScale = await training.lossScale()
  await training.dispose()
  await ema?.dispose()

  const { tensors: parameters } = parseSafetensors(readFileSync(files.best))
  const test = await testOf(backend, evaluation, parameters, dataset)
  await evaluation.dispose()
  return { parameters, progress, steps, ...(lossScale ? { lossScale } : {}), test }
}

function splitOf({ dataset, heldOut }: RunConfig): { training: Subset; heldOut?: Subset } {
  const all = wholeSplit(dataset, 'train')
  if (heldOut === 0) return { training: all }
  try {
    return holdOut(all, heldOut, HELD_OUT_SEED)
  } catch (error) {
    throw new UserError(messageOf(error), 'give another --held-out, or 0 for none')
  }
}

function trainConfigOf(
  config: RunConfig,
  { method, source }: Signal,
  { shape }: Feed,
  stepsPerEpoch: number,
): TrainConfig {
  const { model, preset, batch, epochs, learningRate, weightDecay, rematerialise } = config
  const { kdWeight, schedule, precision } = config
  const microBatch = microBatchOf(batch, config.microBatch)
  const settings = {
    ...presets[preset],
    ...(kdWeight === undefined ? {} : { kdWeight }),
    ...(schedule === undefined ? {} : { schedule }),
  }
  return {
    method,
    student: model,
    batch,
    images: shape,
    ...(source ? { teacher: source } : {}),
    settings,
    optimizer: { learningRate, weightDecay, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    schedule: scheduleOf(settings, epochs * stepsPerEpoch),
    ...(microBatch === undefined ? {} : { microBatch }),
    ...(rematerialise === undefined ? {} : { rematerialise }),
    ...(precision === undefined ? {} : { precision }),
  }
}

/** What the numbers of a run depend on. */
const identityOf = (
  {
    dataset,
    model,
    out: _out,
    resume: _resume,
    patience: _patience,
    checkpointEvery: _checkpointEvery,
    ...rest
  }: RunConfig,
  { method, augmentation, identity }: Signal,
): string =>
  JSON.stringify({
    ...rest,
    model,
    dataset: dataset.digest,
    method,
    augmentation,
    teacher: identity,
  })

const positionOf = ({ epochs, within }: RunProgress): EpochPosition => ({
  steps: 0,
  losses: [],
  seconds: 0,
  dataSeconds: 0,
  ...within,
  epochs: epochs.length,
})

/** Without held-out images the last is the best. */
const isBest = ({ epochs }: RunProgress, { heldOutAccuracy }: EpochNote): boolean =>
  heldOutAccuracy === undefined ||
  epochs.slice(0, -1).every((other) => heldOutAccuracy > (other.heldOutAccuracy ?? 0))

const isOver = ({ epochs, bestEpoch }: RunProgress, config: RunConfig): boolean =>
  epochs.length >= config.epochs ||
  (config.patience !== undefined && epochs.length - bestEpoch >= config.patience)

const byInput = (parameters: ReadonlyMap<string, HostTensor>) =>
  new Map([...parameters].map(([name, tensor]) => [`${PARAMETERS}${name}`, tensor]))

const byName = (inputs: ReadonlyMap<string, HostTensor>) =>
  new Map([...inputs].map(([name, tensor]) => [name.slice(PARAMETERS.length), tensor]))

async function testOf(
  backend: Backend,
  evaluation: Evaluation,
  parameters: ReadonlyMap<string, HostTensor>,
  dataset: Dataset,
): Promise<Classification> {
  const buffers: Record<string, DeviceBuffer> = await upload(backend, byInput(parameters))
  const predictions = await evaluation.predict(buffers, wholeSplit(dataset, 'test'))
  disposeAll(buffers)
  return classification(dataset.test.labels, predictions, dataset.classes)
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

const describeEpoch = (
  { epoch, trainLoss, heldOutAccuracy, seconds, dataWaitShare }: EpochNote,
  epochs: number,
  lossScale: LossScale | undefined,
): string =>
  [
    `epoch ${epoch}/${epochs}`,
    `loss ${trainLoss.toFixed(4)}`,
    ...(heldOutAccuracy === undefined ? [] : [`held-out accuracy ${percent(heldOutAccuracy)}`]),
    `${seconds.toFixed(1)} s`,
    `waited for data ${percent(dataWaitShare)}`,
    ...(lossScale
      ? [`loss scale ${lossScale.last} (steps skipped: ${lossScale.skippedSteps})`]
      : []),
  ].join('  ')
