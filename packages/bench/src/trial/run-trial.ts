// One trial, in a process of its own: the roofline, the timed steps, then the training for accuracy. Time is that of the same
// few steps for every trial, trained to the end or not. Memory is measured in another process (measure-memory.ts).
import { createHash } from 'node:crypto'

import { print, type Backend } from '@embed-kd/core'
import type { ImageBatch, Report, Trainer } from '@embed-kd/distill'
import {
  BackgroundBatches,
  Feed,
  mapBatches,
  openBackend,
  type Signal,
  StudentJudge,
} from '@embed-kd/distill/node'
import { median, summarizeTimes, type StepTimes } from '@embed-kd/records'

import { costOf, planRuntimePeak } from '../measure/cost.js'
import { countEnergy } from '../measure/energy.js'
import { collectGarbage } from '../measure/memory.js'
import { gemmRoofline, isNoisy, warmUp, type Roofline } from '../measure/roofline.js'
import { measureSteps, type TimingPlan } from '../measure/steps.js'
import { CheckpointChoice } from './checkpoint-choice.js'
import {
  epochsOf,
  evaluatedEpochs,
  evaluatedImages,
  isCostOnly,
  loadTrialData,
  runsBeside,
  splitsOf,
  stepsPerEpoch,
  totalStepsOf,
  type TrialConfig,
  type TrialSplits,
} from './config.js'
import { CurveBook } from './curves.js'
import { AUGMENTATION_SEED, firstBatches, imageBatches, openTrainer } from './open-trainer.js'
import type { Opened, TrialJob, TrialResult } from './protocol.js'
import { openTrialSignal } from './signals.js'

/** The subjects of a trial. */
interface Bench {
  readonly config: TrialConfig
  readonly splits: TrialSplits
  readonly backend: Backend
  readonly feed: Feed
  readonly trainer: Trainer
  readonly signal: Signal
  readonly curves: CurveBook
  readonly report: Report
}

export async function runTrial(
  job: TrialJob,
  report: Report,
  opened: Opened,
): Promise<Omit<TrialResult, 'memory'>> {
  const { config } = job
  report({ phase: 'loading', done: 0, total: 1 })
  const backend = await openBackend(config.backend, config.precision)
  opened(backend.capabilities)
  const dataset = await loadTrialData(config)
  const splits = splitsOf(dataset, config)
  const feed = new Feed(dataset)
  report({ phase: 'roofline', done: 0, total: 1 })
  // A runtime loads much of its code when it first runs; the matrices of the roofline, part of which a process keeps once it
  // has freed them, are not its own.
  const dtype = config.precision === undefined ? 'float32' : 'float16'
  await warmUp(backend, dtype)
  collectGarbage()
  const before = await gemmRoofline(backend, dtype)

  report({ phase: 'compiling', done: 0, total: 1 })
  const trainImages = splits.train.indices.length
  const signal = await openTrialSignal(job, feed, dataset, backend)
  const trainer = await openTrainer(backend, config, dataset, feed, signal, trainImages)
  collectGarbage()

  const curves = new CurveBook()
  const bench: Bench = { config, splits, backend, feed, trainer, signal, curves, report }
  const energy = countEnergy()
  const timingFrom = performance.now()
  const times = await timeSteps(bench)
  const timingSeconds = (performance.now() - timingFrom) / 1000
  const joules = energy()

  let trained: Trained | undefined
  if (config.steps === undefined) {
    await trainer.reset()
    trained = await trainForAccuracy(bench, dataset.digest)
  }
  const lossScale = await trainer.lossScale()
  const { parts } = trainer
  const runtimePeakBytes = await planRuntimePeak(parts.map(({ executable }) => executable))
  await trainer.dispose()
  await signal.dispose()
  report({ phase: 'roofline', done: 0, total: 1 })
  const after = await gemmRoofline(backend, dtype, before)
  const { versions } = backend
  await backend.dispose()

  const stepCost = costOf(parts, backend.capabilities, runtimePeakBytes)
  const withoutTeacher = runsBeside(config)
  const digest = createHash('sha256')
  for (const { graph } of parts) digest.update(print(graph))
  const time = summarizeTimes(times, config.batch)
  return {
    versions,
    time: {
      ...time,
      ...(trained ? { dataWaitShare: trained.dataWaitShare } : {}),
      epochSeconds:
        trained?.epochSeconds ?? time.medianSeconds * stepsPerEpoch(config, trainImages),
      epochExtrapolated: trained?.epochSeconds === undefined,
    },
    cost: { ...stepCost, ...(withoutTeacher ? { withoutTeacher } : {}) },
    roofline: {
      ...rooflineOf(
        withoutTeacher ? undefined : stepCost.stepFlops / time.medianSeconds,
        before,
        after,
      ),
      ...(dtype === 'float32' ? {} : { dtype }),
    },
    ...(joules === undefined
      ? {}
      : {
          energy: {
            source: 'rapl',
            watts: joules / timingSeconds,
            joulesPerStep: (joules / timingSeconds) * time.medianSeconds,
          },
        }),
    curves: curves.finish(),
    ...(lossScale ? { lossScale } : {}),
    graph: { digest: digest.digest('hex') },
    ...(isCostOnly(config) ? {} : trained?.result),
  }
}

