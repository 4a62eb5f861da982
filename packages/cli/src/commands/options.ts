// Values that commands read from words of the command line, and the limits of trials that several commands share.
import { InvalidArgumentError, Option, type Command } from 'commander'

import type { JobLimits } from '@embed-kd/bench'

/** Reads names with commas between them. */
export const list = (words: string): string[] => {
  const items = words.split(',').map((word) => word.trim())
  if (items.includes('')) throw new InvalidArgumentError('give names with commas between them')
  return items
}

export function count(word: string): number {
  const value = Number(word)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('give a whole number from 1 on')
  return value
}

export function whole(word: string): number {
  const value = Number(word)
  if (!Number.isSafeInteger(value) || value < 0 || word.trim() === '')
    throw new InvalidArgumentError('give a whole number from 0 on')
  return value
}

export function number(word: string): number {
  const value = Number(word)
  if (!Number.isFinite(value) || word.trim() === '') throw new InvalidArgumentError('give a number')
  return value
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
}

/** Reads a size in bytes: `900M`, `2G`, `1.5GiB`, in powers of 1024. */
export function bytes(word: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(word)
  const value = match && Number(match[1]) * UNITS[match[2]!.toUpperCase()]!
  if (!value) throw new InvalidArgumentError('give a size such as 900M or 2G')
  return Math.round(value)
}

/** Names of shards have five digits. */
const MOST_SHARDS = 99_999

/** Reads `2/8`, the second of eight shards. */
export function shard(word: string): { index: number; count: number } {
  const match = /^(\d+)\/(\d+)$/.exec(word)
  const [index, of] = [Number(match?.[1]), Number(match?.[2])]
  if (!match || index < 1 || index > of || of > MOST_SHARDS)
    throw new InvalidArgumentError(`give part/parts, such as 2/8, of at most ${MOST_SHARDS} parts`)
  return { index, count: of }
}

export interface LimitOptions {
  readonly timeout: number
  readonly memoryLimit?: number
}

export const addLimitOptions = (command: Command): Command =>
  command
    .option(
      '--timeout <seconds>',
      'seconds after which a trial, or the making of a teacher or of embeddings, is ended',
      count,
      3600,
    )
    .option(
      '--memory-limit <size>',
      'resident memory above which the process of a trial is ended, such as 4G (Linux only; default: no limit)',
      bytes,
    )

export const limitsOf = ({ timeout, memoryLimit }: LimitOptions): JobLimits => ({
  timeoutSeconds: timeout,
  ...(memoryLimit === undefined ? {} : { memoryLimitBytes: memoryLimit }),
})

/** Adds the options that say how a teacher encodes images. @param imageSize help of `--image-size`. */
export const addEncoderOptions = (command: Command, imageSize: string): Command =>
  command
    .option('--image-size <pixels>', imageSize, count)
    .option(
      '--onnx-file <path>',
      "ONNX file to take of a teacher's directory or repository, or its element type, such as fp16",
    )
    .option(
      '--output <name>',
      'output of an ONNX teacher to take (default: the one that is an embedding)',
    )
    .addOption(
      new Option('--pooling <how>', "pooling of an ONNX teacher's tokens").choices(['cls', 'mean']),
    )
