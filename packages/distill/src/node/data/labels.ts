// The one idea of labels and classes that all formats share: what a label may be, how labels become classes, and what a set of
// classes must fulfil before training starts.

import { UserError } from '@embed-kd/core'

import { DatasetError, type Dataset } from './dataset.js'

/** Labels of one split as its files have them, and what errors call them. */
export interface RawLabels {
  readonly values: readonly unknown[]
  /** Names the label at a position: `train.parquet, row 3`. */
  describe(position: number): string
}

export interface Labelled {
  readonly classes: number
  readonly classNames?: readonly string[]
  /** One array of class numbers for each of the given splits. */
  readonly labels: readonly Int32Array[]
}

const remedy = 'give every image a label, and leave out splits that have none'

/**
 * Turns labels into class numbers: whole numbers stand for themselves, strings become classes in the order of their names.
 * @param splits The training split first.
 * @param names Class names that come with the data.
 * @throws DatasetError at the first label that is neither.
 */
export function readLabels(splits: readonly RawLabels[], names?: readonly string[]): Labelled {
  const kind = typeof splits[0]!.values.find((value) => value !== null && value !== undefined)
  if (kind === 'string') return readStrings(splits, names)
  if (kind === 'boolean') {
    const labels = splits.map((split) => mapLabels(split, ['boolean'], Number))
    return { classes: 2, classNames: names?.length === 2 ? names : ['false', 'true'], labels }
  }
  const labels = splits.map((split) => mapLabels(split, ['number', 'bigint'], Number))
  const classes = names?.length ?? labels[0]!.reduce((most, label) => Math.max(most, label), 0) + 1
  return { classes, ...(names ? { classNames: names } : {}), labels }
}

function readStrings(splits: readonly RawLabels[], names?: readonly string[]): Labelled {
  const texts = splits.map(({ values, describe }) =>
    values.map((value, i) => {
      if (typeof value === 'string' && value.trim() !== '') return value.normalize('NFC')
      throw new DatasetError(
        describe(i),
        `its label is ${show(value)}, not the name of a class`,
        remedy,
      )
    }),
  )
  const classNames = [...(names ?? new Set(texts[0]).values())]
  if (!names) classNames.sort(compareText)
  const numbers = new Map(classNames.map((name, label) => [name, label]))
  const labels = texts.map((split, which) =>
    Int32Array.from(split, (text, i) => {
      const label = numbers.get(text)
      if (label !== undefined) return label
      throw new DatasetError(
        splits[which]!.describe(i),
        `its label is ${show(text)}, and no training image has that label`,
        'give both splits the same classes',
      )
    }),
  )
  return { classes: classNames.length, classNames, labels }
}

function mapLabels(
  { values, describe }: RawLabels,
  kinds: readonly string[],
  convert: (value: unknown) => number,
): Int32Array {
  return Int32Array.from(values, (value, i) => {
    const label = kinds.includes(typeof value) ? convert(value) : NaN
    if (Number.isInteger(label) && label >= 0 && label < 2 ** 31) return label
    throw new DatasetError(describe(i), `its label is ${show(value)}, not a class number`, remedy)
  })
}

function show(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (Array.isArray(value)) return `a list of ${value.length} (${listSome(value.map(show))})`
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

/** Orders text by UTF-16 code unit, whatever the locale. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

export interface ClassCheck {
  readonly classes: number
  readonly classNames?: readonly string[]
  readonly train: Int32Array
  readonly test: Int32Array
  /** File or directory of each split. */
  readonly sources: { readonly train: string; readonly test: string }
  /** Adds what is known of a class without images, such as the files in its folder that are not read. */
  explain?(label: number): string
}

/**
 * Checks that there are at least two classes, that each has training images, and that no test label is another.
 * @throws DatasetError naming the classes.
 */
export function checkClasses(check: ClassCheck): void {
  const { classes, train, test, sources } = check
  const trained = new Set<number>()
  for (const split of ['train', 'test'] as const)
    for (const [i, label] of check[split].entries()) {
      if (label >= classes)
        throw new DatasetError(
          sources[split],
          `the label of image ${i} is ${label}, but there are ${classes} classes, 0 to ${classes - 1}`,
          'check that the file belongs to this data set and is not damaged',
        )
      if (split === 'train') trained.add(label)
    }
  const emptyCount = classes - trained.size
  // A damaged label may promise any number of classes, so only some of the empty ones are named.
  const empty: number[] = []
  for (let label = 0; label < classes && empty.length < SHOWN; label++)
    if (!trained.has(label)) empty.push(label)
  const name = (label: number): string => {
    const text = check.classNames?.[label]
    return `${text === undefined ? label : JSON.stringify(text)}${check.explain?.(label) ?? ''}`
  }
  if (empty.length > 0) {
    const seen = [...new Set([...train, ...test])].sort((a, b) => a - b)
    const labels =
      check.classNames === undefined
        ? `; its labels are ${listSome(seen.map(String))}, and must count from 0 without gaps`
        : ''
    throw new DatasetError(
      sources.train,
      `${emptyCount} of ${classes} classes ${emptyCount === 1 ? 'has' : 'have'} no training images: ` +
        `${listSome(empty.map(name), SHOWN, emptyCount)}${labels}`,
      empty[0] === 0 && emptyCount === 1 && !check.classNames
        ? 'subtract 1 from all labels'
        : 'add images of each class, or remove the class',
    )
  }
  if (classes < 2)
    throw new DatasetError(
      sources.train,
      `there is only one class, ${name(0)}`,
      'give images of at least two classes',
    )
}

/** Label of an image in a data set without labels. */
export const NO_LABEL = -1

/** Whether the images of a data set have labels. */
export const isLabelled = ({ classes }: Pick<Dataset, 'classes'>): boolean => classes > 0

/** @throws UserError if a data set has no labels. @param what needs them; @param remedy what to do, if labels cannot be added. */
export function requireLabels(
  dataset: Pick<Dataset, 'classes' | 'name'>,
  what: string,
  remedy?: string,
): void {
  if (isLabelled(dataset)) return
  throw new UserError(
    `${what} needs class labels, but ${dataset.name} has none`,
    `move each image to a folder called as its class${remedy === undefined ? '' : `, or ${remedy}`}`,
  )
}

/** Returns a number of things: `1 file`, `2 files`. */
export const countOf = (n: number, thing: string): string => `${n} ${thing}${n === 1 ? '' : 's'}`

const SHOWN = 5

/** Joins the first few of a list, and says how many more there are. */
export const listSome = (words: readonly string[], shown = SHOWN, total = words.length): string =>
  total <= shown
    ? words.join(', ')
    : `${words.slice(0, shown).join(', ')} and ${total - shown} more`

/** Returns the positions of each label's images, in order. */
export function groupByLabel(labels: Int32Array): Map<number, number[]> {
  const groups = new Map<number, number[]>()
  for (const [position, label] of labels.entries()) {
    const members = groups.get(label)
    if (members) members.push(position)
    else groups.set(label, [position])
  }
  return groups
}
