// Trains a teacher on the data set itself, as a checkpoint that embed and distill take.
import { join } from 'node:path'

import { checkViTConfig, messageOf, UserError, type ClassifierConfig } from '@embed-kd/core'

import type { Classification } from '../../training/classification.js'
import type { Dataset } from '../data/dataset.js'
import { requireLabels } from '../data/labels.js'
import { squareImages } from '../data/feed.js'
import { writeJson } from '../files/output-file.js'
import { saveHfTeacher } from '../teachers/hf-save.js'
import { findShape } from '../teachers/named.js'
import { chanceAccuracy } from './distill.js'
import {
  namesOf,
  openDataset,
  requireOptions,
  runSettings,
  withBackend,
  type RunOptions,
} from './options.js'
import { runTraining, type RunResult } from './run.js'
import { openSignal } from './signal.js'
import { TEACHER_DIRECTORY } from './teacher-directory.js'

export interface TrainTeacherOptions extends RunOptions {
  /** Name of the model whose sizes are taken (default: `trained-m`). */
  readonly shape?: string | undefined
  /** Side of a patch in pixels (default: the shape's). */
  readonly patch?: number | undefined
  /** Width of the teacher's embeddings (default: the shape's). */
  readonly width?: number | undefined
  /** Number of blocks (default: the shape's). */
  readonly layers?: number | undefined
  /** Number of attention heads (default: the shape's). */
  readonly heads?: number | undefined
}

/** The result of training a teacher, as summary.json has it. */
export interface TeacherSummary {
  /** Directory of the checkpoint. */
  readonly teacher: string
  readonly dataset: string
  readonly dataset_digest: string
  readonly accuracy: number
  /** Accuracy of guessing the most frequent class of the test split. */
  readonly chance_accuracy: number
  readonly best_epoch: number
  readonly epochs: RunResult['progress']['epochs']
  readonly test: Classification
}

const silent = () => {}

/**
 * Trains a teacher into `out`, and writes `teacher/` and `summary.json` there.
 * @throws UserError if options do not go together; InterruptedError if the signal is aborted.
 */
export function trainTeacher(options: TrainTeacherOptions): Promise<TeacherSummary> {
  requireOptions(options, 'dataset', 'out')
  return withBackend(options, async (backend) => {
    const { tell = silent, report = silent, signal: abort, out } = options
    const settings = runSettings({ learningRate: 1e-3, weightDecay: 0.05, batch: 128, ...options })
    const dataset = await openDataset(options, tell)
    requireLabels(dataset, 'train-teacher', 'bring a teacher along with --teacher')
    const model = modelOf(options, dataset)
    const signal = await openSignal({
      method: 'supervised',
      dataset,
      augmentation: options.augment,
    })
    const title =
      `teacher: ${model.layers} blocks of width ${model.width}, ${model.heads} heads, ` +
      `patches of ${model.patchSize} pixels, ${backend.name}`
    const observer = { report, tell, signal: abort }
    const trained = await runTraining(
      backend,
      { ...settings, dataset, model, title },
      signal,
      observer,
    )
    const { parameters, progress } = trained
    const test = trained.test!
    const directory = join(out, TEACHER_DIRECTORY)
    const { channels, height, width, name, digest, statistics } = dataset
    // The model resizes images of another size itself; the saved checkpoint leaves that to its preprocessing.
    const { imageSize } = model
    saveHfTeacher(
      directory,
      {
        model,
        parameters,
        input: { channels, height: imageSize, width: imageSize, ...statistics, fit: 'resize' },
        classNames: namesOf(dataset),
      },
      {
        dataset: name,
        dataset_digest: digest,
        test_accuracy: test.accuracy,
        image_size: [height, width],
      },
    )
    const summary: TeacherSummary = {
      teacher: directory,
      dataset: name,
      dataset_digest: digest,
      accuracy: test.accuracy,
      chance_accuracy: chanceAccuracy(test),
      best_epoch: progress.bestEpoch,
      epochs: progress.epochs,
      test,
    }
    writeJson(join(out, 'summary.json'), summary)
    return summary
  })
}

function modelOf(options: TrainTeacherOptions, dataset: Dataset): ClassifierConfig {
  const { size, channels } = squareImages(dataset)
  const { classes } = dataset
  const shape = findShape(options.shape ?? 'trained-m').model({ channels, classes, size })
  const patchSize = options.patch ?? shape.patchSize
  const model: ClassifierConfig = {
    ...shape,
    classes,
    patchSize,
    // The smallest whole number of patches that covers the images.
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
