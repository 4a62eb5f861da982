// `embed-kd distill`: a student trained to be used, from embeddings or a teacher, as safetensors and ONNX.
import { join } from 'node:path'

import { hostTensor, presets, type Method, type Preset } from '@embed-kd/core'
import { METHODS, PRESETS } from '@embed-kd/records'
import { Command, Option } from 'commander'

import { openBackend } from '@embed-kd/distill/node'
import { evaluationBatches } from '@embed-kd/distill/node'
import type { Dataset } from '@embed-kd/distill/node'
import { createInputWriter, type ModelInput } from '@embed-kd/distill/node'
import { wholeSplit } from '@embed-kd/distill/node'
import {
  exportOnnxModel,
  exportSafetensors,
  runOnnx,
  type TrainedModel,
} from '@embed-kd/distill/node'
import { runTraining, type RunResult } from '@embed-kd/distill/node'
import { openSignal } from '@embed-kd/distill/node'
import { formatConfusion } from '@embed-kd/distill'
import { formatShare } from '@embed-kd/records/terminal'
import { findStudent, studentModel, students } from '@embed-kd/distill'
import { writeJson } from '@embed-kd/distill/node'
import { ProgressDisplay } from '@embed-kd/bench'
import { openEncoder } from '@embed-kd/distill/node'
import { count, number } from './options.js'
import {
  addDataOptions,
  addTrainingOptions,
  openDataset,
  runOptionsOf,
  share,
  type DataOptions,
  type TrainingOptions,
} from './training-options.js'

interface DistillOptions extends DataOptions, TrainingOptions {
  readonly method: Method
  readonly preset: Preset
  readonly student: string
  readonly teacher?: string
  readonly embeddings?: string
  readonly imageSize?: number
  readonly output?: string
  readonly pooling?: string
  readonly dropout: number
  readonly kdWeight?: number
  readonly normaliseInside?: boolean
}

export const distillCommand = (): Command =>
  addTrainingOptions(
    addDataOptions(
      new Command('distill')
        .addOption(
          new Option('--method <name>', 'how it is taught').choices(METHODS).default('embed-kd'),
        )
        .option('--embeddings <file>', 'of embed-kd embed, for embed-kd and cached-kd')
        .option('--teacher <model>', 'a live one, for teacher-kd and logit-kd')
        .option('--student <name>', students.map(({ name }) => name).join(', '), 'paper')
        .addOption(
          new Option('--preset <name>', 'of the loss').choices(PRESETS).default('corrected'),
        )
        .option('--image-size <pixels>', 'that a live teacher sees; default its own', count)
        .option('--output <name>', 'ONNX teacher: the output to take')
        .option('--pooling <how>', 'ONNX teacher: cls or mean, where the output is of tokens')
        .option('--dropout <share>', 'of attention weights', share, 0.1)
        .option('--kd-weight <weight>', "of the distillation loss; default the preset's", number)
        .option('--normalise-inside', 'the ONNX model takes pixels from 0 to 1'),
    ),
    { learningRate: 1e-4, weightDecay: 0.1, batch: 64 },
  )
    .addHelpText('after', HELP)
    .action(distill)

const HELP = `
In --out: last.safetensors and best.safetensors (checkpoints), tensorboard/ (curves), summary.json, student/ (safetensors
with config.json) and student-onnx/ (an image classifier for ONNX Runtime, optimum and transformers.js).

Examples:
  embed-kd distill --embeddings centroids.safetensors --dataset mnist --student small --epochs 5 --learning-rate 1e-3 --out runs/a
  embed-kd distill --method cached-kd --embeddings samples.safetensors --dataset cifar10:DIR --out runs/b
  embed-kd distill --method teacher-kd --teacher teachers/mine --dataset images:photos --data-size 64 --student paper-64 --out runs/c
  embed-kd distill --method supervised --dataset mnist --augment crop:2 --ema 0.999 --patience 5 --out runs/d --resume
`

