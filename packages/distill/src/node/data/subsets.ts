// Which images of a split: all, a held-out part, a share or the first few of each class, and the order of an epoch.

import { Random, UserError } from '@embed-kd/core'

import { randomStream, type ImageShape } from '../../images/shape.js'
import type { Dataset, Split } from './dataset.js'

/** Some images of a split. */
export interface Subset {
  readonly shape: ImageShape
  readonly split: Split
  /** Positions in the split. */
  readonly indices: Int32Array
}

export const wholeSplit = (dataset: Dataset, which: 'train' | 'test'): Subset => ({
  shape: dataset,
  split: dataset[which],
  indices: Int32Array.from({ length: dataset[which].count }, (_, i) => i),
})

/** The first `limit` images; undefined for all. */
export const firstImages = (subset: Subset, limit: number | undefined): Subset =>
  limit === undefined ? subset : { ...subset, indices: subset.indices.subarray(0, limit) }

/**
 * Parts a subset in two, for choosing a checkpoint on images that neither train nor test it. `fraction` of each class, rounded
 * down, is held out; which ones depends on the seed alone.
 * @param minimum number of images of each class to hold out at least.
 * @throws UserError if no image would be held out.
 */
export function holdOut(
  subset: Subset,
  fraction: number,
  seed: number,
  minimum = 0,
): { training: Subset; heldOut: Subset } {
  if (!(fraction > 0 && fraction < 1))
    throw new Error(`the held-out fraction must be between 0 and 1, got ${fraction}`)
  const held = new Set<number>()
  for (const [label, members] of byClass(subset)) {
    const order = new Random(seed, randomStream.holdOut, label).shuffle(members)
    for (const index of order.slice(0, Math.max(minimum, Math.floor(fraction * order.length))))
      held.add(index)
  }
  if (held.size === 0)
    throw new UserError(
      `no class of the ${subset.indices.length} training images has enough of them to hold out a share of ${formatShare(fraction)}`,
      'give more training images, or hold out a larger share or nothing',
    )
  return {
    training: { ...subset, indices: subset.indices.filter((index) => !held.has(index)) },
    heldOut: { ...subset, indices: subset.indices.filter((index) => held.has(index)) },
  }
}

const formatShare = (share: number): string => String(Number(share.toPrecision(3)))

/**
 * Chooses a share of each class at random, rounded and at least one image. With one seed, a smaller share is part of a larger one.
 */
export function shareOfEachClass(subset: Subset, share: number, seed: number): Subset {
  const kept = new Set<number>()
  for (const [label, members] of byClass(subset)) {
    const order = new Random(seed, randomStream.labels, label).shuffle(members)
    for (const index of order.slice(0, Math.max(1, Math.round(share * order.length))))
      kept.add(index)
  }
  return { ...subset, indices: subset.indices.filter((index) => kept.has(index)) }
}

/** The first `count` images of each class (fewer where there are fewer), in the order of the subset. */
export function firstOfEachClass(subset: Subset, count: number): Subset {
  const kept = new Set([...byClass(subset).values()].flatMap((members) => members.slice(0, count)))
  return { ...subset, indices: subset.indices.filter((index) => kept.has(index)) }
}

/** The subset's indices in the order of an epoch. */
export const shuffled = (subset: Subset, seed: number, epoch: number): Int32Array =>
  new Random(seed, randomStream.order, epoch).shuffle(subset.indices.slice())

function byClass({ split, indices }: Subset): Map<number, number[]> {
  const classes = new Map<number, number[]>()
  for (const index of indices) {
    const label = split.labels[index]!
    const members = classes.get(label)
    if (members) members.push(index)
    else classes.set(label, [index])
  }
  return classes
}
