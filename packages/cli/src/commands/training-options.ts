// The options that embed, distill and train-teacher share: which data, augmented how, and how long to train.
import type { Precision, Rematerialise } from '@embed-kd/core'
import { PRECISIONS, REMATERIALISATIONS } from '@embed-kd/records'
import { InvalidArgumentError, Option, type Command } from 'commander'

import type { Augmentation } from '@embed-kd/distill/node'
import { count, number, whole } from './options.js'

export { addDataOptions, openDataset, type DataOptions } from './data-options.js'

/** `flip`, `crop:4`, `flip,crop:4`, `none`. */
export function augmentation(words: string): Augmentation {
  let flip = false
  let cropPadding = 0
  for (const word of words.split(',').map((part) => part.trim())) {
    const padding = /^crop:(\d+)$/.exec(word)?.[1]
    if (word === 'flip') flip = true
    else if (padding !== undefined) cropPadding = Number(padding)
    else if (word !== 'none')
      throw new InvalidArgumentError('Give none, flip, crop:PIXELS, or flip,crop:PIXELS.')
  }
  return { flip, cropPadding }
}

export interface TrainingOptions {
  readonly out: string
  readonly backend: string
  readonly batch: number
  readonly microBatch?: number
  readonly rematerialise?: Rematerialise
  readonly precision: Precision
  readonly epochs: number
  readonly seed: number
  readonly learningRate: number
  readonly weightDecay: number
  readonly schedule?: 'constant' | 'cosine'
  readonly augment?: Augmentation
  readonly heldOut: number
  readonly ema?: number
  readonly patience?: number
  readonly checkpointEvery?: number
  readonly resume?: boolean
  readonly json?: boolean
}

/** @param defaults of what differs between commands. */
export const addTrainingOptions = (
  command: Command,
  defaults: { readonly learningRate: number; readonly weightDecay: number; readonly batch: number },
): Command =>
  command
    .requiredOption('--out <dir>', 'where checkpoints, curves and the result go')
    .option('--backend <name>', 'backend:device, or ./plug-in.js; see embed-kd doctor', 'ort:cpu')
    .option('--batch <n>', 'images a step', count, defaults.batch)
    .option(
      '--micro-batch <n>',
      'compute gradients of so many images at a time, for less memory',
      count,
    )
    .addOption(
      new Option(
        '--rematerialise <how>',
        'have gradients compute again instead of keeping, for less memory and more time',
      ).choices(REMATERIALISATIONS),
    )
    .addOption(
      new Option('--precision <name>', 'of training steps; evaluation and embedding are float32')
        .choices(PRECISIONS)
        .default('float32'),
    )
    .option('--epochs <n>', 'passes over the training images', count, 10)
    .option('--seed <n>', 'of first values, order, augmentation and dropout', whole, 0)
    .option('--learning-rate <rate>', 'of AdamW', number, defaults.learningRate)
    .option('--weight-decay <rate>', 'of AdamW', number, defaults.weightDecay)
    .addOption(
      new Option(
        '--schedule <name>',
        "of the learning rate: constant, or warm-up and cosine; default the preset's",
      ).choices(['constant', 'cosine']),
    )
    .option('--augment <how>', 'flip, crop:PIXELS of padding, or both with a comma', augmentation)
    .option(
      '--held-out <share>',
      'of each class of the training split, to choose the best epoch by; 0: the last',
      share,
      0.1,
    )
    .option('--ema <decay>', 'keep an average of the parameters, such as 0.999', share)
    .option('--patience <epochs>', 'stop after so many epochs without a better one', count)
    .option('--checkpoint-every <steps>', 'also within epochs; default after each alone', count)
    .option('--resume', 'go on with the run in --out')
    .option('--json', 'print the result as JSON')

export function share(word: string): number {
  const value = number(word)
  if (value < 0 || value >= 1) throw new InvalidArgumentError('Give a number from 0 to below 1.')
  return value
}

/** What `runTraining` takes of the options. */
export const runOptionsOf = (options: TrainingOptions) => ({
  out: options.out,
  batch: options.batch,
  ...(options.microBatch === undefined ? {} : { microBatch: options.microBatch }),
  ...(options.rematerialise === undefined ? {} : { rematerialise: options.rematerialise }),
  ...(options.precision === 'float32' ? {} : { precision: options.precision }),
  epochs: options.epochs,
  seed: options.seed,
  learningRate: options.learningRate,
  weightDecay: options.weightDecay,
  heldOut: options.heldOut,
  ...(options.schedule === undefined ? {} : { schedule: options.schedule }),
  ...(options.ema === undefined ? {} : { emaDecay: options.ema }),
  ...(options.patience === undefined ? {} : { patience: options.patience }),
  ...(options.checkpointEvery === undefined ? {} : { checkpointEvery: options.checkpointEvery }),
  resume: options.resume ?? false,
})
