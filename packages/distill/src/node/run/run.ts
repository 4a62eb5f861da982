// Trains a student into a directory: epoch by epoch, with checkpoints and curves. The best epoch is chosen on images held out of the
// training split, and the test split is looked at once, at the end. Without labels, the last epoch is kept, and nothing is tested.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import {
  isClassifier,
  messageOf,
  methodName,
  parseSafetensors,
  UserError,
  type Backend,
  type HostTensor,
} from '@embed-kd/core'

import type { StudentConfig } from '../../models/students.js'
import type { Classification } from '../../training/classification.js'
import { microBatchOf, stepDefaults, type StepOptions } from '../../training/config.js'
import type { EpochPosition } from '../../training/epochs.js'
import { EVALUATION_BATCH } from '../../training/evaluation.js'
import type { Report } from '../../training/progress.js'
import { Trainer } from '../../training/trainer.js'
import type { LossScale } from '../../training/training.js'
import { keepContents, requireSameContents } from '../data/contents.js'
import { BackgroundBatches } from '../data/background.js'
import type { Dataset } from '../data/dataset.js'
import { Feed, mapBatches } from '../data/feed.js'
import { wholeSplit } from '../data/subsets.js'
import { FileLock } from '../files/lock.js'
import { isFull, writeFailure } from '../files/output-file.js'
import { writeTensors } from '../files/tensors.js'
import { readCheckpoint, writeCheckpoint, type EpochNote, type RunProgress } from './checkpoint.js'
import { judgeOf } from './epoch-judge.js'
import type { Signal } from './signal.js'
import { describeSplits, splitRun, type RunSplits } from './splits.js'
import { EventWriter } from './tensorboard.js'
import { makeDirectory } from '../files/make-directory.js'

export interface RunConfig extends StepOptions {
  /** Description of what is trained, for the first message. */
  readonly title: string
  /** Directory of checkpoints and curves. */
  readonly out: string
  readonly dataset: Dataset
  /** Digest of the module that the method comes from, if there is one: a run is not resumed with another. */
  readonly methodDigest?: string | undefined
  /** A classifier, or an encoder that learns without labels. */
  readonly model: StudentConfig
  readonly epochs: number
  readonly seed: number
  /** Share of each class of the training split on which the best epoch is chosen; 0 keeps the last epoch. */
  readonly heldOut: number
  /** Share of the other images of each class to train on; default: all. */
  readonly labels?: number | undefined
  /** Decay of an average of the parameters that is evaluated and kept in their place, such as 0.999; default none. */
  readonly ema?: number | undefined
  /** Number of epochs without a better one after which training ends; default: never. */
  readonly patience?: number | undefined
  /** Number of steps between checkpoints within an epoch; default: after each epoch only. */
  readonly checkpointEvery?: number | undefined
  /** Number of neighbours by which embeddings are judged after each epoch; default: they are not. */
  readonly knn?: number | undefined
  /** Initial values of parameters by name, such as pretrained weights. */
  readonly initial?: ReadonlyMap<string, HostTensor> | undefined
  /** Whether to go on from the last checkpoint, if there is one. */
  readonly resume: boolean
}

export interface RunObserver {
  readonly report: Report
  /** Receives one line of text at a time. */
  readonly tell: (message: string) => void
  /** Ends the run between two steps, after a checkpoint. */
  readonly signal?: AbortSignal | undefined
}

export interface RunResult {
  /** Parameters of the best epoch, by name. */
  readonly parameters: ReadonlyMap<string, HostTensor>
  readonly progress: RunProgress
  readonly steps: number
  /** Absent in float32. */
  readonly lossScale?: LossScale
  /** Absent if the student has no classifier. */
  readonly test?: Classification
}

/** A run was interrupted, and can be resumed. */
export class InterruptedError extends UserError {
  override readonly name = 'InterruptedError'
}

/** Images of a step: no more than there are to train on. */
export const batchFor = (batch: number, { training }: RunSplits): number =>
  Math.min(batch, training.indices.length)

/**
 * Runs a training into `out`.
 * @throws UserError if the directory holds another run or is in use, or the loss is not finite; InterruptedError.
 */
export async function runTraining(
  backend: Backend,
  config: RunConfig,
  signal: Signal,
  observer: RunObserver,
): Promise<RunResult> {
  makeRunDirectory(config.out)
  try {
    const lock = FileLock.take(join(config.out, 'run.lock'), {
      holder: 'training run',
      remedy: 'wait for it to end, or give another --out',
    })
    try {
      return await train(backend, config, signal, observer)
    } finally {
      lock.release()
    }
  } catch (error) {
    if (!isFull(error)) throw error
    throw writeFailure(config.out, error, 'run the same command with --resume')
  }
}