async function distill(options: DistillOptions): Promise<void> {
  const display = new ProgressDisplay()
  display.begin('distill')
  const tell = (message: string) => display.line(message)
  const backend = await openBackend(options.backend, options.precision)
  const dataset = await openDataset(options, display)
  const model = studentModel(findStudent(options.student), dataset, options.dropout)
  const { method, preset, embeddings, teacher, imageSize, output, pooling, batch } = options
  const encoder =
    teacher === undefined
      ? undefined
      : await openEncoder(teacher, {
          backend,
          source: dataset,
          batch,
          tell,
          temperature: presets[preset].temperature,
          ...(imageSize === undefined ? {} : { imageSize }),
          ...(output === undefined ? {} : { output }),
          ...(pooling === undefined ? {} : { pooling }),
        })
  const signal = await openSignal({
    method,
    dataset,
    augmentation: options.augment,
    ...(embeddings === undefined ? {} : { embeddings }),
    ...(encoder ? { encoder } : {}),
  })
  let result: RunResult
  try {
    const { kdWeight } = options
    result = await runTraining(
      backend,
      {
        ...runOptionsOf(options),
        dataset,
        model,
        preset,
        ...(kdWeight === undefined ? {} : { kdWeight }),
      },
      signal,
      (progress) => display.update(progress),
      tell,
    )
  } finally {
    await signal.dispose()
    await backend.dispose()
    display.end()
  }
  const trained: TrainedModel = {
    model,
    parameters: result.parameters,
    input: inputOf(dataset),
    classNames: namesOf(dataset),
  }
  const { test, progress, steps, lossScale } = result
  const origin = {
    method,
    preset,
    precision: options.precision,
    dataset: dataset.name,
    dataset_digest: dataset.digest,
    test_accuracy: test.accuracy,
  }
  exportSafetensors(join(options.out, 'student'), trained, origin)
  const normalise = options.normaliseInside ?? false
  const file = exportOnnxModel(join(options.out, 'student-onnx'), trained, normalise)
  const agreement = await onnxAccuracy(file, trained, dataset, normalise)
  const summary = {
    ...origin,
    steps,
    ...(lossScale
      ? { loss_scale: { last: lossScale.last, skipped_steps: lossScale.skippedSteps } }
      : {}),
    best_epoch: progress.bestEpoch,
    epochs: progress.epochs,
    test,
    onnx: agreement,
  }
  writeJson(join(options.out, 'summary.json'), summary)
  process.stdout.write(
    options.json
      ? `${JSON.stringify(summary)}\n`
      : `${formatConfusion(test, trained.classNames)}\n` +
          `accuracy on ${test.images} test images: ${formatShare(test.accuracy)} (epoch ${progress.bestEpoch})\n` +
          `the ONNX file in ONNX Runtime: ${formatShare(agreement.accuracy)} of ${agreement.images} of them\n` +
          `written: ${options.out}\n`,
  )
}

/** As Feed prepares the images. */
const inputOf = (dataset: Dataset): ModelInput => {
  const { channels, height, width, statistics } = dataset
  return { channels, height, width, ...statistics, fit: 'resize' }
}

const namesOf = ({ classes, classNames }: Dataset): readonly string[] =>
  classNames ?? Array.from({ length: classes }, (_, label) => `${label}`)

/** Enough to show that the file is the student. */
const CHECKED_IMAGES = 500

async function onnxAccuracy(
  file: string,
  { input }: TrainedModel,
  dataset: Dataset,
  normalise: boolean,
): Promise<{ images: number; accuracy: number }> {
  const { channels, height, width } = dataset
  const count = Math.min(dataset.test.count, CHECKED_IMAGES)
  const images = hostTensor('float32', [count, channels, height, width])
  const nothing = { mean: input.mean.map(() => 0), std: input.std.map(() => 1) }
  const write = createInputWriter(dataset, normalise ? { ...input, ...nothing } : input)
  // Spread over the split, for folders of images come class after class.
  const indices = Int32Array.from({ length: count }, (_, i) =>
    Math.floor((i * dataset.test.count) / count),
  )
  const spread = { ...wholeSplit(dataset, 'test'), indices }
  const { pixels, labels } = await evaluationBatches(spread, count).read(0)
  write(pixels, count, images.data)
  const scores = await runOnnx(file, images)
  let right = 0
  for (let i = 0; i < count; i++) {
    const row = scores.subarray(i * dataset.classes, (i + 1) * dataset.classes)
    const best = row.indexOf(row.reduce((a, b) => Math.max(a, b)))
    if (best === labels[i]) right++
  }
  return { images: count, accuracy: right / count }
}
