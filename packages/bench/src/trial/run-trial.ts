// One trial, in a process of its own: what loading costs, the roofline, the timed steps with their memory, then the
// training for accuracy. Memory and time are those of the same few steps for every trial, trained to the end or not.
import { createHash } from 'node:crypto'

import {
  initialParameters,
  print,
  Random,
  studentSpecs,
  type Backend,
  type ClassifierConfig,
  type HostTensor,
} from '@embed-kd/core'

import { openBackend } from '@embed-kd/distill/node'
import { noAugmentation } from '@embed-kd/distill/node'
import { BackgroundBatches } from '@embed-kd/distill/node'
import { trainingBatches, type Batch } from '@embed-kd/distill/node'
import type { Subset } from '@embed-kd/distill/node'
import { costOf } from '../measure/cost.js'
import { countEnergy } from '../measure/energy.js'
import { ownMemory, resetPeak } from '../measure/memory.js'
import { gemmRoofline, isNoisy, warmUp, type Roofline } from '../measure/roofline.js'
import { median } from '../measure/statistics.js'
import { measureSteps, summarizeTimes, type StepTimes, type TimingPlan } from '../measure/steps.js'
import {
  isCostOnly,
  splitsOf,
  stepsPerEpoch,
  trainConfigOf,
  type TrialConfig,
  type TrialSplits,
  loadTrialData,
} from './config.js'
import { CurveBook } from './curves.js'
import { trainEpochs } from '@embed-kd/distill'
import { Evaluation } from '@embed-kd/distill'
import { Feed } from '@embed-kd/distill/node'
import type { Report } from '@embed-kd/distill'
import type { Opened, TrialJob, TrialResult } from './protocol.js'
import { loadSignals } from './signals.js'
import { Training } from '@embed-kd/distill'

/** What the parts of a trial work on. */
interface Bench {
  readonly config: TrialConfig
  readonly splits: TrialSplits
  readonly backend: Backend
  readonly feed: Feed
  readonly training: Training
  readonly curves: CurveBook
  readonly report: Report
  readonly tensorsOf: (batch: Batch) => Map<string, HostTensor>
  /** Of embeddings, for batches made in the background. */
  readonly store?: string
}

