// The options that embed, distill and train-teacher share: the data, its augmentation, and how training goes.
import { parseAugmentation } from '@embed-kd/distill'
import { PRECISIONS, REMATERIALISATIONS } from '@embed-kd/records'
import { InvalidArgumentError, Option, type Command } from 'commander'

import { usage } from './axis-options.js'
import { count, number, whole } from './options.js'

export { addDataOptions, openDataset } from './data-options.js'

/** Reads `flip`, `crop:4`, `flip+crop:4` or `none`. */
export const augmentation = usage(parseAugmentation)

/** Adds the options of a training. @param defaults values that differ between commands. */
export const addTrainingOptions = (
  command: Command,
  defaults: { readonly learningRate: number; readonly weightDecay: number; readonly batch: number },
): Command =>
  command
    .requiredOption('--out <dir>', 'directory for checkpoints, curves and the result')
    .option('--backend <name>', 'backend:device, or ./plug-in.js; see embed-kd doctor', 'ort:cpu')
    .option('--batch <n>', 'images a step; at most all training images', count, defaults.batch)
    .option(
      '--micro-batch <n>',
      'images whose gradients are computed at a time, for less memory (default: the whole batch)',
      count,
    )
    .addOption(
      new Option(
        '--rematerialise <how>',
        'activations that gradients recompute instead of keeping, for less memory and more time (default: none)',
      ).choices(REMATERIALISATIONS),
    )
    .addOption(
      new Option(
        '--precision <name>',
        'precision of training steps; evaluation and embedding are float32',
      )
        .choices(PRECISIONS)
        .default('float32'),
    )
    .option('--epochs <n>', 'passes over the training images', count, 10)
    .option('--seed <n>', 'seed of initial values, order, augmentation and dropout', whole, 0)
    .option(
      '--learning-rate <rate>',
      'highest learning rate of AdamW',
      positive,
      defaults.learningRate,
    )
    .option('--weight-decay <rate>', 'weight decay of AdamW', number, defaults.weightDecay)
    .addOption(
      new Option(
        '--schedule <name>',
        "course of the learning rate: constant, or warm-up and cosine (default: the preset's)",
      ).choices(['constant', 'cosine']),
    )
    .option(
      '--augment <how>',
      'augmentation of the training images: flip, crop:PIXELS of padding, or both with a comma (default: none)',
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
      '--checkpoint-every <steps>',
      'steps between checkpoints within an epoch (default: after each epoch only)',
      count,
    )
    .option('--resume', 'go on with the run in --out; more --epochs lengthen it')
    .option('--json', 'print the result as JSON')

function positive(word: string): number {
  const value = number(word)
  if (value <= 0) throw new InvalidArgumentError('Give a number above 0.')
  return value
}

export function share(word: string): number {
  const value = number(word)
  if (value < 0 || value >= 1) throw new InvalidArgumentError('Give a number from 0 to below 1.')
  return value
}
