// `embed-kd train-teacher`: a vision transformer trained on the data set itself, saved as a checkpoint that embed and distill take.
import { join } from 'node:path'

import { checkViTConfig, type ClassifierConfig } from '@embed-kd/core'
import { Command } from 'commander'

import { openBackend } from '@embed-kd/distill/node'
import { noAugmentation } from '@embed-kd/distill/node'
import type { Dataset } from '@embed-kd/distill/node'
import { runTraining } from '@embed-kd/distill/node'
import { openSignal } from '@embed-kd/distill/node'
import { UserError, messageOf } from '@embed-kd/core'
import { formatShare } from '@embed-kd/records/terminal'
import { findTeacher, teachers } from '@embed-kd/distill/node'
import { ProgressDisplay } from '@embed-kd/bench'
import { saveHfTeacher } from '@embed-kd/distill/node'
import { squareImages } from '@embed-kd/distill/node'
import { count } from './options.js'
import {
  addDataOptions,
  addTrainingOptions,
  openDataset,
  runOptionsOf,
  type DataOptions,
  type TrainingOptions,
} from './training-options.js'

interface TrainTeacherOptions extends DataOptions, TrainingOptions {
  readonly shape: string
  readonly patch?: number
  readonly width?: number
  readonly layers?: number
  readonly heads?: number
}

export const trainTeacherCommand = (): Command =>
  addTrainingOptions(
    addDataOptions(
      new Command('train-teacher')
        .option(
          '--shape <name>',
          `where the model's sizes come from: ${teachers.map(({ name }) => name).join(', ')}`,
          'trained-m',
        )
        .option('--patch <pixels>', 'another size of patches', count)
        .option('--width <n>', 'another width', count)
        .option('--layers <n>', 'another number of blocks', count)
        .option('--heads <n>', 'another number of heads', count),
    ),
    { learningRate: 1e-3, weightDecay: 0.05, batch: 128 },
  )
    .addHelpText('after', HELP)
    .action(trainTeacher)

const HELP = `
In --out: checkpoints and curves as distill has them, and teacher/, a ViTForImageClassification with config.json,
model.safetensors and preprocessor_config.json: give that directory to embed or distill as --teacher.

Examples:
  embed-kd train-teacher --dataset mnist --epochs 5 --out runs/teacher
  embed-kd train-teacher --dataset images:DIR --shape trained-m --patch 4 --augment flip,crop:4 --epochs 30 --out runs/teacher --resume
`

async function trainTeacher(options: TrainTeacherOptions): Promise<void> {
  const display = new ProgressDisplay()
  display.begin('train-teacher')
  const backend = await openBackend(options.backend, options.precision)
  const dataset = await openDataset(options, display)
  const model = modelOf(options, dataset)
  const augmentation = options.augment ?? noAugmentation
  const signal = await openSignal({ method: 'supervised', dataset, augmentation })
  const config = { ...runOptionsOf(options), dataset, model, preset: 'corrected' as const }
  const run = runTraining(
    backend,
    config,
    signal,
    (progress) => display.update(progress),
    (message) => display.line(message),
  )
  const { parameters, test, progress } = await run.finally(async () => {
    await backend.dispose()
    display.end()
  })
  const directory = join(options.out, 'teacher')
  const { channels, height, width, name, classes, statistics } = dataset
  saveHfTeacher(
    directory,
    {
      model,
      parameters,
      // The model resizes by itself what is not its size; saved, its preprocessing does.
      input: {
        channels,
        height: model.imageSize,
        width: model.imageSize,
        ...statistics,
        fit: 'resize',
      },
      classNames: dataset.classNames ?? Array.from({ length: classes }, (_, label) => `${label}`),
    },
    {
      dataset: name,
      dataset_digest: dataset.digest,
      test_accuracy: test.accuracy,
      image_size: [height, width],
    },
  )
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ teacher: directory, accuracy: test.accuracy, epochs: progress.epochs })}\n`
      : `accuracy on ${test.images} test images: ${formatShare(test.accuracy)} (epoch ${progress.bestEpoch})\nteacher: ${directory}\n`,
  )
}

function modelOf(options: TrainTeacherOptions, dataset: Dataset): ClassifierConfig {
  const { size, channels } = squareImages(dataset)
  const shape = findTeacher(options.shape).model({ channels, classes: dataset.classes, size })
  const patchSize = options.patch ?? shape.patchSize
  const model: ClassifierConfig = {
    ...shape,
    classes: dataset.classes,
    patchSize,
    // Whole patches of about the images' size.
    imageSize: Math.ceil(size / patchSize) * patchSize,
    channels,
    width: options.width ?? shape.width,
    layers: options.layers ?? shape.layers,
    heads: options.heads ?? shape.heads,
  }
  try {
    checkViTConfig(model)
  } catch (error) {
    throw new UserError(messageOf(error), 'change --patch, --width or --heads')
  }
  return model
}
