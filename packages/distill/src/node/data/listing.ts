// The steps that every format of encoded images shares: find the files of a data set, list their images, and let the shared rules
// make splits, labels and classes of them. Nothing is decoded here.

import type { Columns, Tell } from './dataset.js'
import type { EncodedImage } from './decode.js'
import { checkClasses, readLabels, type RawLabels } from './labels.js'
import { chooseSplits, holdOutTest, type Source, type SplitName } from './splits.js'
import type { File } from './walk.js'

export interface EncodedSplit {
  /** Directory or file that errors name. */
  readonly source: string
  readonly files: readonly EncodedImage[]
}

/** All images of a data set, with labels that are classes. */
export interface EncodedSplits {
  readonly classes: number
  readonly classNames?: readonly string[]
  readonly train: EncodedSplit
  readonly test: EncodedSplit
  readonly remedy: string
}

/** A data set whose files are known, and not read yet. */
export interface Located {
  /** The directory that has the data, which may be above or below the given one. */
  readonly root: string
  readonly files: readonly Pick<File, 'relative' | 'bytes' | 'time'>[]
  /** Lists the images. @throws DatasetError */
  list(tell: Tell): Promise<EncodedSplits>
}

/** Finds the files of a data set in, above or below a directory. @throws DatasetError saying what is there instead. */
export type Locate = (directory: string, columns: Columns, tell: Tell) => Located

/** A split as a format finds it. */
export interface FoundSplit {
  readonly source: string
  readonly images: readonly Omit<EncodedImage, 'label'>[]
  readonly labels: RawLabels
}

/**
 * Makes training and test split of what a format found: the rules for splits, labels and classes that all formats share.
 * @param explain adds what is known of a class without images.
 * @throws DatasetError
 */
export function arrangeSplits(
  found: Partial<Record<SplitName, FoundSplit>>,
  source: Source,
  names?: readonly string[],
  explain?: (label: number) => string,
): EncodedSplits {
  const { train, test } = chooseSplits(withoutUnlabelled(found, source.tell), source)
  const splits = test ? [train, test] : [train]
  const { labels, classes, classNames } = readLabels(
    splits.map((split) => split.labels),
    names,
  )
  tellLookalikes(classNames ?? [], source)
  const [trainLabels, testLabels = new Int32Array()] = labels as [Int32Array, Int32Array?]
  checkClasses({
    classes,
    ...(classNames ? { classNames } : {}),
    train: trainLabels,
    test: testLabels,
    sources: { train: train.source, test: (test ?? train).source },
    ...(explain ? { explain } : {}),
  })
  const labelled = ({ images }: FoundSplit, classNumbers: Int32Array): EncodedImage[] =>
    images.map((image, i) => Object.assign(image, { label: classNumbers[i]! }))
  const rest = { classes, ...(classNames ? { classNames } : {}), remedy: source.remedy }
  const files = labelled(train, trainLabels)
  if (test) {
    const testFiles = labelled(test, testLabels)
    return {
      ...rest,
      train: { source: train.source, files },
      test: { source: test.source, files: testFiles },
    }
  }
  const parts = holdOutTest(trainLabels, source)
  const pick = (positions: Int32Array) => ({
    source: train.source,
    files: Array.from(positions, (position) => files[position]!),
  })
  return { ...rest, train: pick(parts.train), test: pick(parts.test) }
}

/** Classes of almost the same name may be one class, spelled in two ways. */
function tellLookalikes(classNames: readonly string[], { path, tell }: Source): void {
  const seen = new Map<string, string>()
  for (const name of classNames) {
    const spelling = name
      .toLowerCase()
      .replace(/[\s_-]+/g, ' ')
      .trim()
    const other = seen.get(spelling)
    if (other !== undefined)
      tell(
        `${path}: the classes ${JSON.stringify(other)} and ${JSON.stringify(name)} differ in case or spaces alone`,
      )
    seen.set(spelling, name)
  }
}

/** Test splits of competitions have no labels, or -1: they cannot be tested on. */
function withoutUnlabelled(
  found: Partial<Record<SplitName, FoundSplit>>,
  tell: Tell,
): Partial<Record<SplitName, FoundSplit>> {
  const isMissing = (value: unknown) =>
    value === null || value === undefined || value === -1 || value === -1n
  const kept = { ...found }
  for (const which of ['test', 'validation'] as const) {
    const split = found[which]
    if (!split || split.labels.values.length === 0 || !split.labels.values.every(isMissing))
      continue
    tell(`${split.source}: the ${which} split has no labels, and is not used`)
    delete kept[which]
  }
  return kept
}
