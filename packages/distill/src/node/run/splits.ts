// The images of a run: those it trains on, and those held out to choose the best epoch.
import { UserError } from '@embed-kd/core'

import type { Dataset } from '../data/dataset.js'
import { isLabelled } from '../data/labels.js'
import { holdOut, shareOfEachClass, wholeSplit, type Subset } from '../data/subsets.js'

export interface RunSplits {
  readonly training: Subset
  /** Images held out of the training split; absent if the last epoch is kept. */
  readonly heldOut?: Subset
}

/** Which images are held out does not depend on the run's seed, so that all runs train on the same ones. */
const HELD_OUT_SEED = 0

export interface SplitOptions {
  /** Whether the student learns from labels: without them no image is held out, since nothing is counted there (default: true). */
  readonly labelled?: boolean | undefined
  /** Share of each class to hold out: at least one image of each, or none at all if it is 0. */
  readonly heldOut: number
  /** Share of the other images of each class to train on (default: 1). */
  readonly labels?: number | undefined
  /** Seed that chooses the share. */
  readonly seed: number
}

/** Splits the training images of a run. @param tell receives a message if nothing can be held out. */
export function splitRun(
  dataset: Dataset,
  { heldOut, labels = 1, seed, labelled = true }: SplitOptions,
  tell: (message: string) => void,
): RunSplits {
  if (!labelled) return { training: wholeSplit(dataset, 'train') }
  if (!(labels > 0 && labels <= 1))
    throw new UserError(
      `a share of ${labels} of the labels cannot be used`,
      'give a share above 0 and at most 1, such as 0.1',
    )
  const { training, ...rest } = holdOutOfRun(dataset, heldOut, tell)
  return { training: labels === 1 ? training : shareOfEachClass(training, labels, seed), ...rest }
}

function holdOutOfRun(dataset: Dataset, share: number, tell: (message: string) => void): RunSplits {
  const all = wholeSplit(dataset, 'train')
  if (share === 0) return { training: all }
  if (!(share > 0 && share < 1))
    throw new UserError(
      `a share of ${share} cannot be held out`,
      'give --held-out from 0 to below 1, such as 0.1',
    )
  const sizes = new Array<number>(dataset.classes).fill(0)
  for (const label of dataset.train.labels) sizes[label]!++
  const smallest = sizes.indexOf(Math.min(...sizes))
  if (sizes[smallest]! < 2) {
    const name = dataset.classNames?.[smallest] ?? smallest
    tell(
      `class ${name} has ${sizes[smallest] === 1 ? 'one training image' : 'no training image'}: nothing is held out, and the last epoch is kept`,
    )
    return { training: all }
  }
  return holdOut(all, share, HELD_OUT_SEED, 1)
}

/** Describes a data set, its splits and where its images are, in one line. */
export const describeSplits = (dataset: Dataset, { training, heldOut }: RunSplits): string =>
  `${dataset.name}: ${training.indices.length} images to train on, ` +
  `${heldOut ? `${heldOut.indices.length} held out` : 'none held out'}, ${dataset.test.count} to test, ` +
  `${isLabelled(dataset) ? `${dataset.classes} classes` : 'no labels'}; ${describeStorage(dataset)}`

const describeStorage = ({ train: { images } }: Dataset): string =>
  images instanceof Uint8Array
    ? 'images in memory'
    : 'path' in images
      ? `decoded images in ${images.path}`
      : 'images are decoded whenever they are read'
