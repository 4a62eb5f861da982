// The one idea of a split that all formats share: which words name it, which split serves as the test split, and which training
// images are held out as test images if there is none.

import { Random } from '@embed-kd/core'

import { DatasetError, type Tell } from './dataset.js'
import { countOf, groupByLabel } from './labels.js'

export type SplitName = 'train' | 'validation' | 'test'

/** Words by which folders and files name a split, as the `datasets` library knows them. */
const splitWords: Record<SplitName, readonly string[]> = {
  train: ['training', 'train'],
  validation: ['validation', 'valid', 'val', 'dev'],
  test: ['testing', 'test', 'evaluation', 'eval', 't10k'],
}

const wordSplits = new Map(
  Object.entries(splitWords).flatMap(([split, words]) =>
    words.map((word) => [word, split as SplitName]),
  ),
)
/** A word stands between characters that are no letters; `trainset` and `valdata` count too. */
const splitPattern = new RegExp(
  `(?<!\\p{L})(${[...wordSplits.keys()].join('|')})(?:set|data)?(?!\\p{L})`,
  'iu',
)

/** Returns the split that a name stands for: `train`, `Test`, `cifar_train`, `testSet`, `val-00000-of-00001` …, or undefined. */
export function splitOf(name: string): SplitName | undefined {
  const words = name.replace(/(\p{Ll})(?=\p{Lu})/gu, '$1 ')
  return wordSplits.get(splitPattern.exec(words)?.[1]?.toLowerCase() ?? '')
}

/** Returns the split of a file by its name, or by the innermost folder that names one. */
export function splitOfPath(path: string): SplitName | undefined {
  for (const part of path.split('/').reverse()) {
    const split = splitOf(part)
    if (split !== undefined) return split
  }
  return undefined
}

/**
 * Divides files by the split that their path names. Those that name none are the training split, unless other files are.
 * @param what the files are, for what is told.
 */
export function divideByName<F extends { readonly relative: string }>(
  files: readonly F[],
  what: string,
  { path, tell }: Source,
): Partial<Record<SplitName, F[]>> {
  const splits: Partial<Record<SplitName, F[]>> = {}
  const unnamed: F[] = []
  for (const file of files) {
    const split = splitOfPath(file.relative)
    if (split === undefined) unnamed.push(file)
    else (splits[split] ??= []).push(file)
  }
  if (unnamed.length === 0) return splits
  const names = Object.keys(splits)
  if (splits.train) tell(`${path}: ${countOf(unnamed.length, what)} called after no split ignored`)
  else {
    splits.train = unnamed
    if (names.length > 0)
      tell(
        `${path}: ${countOf(unnamed.length, what)} called after no split taken as training split`,
      )
  }
  return splits
}

/** Share of each class that is held out of the training images if there is no test split. */
const HELD_OUT_SHARE = 0.2

export interface Source {
  /** Directory or file that errors name. */
  readonly path: string
  /** How to lay the data out. */
  readonly remedy: string
  readonly tell: Tell
}

/**
 * Chooses the split to test on: test, else validation, else none. The choice is told unless it is the plain one.
 * @throws DatasetError if there is no training split.
 */
export function chooseSplits<T>(
  found: Partial<Record<SplitName, T>>,
  { path, remedy, tell }: Source,
): { train: T; test?: T } {
  const { train, validation, test } = found
  if (train === undefined) {
    const names = Object.keys(found)
    const there = names.length === 0 ? 'no split at all' : `only a ${names.join(' and a ')} split`
    throw new DatasetError(path, `there is no training split in it, ${there}`, remedy)
  }
  if (test !== undefined) {
    if (validation !== undefined) tell(`${path}: the validation split is not used`)
    return { train, test }
  }
  if (validation === undefined) return { train }
  tell(`${path}: there is no test split; the validation split is used as one`)
  return { train, test: validation }
}

/**
 * Holds out a share of each class as test images, the same ones each time. A class of one image keeps it.
 * @param labels of all images, in an order that does not change.
 */
export function holdOutTest(
  labels: Int32Array,
  { path, remedy, tell }: Source,
): { train: Int32Array; test: Int32Array } {
  const held = new Set<number>()
  for (const [label, members] of groupByLabel(labels)) {
    const count = Math.min(
      Math.max(Math.round(HELD_OUT_SHARE * members.length), 1),
      members.length - 1,
    )
    for (const position of new Random(0, label).shuffle(members).slice(0, count)) held.add(position)
  }
  if (held.size === 0)
    throw new DatasetError(
      path,
      `there is no test split, and ${labels.length} training images are too few to hold some out`,
      remedy,
    )
  tell(
    `${path}: there is no test split; ${held.size} of the ${labels.length} training images ` +
      `(${100 * HELD_OUT_SHARE} % of each class, rounded) are held out as test images`,
  )
  const positions = Int32Array.from({ length: labels.length }, (_, i) => i)
  return {
    train: positions.filter((position) => !held.has(position)),
    test: positions.filter((position) => held.has(position)),
  }
}
