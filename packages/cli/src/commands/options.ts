// How the words of a command line become values, the same for every command; a word that does not is the user's error.
import { InvalidArgumentError, Option, type Command } from 'commander'
import { METHODS, PRECISIONS, PRESETS, REMATERIALISATIONS } from '@embed-kd/records'

import { datasetSpecs } from '@embed-kd/distill/node'
import { students } from '@embed-kd/distill'
import { teacherSpecs } from '@embed-kd/distill/node'
import type { JobLimits } from '@embed-kd/bench'

export const list = (words: string): string[] => {
  const items = words.split(',').map((word) => word.trim())
  if (items.includes('')) throw new InvalidArgumentError('Give names with commas between them.')
  return items
}

export function count(word: string): number {
  const value = Number(word)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('Give a whole number from 1 on.')
  return value
}

export function whole(word: string): number {
  const value = Number(word)
  if (!Number.isSafeInteger(value) || value < 0 || word.trim() === '')
    throw new InvalidArgumentError('Give a whole number from 0 on.')
  return value
}

export function number(word: string): number {
  const value = Number(word)
  if (!Number.isFinite(value) || word.trim() === '')
    throw new InvalidArgumentError('Give a number.')
  return value
}

export const counts = (words: string): number[] => list(words).map(count)

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
}

/** `900M`, `2G`, `1.5GiB`: powers of 1024. */
export function bytes(word: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(word)
  const value = match && Number(match[1]) * UNITS[match[2]!.toUpperCase()]!
  if (!value) throw new InvalidArgumentError('Give a size such as 900M or 2G.')
  return Math.round(value)
}

/** `2/8`: the second of eight. */
export function shard(word: string): { index: number; count: number } {
  const match = /^(\d+)\/(\d+)$/.exec(word)
  const [index, of] = [Number(match?.[1]), Number(match?.[2])]
  if (!match || index < 1 || index > of)
    throw new InvalidArgumentError('Give part/parts, such as 2/8.')
  return { index, count: of }
}

/** The axes and settings of a grid, by the names of its fields; each replaces the profile's. */
export const addGridOptions = (command: Command): Command =>
  command
    .option('--backend <list>', 'backend:device, or ./plug-in.js; see embed-kd doctor', list)
    .option('--method <list>', METHODS.join(', '), list)
    .option('--teacher <list>', teacherSpecs.join(', '), list)
    .option('--student <list>', students.map(({ name }) => name).join(', '), list)
    .option('--dataset <list>', datasetSpecs.join(', '), list)
    .option('--batch <list>', 'images a step', counts)
    .option('--micro-batch <n>', 'images whose gradients are computed at a time', count)
    .option('--rematerialise <list>', `none, ${REMATERIALISATIONS.join(', ')}`, list)
    .option('--precision <list>', PRECISIONS.join(', '), list)
    .option('--preset <list>', PRESETS.join(', '), list)
    .addOption(new Option('--epochs <n>', 'train for accuracy').argParser(count).conflicts('steps'))
    .option('--steps <n>', 'measure the cost alone, with N samples of a step', count)
    .option('--seeds <n>', 'repeat each configuration with N seeds', count)
    .option('--first-seed <n>', 'the first of them', whole)
    .option('--learning-rate <rate>', 'of AdamW', number)
    .option('--weight-decay <rate>', 'of AdamW', number)
    .option('--kd-weight <weight>', 'of the distillation loss', number)
    .option('--dropout <share>', 'of attention weights', number)
    .option('--train-images <n>', 'only the first N of the training split', count)
    .option('--test-images <n>', 'only the first N of the test split', count)
    .option('--centroid-images <n>', 'images of each class that a centroid is the mean of', count)

export interface LimitOptions {
  readonly timeout: number
  readonly memoryLimit?: number
}

export const addLimitOptions = (command: Command): Command =>
  command
    .option(
      '--timeout <seconds>',
      'end a trial, or the making of a teacher or of embeddings, that takes longer',
      count,
      3600,
    )
    .option(
      '--memory-limit <size>',
      'end a trial whose process grows larger, for example 4G (Linux); not the making of teachers and embeddings',
      bytes,
    )

export const limitsOf = ({ timeout, memoryLimit }: LimitOptions): JobLimits => ({
  timeoutSeconds: timeout,
  ...(memoryLimit === undefined ? {} : { memoryLimitBytes: memoryLimit }),
})