async function train(
  backend: Backend,
  config: RunConfig,
  signal: Signal,
  { report, tell, signal: abort }: RunObserver,
): Promise<RunResult> {
  const { out, dataset, model, epochs, seed, checkpointEvery } = config
  const files = {
    last: join(out, 'last.safetensors'),
    best: join(out, 'best.safetensors'),
    data: join(out, 'data.json'),
  }
  if (!config.resume && existsSync(files.last))
    throw new UserError(
      `${out} has a run in it already`,
      'give --resume to go on with it, or another --out',
    )
  const labelled = isClassifier(model)
  const splits = splitRun(dataset, { ...config, labelled }, tell)
  const asked = config.batch ?? stepDefaults.batch
  const batch = batchFor(asked, splits)
  if (batch < asked)
    tell(`a batch is all ${batch} images there are to train on, instead of ${asked}`)
  microBatchOf(batch, config.microBatch)

  const identity = identityOf({ ...config, batch }, signal)
  if (config.resume) await requireSameContents(files.data, dataset)
  const found = config.resume ? readCheckpoint(files.last, identity) : undefined
  keepContents(files.data, dataset)
  tell(describeSplits(dataset, splits))
  tell(config.title)
  const from = found && positionOf(found.progress)
  const feed = new Feed(dataset)
  const { augmentation, store } = signal
  const loader = new BackgroundBatches({
    subset: splits.training,
    size: batch,
    seed,
    augmentation,
    input: feed.input,
    ...(store === undefined ? {} : { store }),
  })
  loader.prepare(from?.epochs ?? 0, from?.steps ?? 0)
  const stepsPerEpoch = Math.floor(splits.training.indices.length / batch)
  const trainer = (await Trainer.create({
    ...config,
    backend,
    batch,
    student: model,
    classes: labelled ? model.classes : undefined,
    images: { ...feed.shape, mean: feed.input.mean, std: feed.input.std },
    method: signal.method as 'cached-kd',
    teacher: signal.teacher as { samples: { width: number } },
    totalSteps: epochs * stepsPerEpoch,
  })) as Trainer
  const judge = judgeOf(config, { backend, trainer, feed, splits, tell })
  if (found) {
    await trainer.restore(found.state)
    tell(describeResume(found.progress, found.epochs, config, stepsPerEpoch))
  }
  const events = new EventWriter(join(out, 'tensorboard'), Date.now())
  if (found) events.start(trainer.steps, Date.now())
  const progress: { epochs: EpochNote[]; bestEpoch: number } = {
    epochs: [...(found?.progress.epochs ?? [])],
    bestEpoch: found?.progress.bestEpoch ?? 0,
  }
  let position: EpochPosition | undefined
  const checkpoint = async ({ epochs: _epochs, ...within }: EpochPosition) =>
    writeCheckpoint(
      files.last,
      { state: await trainer.state(), progress: { ...progress, within }, epochs },
      identity,
    )

  try {
    if (!isOver(progress, config)) {
      const fitting = trainer.fit(
        (epoch) => mapBatches(loader.epoch(epoch), (made) => feed.imageBatch(made)),
        {
          epochs,
          stepsPerEpoch,
          signal: abort,
          ...(from ? { from } : {}),
          async onStep({ step, totalSteps, metrics, position: now, endsEpoch }) {
            position = endsEpoch ? undefined : now
            if (metrics) {
              const { loss, classLoss, kdLoss, correct, learningRate } = metrics
              events.scalars(step, {
                'loss/total': loss,
                'loss/class': classLoss,
                'loss/distillation': kdLoss,
                'accuracy/batch': correct === undefined ? undefined : correct / batch,
                'learning rate': learningRate,
              })
            }
            if (checkpointEvery !== undefined && step % checkpointEvery === 0 && !endsEpoch)
              await checkpoint(now)
            report({ phase: 'training', done: step, total: totalSteps! })
          },
        },
      )
      for await (const { epoch, trainLoss, seconds, dataSeconds } of fitting) {
        const accuracy =
          splits.heldOut &&
          (await trainer.evaluate(feed.evaluationBatches(splits.heldOut, EVALUATION_BATCH)))
            .accuracy
        const neighbours = await judge?.()
        const note: EpochNote = {
          epoch,
          trainLoss,
          ...(accuracy === undefined ? {} : { heldOutAccuracy: accuracy }),
          ...(neighbours === undefined ? {} : { knnAccuracy: neighbours }),
          seconds,
          dataWaitShare: dataSeconds / seconds,
        }
        progress.epochs.push(note)
        if (isBest(progress, note)) {
          progress.bestEpoch = epoch
          writeTensors(files.best, await trainer.parameters(), { epoch: `${epoch}`, identity })
        }
        writeCheckpoint(files.last, { state: await trainer.state(), progress, epochs }, identity)
        events.scalars(trainer.steps, {
          'epoch/train loss': trainLoss,
          'epoch/data wait share': note.dataWaitShare,
          'epoch/held-out accuracy': accuracy,
          'epoch/k-NN accuracy': neighbours,
        })
        tell(describeEpoch(note, epochs, await trainer.lossScale()))
        if (note.dataWaitShare > 0.5)
          tell(
            'most of the time is spent waiting for images: smaller ones, or a larger --cache-limit, would help',
          )
        if (isOver(progress, config)) break
      }
    }
    const { tensors: parameters } = parseSafetensors(readFileSync(files.best))
    const test = labelled ? await testOf(trainer, parameters, feed, dataset) : undefined
    const { steps } = trainer
    const lossScale = await trainer.lossScale()
    return {
      parameters,
      progress,
      steps,
      ...(lossScale ? { lossScale } : {}),
      ...(test ? { test } : {}),
    }
  } catch (error) {
    if (!abort?.aborted || error !== abort.reason) throw error
    if (position) await checkpoint(position)
    throw interrupted(progress, position, config)
  } finally {
    events.close()
    await loader.dispose()
    await trainer.dispose()
  }
}