export async function runTrial(
  job: TrialJob,
  report: Report,
  opened: Opened,
): Promise<TrialResult> {
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
  const baselineRssBytes = ownMemory().rssBytes
  const before = await gemmRoofline(backend, dtype)

  report({ phase: 'compiling', done: 0, total: 1 })
  const trainImages = splits.train.indices.length
  const data = { images: feed.shape, classes: dataset.classes, trainImages }
  const trainConfig = trainConfigOf(config, data)
  // Drawn anew where they are needed: a copy kept on the host would count as memory of the trial.
  const first = () => initialParameters(studentSpecs(trainConfig), new Random(config.seed))
  const { held, store, embeddingsOf } = loadSignals(job, feed, dataset)
  const training = await Training.create(backend, trainConfig, first(), held, config.seed)
  collectGarbage()
  resetPeak()

  const tensorsOf = (batch: Batch) => {
    const tensors = feed.tensors(batch)
    if (embeddingsOf && !batch.embeddings)
      tensors.set('batch.teacher_embeddings', embeddingsOf(batch))
    return tensors
  }
  const curves = new CurveBook()
  const loading = store === undefined ? {} : { store }
  const bench: Bench = {
    config,
    splits,
    backend,
    feed,
    training,
    curves,
    report,
    tensorsOf,
    ...loading,
  }
  const energy = countEnergy()
  const timingFrom = performance.now()
  const times = await timeSteps(bench)
  const timingSeconds = (performance.now() - timingFrom) / 1000
  const joules = energy()
  const { rssBytes, peakRssBytes } = ownMemory()
  const deviceBytes = backend.capabilities.hostMemory ? undefined : backend.memory().bytes

  let trained: Trained | undefined
  if (config.epochs !== undefined) {
    await training.reset(first())
    trained = await trainForAccuracy(bench, trainConfig.student, config.epochs)
  }
  const lossScale = await training.lossScale()
  await training.dispose()
  report({ phase: 'roofline', done: 0, total: 1 })
  const after = await gemmRoofline(backend, dtype, before.size)
  const { versions } = backend
  await backend.dispose()

  const stepCost = costOf(training.parts, backend.capabilities)
  const digest = createHash('sha256')
  for (const { graph } of training.parts) digest.update(print(graph))
  const time = summarizeTimes(times, config.batch)
  const accuracy = isCostOnly(config) ? undefined : trained?.accuracy
  return {
    versions,
    time: {
      ...time,
      ...(trained ? { dataWaitShare: trained.dataWaitShare } : {}),
      epochSeconds:
        trained?.epochSeconds ?? time.medianSeconds * stepsPerEpoch(config, trainImages),
      epochExtrapolated: trained === undefined,
    },
    cost: stepCost,
    memory: {
      baselineRssBytes,
      residentRssBytes: rssBytes,
      peakRssBytes,
      ...(deviceBytes === undefined ? {} : { deviceResidentBytes: deviceBytes }),
    },
    roofline: {
      ...rooflineOf(stepCost.stepFlops / time.medianSeconds, before, after),
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
    ...(accuracy === undefined ? {} : { accuracy }),
  }
}

/** Enough for a median where the training itself is not cut short. */
const TIMING: TimingPlan = { warmupSteps: 3, warmupSeconds: 0.3, samples: 10, seconds: 1 }
/** Where steps are asked for, these are all that run. */
const timingOf = ({ steps }: TrialConfig): TimingPlan =>
  steps === undefined ? TIMING : { warmupSteps: 2, warmupSeconds: 0.2, samples: steps, seconds: 0 }

/** Times steps on ready batches: making a batch is not part of a step. Each loss is looked at, between samples. */
async function timeSteps(bench: Bench): Promise<StepTimes> {
  const { config, splits, backend, training, curves, report, tensorsOf } = bench
  const batches = trainingBatches(splits.train, {
    size: config.batch,
    seed: config.seed,
    epoch: 0,
  })
  const plan = timingOf(config)
  let tensors: Map<string, HostTensor>
  const look = async () => {
    if (training.steps > 0) curves.add(training.steps, await training.metrics())
  }
  const times = await measureSteps(
    {
      async prepare() {
        await look()
        tensors = tensorsOf(await batches.read(training.steps % batches.length))
        const total = plan.warmupSteps + plan.samples
        report({ phase: 'timing', done: Math.min(training.steps, total), total })
      },
      async step() {
        await training.step(tensors)
        await backend.synchronize()
      },
    },
    plan,
  )
  await look()
  return times
}

interface Trained {
  /** On the test split, of the epoch that the preset's way of choosing a checkpoint takes. */
  readonly accuracy: number
  readonly epochSeconds: number
  readonly dataWaitShare: number
}

async function trainForAccuracy(
  { config, splits, backend, feed, training, curves, report, tensorsOf, store }: Bench,
  model: ClassifierConfig,
  epochs: number,
): Promise<Trained> {
  curves.clear()
  const { batch: size, seed } = config
  const { input } = feed
  const batches = new BackgroundBatches({
    subset: splits.train,
    size,
    seed,
    augmentation: noAugmentation,
    input,
    ...(store === undefined ? {} : { store }),
  })
  batches.prepare(0, 0)
  const evaluation = await Evaluation.create(backend, feed, model)
  const score = (subset: Subset) => evaluation.accuracy(training.parameters, subset)
  const chosen = { score: -1, accuracy: 0 }
  const seconds: number[] = []
  let waited = 0
  await trainEpochs({
    training,
    epochs,
    batchesOf: (epoch) => batches.epoch(epoch),
    tensorsOf,
    report,
    onMetrics: (step, metrics) => curves.add(step, metrics),
    async afterEpoch(epoch, summary) {
      const testAccuracy = await score(splits.test)
      const validationAccuracy = splits.validation && (await score(splits.validation))
      seconds.push(summary.seconds)
      waited += summary.dataSeconds
      curves.epochs.push({
        epoch,
        trainLoss: summary.trainLoss,
        testAccuracy,
        ...(validationAccuracy === undefined ? {} : { validationAccuracy }),
        seconds: summary.seconds,
      })
      const choice = validationAccuracy ?? testAccuracy
      if (choice > chosen.score) Object.assign(chosen, { score: choice, accuracy: testAccuracy })
    },
  })
  await batches.dispose()
  await evaluation.dispose()
  return {
    accuracy: chosen.accuracy,
    epochSeconds: median(seconds),
    dataWaitShare: waited / seconds.reduce((sum, s) => sum + s, 0),
  }
}

function rooflineOf(
  reached: number,
  before: Roofline,
  after: Roofline,
): NonNullable<TrialResult['roofline']> {
  return {
    gemmFlopsPerSecondBefore: before.flopsPerSecond,
    gemmFlopsPerSecondAfter: after.flopsPerSecond,
    // The faster of the two: a disturbance while measuring it must not flatter the step.
    share: reached / Math.max(before.flopsPerSecond, after.flopsPerSecond),
    noisy: isNoisy(before, after),
  }
}

/** Children run with --expose-gc, so that what was let go of does not count as memory in use. */
const collectGarbage = (): void => (globalThis as { gc?: () => void }).gc?.()