/** Samples of a trial that trains for accuracy: enough for a median. */
const TIMING: TimingPlan = { warmupSteps: 3, warmupSeconds: 0.3, samples: 10, seconds: 1 }
/** Returns which steps are timed. A trial of a number of steps runs no others. */
const timingOf = ({ steps }: TrialConfig): TimingPlan =>
  steps === undefined ? TIMING : { warmupSteps: 2, warmupSeconds: 0.2, samples: steps, seconds: 0 }

/** Times steps on ready batches: making a batch is not part of a step. The loss is read between two samples. */
async function timeSteps(bench: Bench): Promise<StepTimes> {
  const { config, splits, backend, feed, trainer, signal, curves, report } = bench
  const batches = firstBatches(splits.train, config, signal)
  const plan = timingOf(config)
  const imageBatch = imageBatches(feed, signal)
  let batch: ImageBatch
  const look = async () => {
    if (trainer.steps > 0) curves.add(trainer.steps, await trainer.metrics())
  }
  const times = await measureSteps(
    {
      async prepare() {
        await look()
        batch = imageBatch(await batches.read(trainer.steps % batches.length))
        const total = plan.warmupSteps + plan.samples
        report({ phase: 'timing', done: Math.min(trainer.steps, total), total })
      },
      async step() {
        await trainer.step(batch)
        await backend.synchronize()
      },
    },
    plan,
  )
  await look()
  return times
}

interface Trained {
  readonly result: Pick<
    TrialResult,
    'accuracy' | 'embeddingAccuracy' | 'checkpoint' | 'testResults'
  >
  /** Median over whole epochs; absent if training ended within the first one. */
  readonly epochSeconds?: number
  readonly dataWaitShare: number
}

async function trainForAccuracy(bench: Bench, dataset: string): Promise<Trained> {
  const { config, splits, feed, trainer, signal, curves, report } = bench
  curves.clear()
  const { batch: size, seed } = config
  const { store, augmentation } = signal
  const trainImages = splits.train.indices.length
  const loader = new BackgroundBatches({
    subset: splits.train,
    size,
    seed,
    augmentation,
    augmentationSeed: AUGMENTATION_SEED,
    input: feed.input,
    ...(store === undefined ? {} : { store }),
  })
  loader.prepare(0, 0)
  const imageBatch = imageBatches(feed, signal)
  const totalSteps = totalStepsOf(config, trainImages)
  const perEpoch = stepsPerEpoch(config, trainImages)
  /** Returns the batches of an epoch from 0, the last of which may be a part of one. */
  const batchesOf = (epoch: number) => {
    const length = Math.min(perEpoch, totalSteps - epoch * perEpoch)
    return mapBatches({ ...loader.epoch(epoch), length }, imageBatch)
  }
  const evaluated = evaluatedEpochs(config, trainImages, evaluatedImages(splits, config))
  const { backend } = bench
  const judge =
    config.knn === undefined
      ? undefined
      : new StudentJudge({ backend, trainer, feed, training: splits.train, k: config.knn })
  const choice = new CheckpointChoice({ ...bench, judge }, dataset)
  const whole: number[] = []
  let [trained, waited] = [0, 0]
  const fitting = trainer.fit(batchesOf, {
    epochs: epochsOf(config, trainImages),
    onStep({ step, metrics }) {
      if (metrics) curves.add(step, metrics)
      report({ phase: 'training', done: step, total: totalSteps })
    },
  })
  for await (const { epoch, steps, trainLoss, seconds, dataSeconds } of fitting) {
    const accuracies = evaluated.includes(epoch) ? await choice.evaluate(epoch) : {}
    if (steps === epoch * perEpoch) whole.push(seconds)
    trained += seconds
    waited += dataSeconds
    curves.epochs.push({ epoch, trainLoss, ...accuracies, seconds, steps })
  }
  await loader.dispose()
  return {
    result: choice.result,
    ...(whole.length === 0 ? {} : { epochSeconds: median(whole) }),
    dataWaitShare: waited / trained,
  }
}

function rooflineOf(
  reached: number | undefined,
  before: Roofline,
  after: Roofline,
): NonNullable<TrialResult['roofline']> {
  return {
    gemmFlopsPerSecondBefore: before.flopsPerSecond,
    gemmFlopsPerSecondAfter: after.flopsPerSecond,
    // The faster of the two: a disturbance while measuring it must not flatter the step.
    ...(reached === undefined
      ? {}
      : { share: reached / Math.max(before.flopsPerSecond, after.flopsPerSecond) }),
    noisy: isNoisy(before, after),
  }
}