/** Evaluates parameters on the test split. */
const testOf = (
  trainer: Trainer,
  parameters: RunResult['parameters'],
  feed: Feed,
  dataset: Dataset,
): Promise<Classification> =>
  trainer.evaluate(
    feed.evaluationBatches(wholeSplit(dataset, 'test'), EVALUATION_BATCH),
    parameters,
  )

/** @throws UserError if the directory cannot be made. */
function makeRunDirectory(out: string): void {
  try {
    makeDirectory(out)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new UserError(
      code === 'EEXIST' || code === 'ENOTDIR'
        ? `${out} is not a directory`
        : `the directory ${out} cannot be made (${messageOf(error)})`,
      'give another --out',
    )
  }
}

/** Settings that the numbers of a run depend on. More epochs lengthen a run, so they are not among them. */
const identityOf = (config: RunConfig, { method, augmentation, identity }: Signal): string => {
  const {
    dataset,
    out: _out,
    resume: _resume,
    patience: _patience,
    knn: _knn,
    checkpointEvery: _checkpointEvery,
    epochs: _epochs,
    title: _title,
    initial,
    ...rest
  } = config
  return JSON.stringify({
    ...rest,
    dataset: dataset.digest,
    method: methodName(method),
    augment: augmentation,
    teacher: identity,
    ...(initial ? { init: [...initial.keys()] } : {}),
  })
}

const positionOf = ({ epochs, within }: RunProgress): EpochPosition => ({
  steps: 0,
  losses: [],
  seconds: 0,
  dataSeconds: 0,
  ...within,
  epochs: epochs.length,
})

/** Without held-out images, the last epoch is the best. */
const isBest = ({ epochs }: RunProgress, { heldOutAccuracy }: EpochNote): boolean =>
  heldOutAccuracy === undefined ||
  epochs.slice(0, -1).every((other) => heldOutAccuracy > (other.heldOutAccuracy ?? 0))

const isOver = ({ epochs, bestEpoch }: RunProgress, config: RunConfig): boolean =>
  epochs.length >= config.epochs ||
  (config.patience !== undefined && epochs.length - bestEpoch >= config.patience)

/** Describes the position at which a run goes on, and the effect on the schedule if it is lengthened. */
function describeResume(
  { epochs: done, within }: RunProgress,
  planned: number | undefined,
  config: RunConfig,
  stepsPerEpoch: number,
): string {
  const { epochs, schedule, preset = stepDefaults.preset } = config
  const where = `going on after epoch ${done.length} of ${epochs}${within ? ` and ${within.steps} steps` : ''}`
  if (planned === undefined || planned === epochs) return where
  const constant = schedule === 'constant' || (schedule === undefined && preset === 'paper')
  return (
    `${where}; the run was planned for ${planned} epochs, ` +
    (constant
      ? 'and its learning rate stays constant'
      : `so the cosine schedule now ends at step ${epochs * stepsPerEpoch} and the learning rate changes here`)
  )
}

function interrupted(
  { epochs }: RunProgress,
  within: EpochPosition | undefined,
  { out }: RunConfig,
): InterruptedError {
  const where = `interrupted after ${epochs.length} epochs${within ? ` and ${within.steps} steps` : ''}`
  return epochs.length === 0 && !within
    ? new InterruptedError(`${where}: nothing was trained yet`, 'repeat the command to begin')
    : new InterruptedError(
        `${where}: ${join(out, 'last.safetensors')} has the state`,
        'repeat the command with --resume to go on from there',
      )
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

const describeEpoch = (
  { epoch, trainLoss, heldOutAccuracy, knnAccuracy, seconds, dataWaitShare }: EpochNote,
  epochs: number,
  lossScale: LossScale | undefined,
): string =>
  [
    `epoch ${epoch}/${epochs}`,
    `loss ${trainLoss.toFixed(4)}`,
    ...(heldOutAccuracy === undefined ? [] : [`held-out accuracy ${percent(heldOutAccuracy)}`]),
    ...(knnAccuracy === undefined ? [] : [`k-NN ${percent(knnAccuracy)}`]),
    `${seconds.toFixed(1)} s`,
    `waited for data ${percent(dataWaitShare)}`,
    ...(lossScale
      ? [`loss scale ${lossScale.last} (steps skipped: ${lossScale.skippedSteps})`]
      : []),
  ].join('  ')
