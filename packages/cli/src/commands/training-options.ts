// The options that embed, distill and train-teacher share: the data, its augmentation, and how training goes.
import { optionOf } from '@embed-kd/bench'
import { parseAugmentation } from '@embed-kd/distill'
import type { AxisName } from '@embed-kd/records'
import { InvalidArgumentError, Option, type Command } from 'commander'

import { addAxisOptions, usage } from './axis-options.js'
import { count, number } from './options.js'

export { addDataOptions, openDataset } from './data-options.js'

/** Reads `flip`, `crop:4`, `flip+crop:4` or `none`. */
export const augmentation = usage(parseAugmentation)

/** Axes of a trial that are options of a training too. */
const AXES = [
  'backend',
  'labels',
  'batch',
  'microBatch',
  'rematerialise',
  'precision',
  'epochs',
  'seed',
  'learningRate',
  'weightDecay',
] as const satisfies readonly AxisName[]

/** Adds the options of a training. @param defaults values that differ between commands. */
export const addTrainingOptions = (
  command: Command,
  defaults: { readonly learningRate: number; readonly weightDecay: number; readonly batch: number },
): Command =>
  addAxisOptions(
    command.requiredOption('--out <dir>', 'directory for checkpoints, curves and the result'),
    AXES,
    {
      labels: {
        help: 'share of the training images to learn from, chosen by the seed, of each class alike, such as 10%; the images of --held-out come beside it',
      },
      batch: {
        help: 'images in a training step; at most all training images',
        default: defaults.batch,
      },
      epochs: { help: 'passes over the training images', default: 10 },
      learningRate: { help: 'highest learning rate of AdamW', default: defaults.learningRate },
      weightDecay: { default: defaults.weightDecay },
    },
  )
    .addOption(
      new Option(
        '--schedule <name>',
        "course of the learning rate: constant, or warm-up and cosine (default: the preset's)",
      ).choices(['constant', 'cosine']),
    )
    .option(
      '--augment <how>',
      `${optionOf('augment').help} (default: as the embeddings have it, or none)`,
      augmentation,
    )
    .option(
      '--held-out <share>',
      'share of each class held out to choose the best epoch, at least one image; 0 keeps the last epoch',
      share,
      0.1,
    )
    .option(
      '--ema <decay>',
      'decay of an average of the parameters that is kept in their place, such as 0.999 (default: none)',
      share,
    )
    .option(
      '--patience <epochs>',
      'epochs without a better one after which training ends (default: never)',
      count,
    )
    .option(
      '--knn <k>',
      'neighbours by which embeddings are judged after each epoch: held-out images (without them, test images) by at most 10,000 training images (default: not judged)',
      count,
    )
    .option(
      '--checkpoint-every <steps>',
      'steps between checkpoints within an epoch (default: after each epoch only)',
      count,
    )
    .option('--resume', 'go on with the run in --out; more --epochs lengthen it')
    .option('--json', 'print the result as JSON')

/** Reads a share: a number from 0 to below 1. */
function share(word: string): number {
  const value = number(word)
  if (value < 0 || value >= 1) throw new InvalidArgumentError('give a number from 0 to below 1')
  return value
}

/** Returns a line for a model that learnt nothing: no better than guessing the most frequent class. */
export const chanceHint = (accuracy: number, chance: number): string[] =>
  accuracy > chance
    ? []
    : ['no better than chance: train longer (--epochs), or with another --learning-rate']
