// The stores that batches are given their embeddings from: one, or one of each of several teachers, by name. Stores of several
// teachers must be of the same pixels: the same images, augmented alike.
import { UserError } from '@embed-kd/core'

import { noAugmentation } from '../../images/augment.js'
import type { TeacherRows } from '../../training/batch.js'
import type { Batch, View } from '../data/batches.js'
import { describeAugmentation, type SampleMetadata } from './metadata.js'
import { requireSameOrigin } from './same-origin.js'
import { SampleStore } from './samples.js'

/** Path of a store, or of the store of each of several teachers by name. */
export type StorePaths = string | Readonly<Record<string, string>>

export class SampleStores {
  /** The stores by the names of the teachers; '' is the name of a single one. */
  readonly named: ReadonlyMap<string, SampleStore>
  readonly #first: SampleStore

  private constructor(named: ReadonlyMap<string, SampleStore>) {
    this.named = named
    this.#first = [...named.values()][0]!
  }

  /** Opens stores. @throws UserError if one cannot be opened, or two are of other images or augmentations. */
  static open(paths: StorePaths): SampleStores {
    const named = Object.entries(typeof paths === 'string' ? { '': paths } : paths)
    const stores = new Map(named.map(([name, path]) => [name, SampleStore.open(path)]))
    requireSameOrigin(named.map(([, path]) => path))
    requireSamePixels(named.map(([name, path]) => ({ path, metadata: stores.get(name)!.metadata })))
    return new SampleStores(stores)
  }

  /** Augmentation of the embedded images. */
  get augmentation(): SampleMetadata['augmentation'] {
    return this.#first.metadata.augmentation
  }

  /** Returns the view that an epoch of training uses. */
  viewOf(epoch: number): View {
    return this.#first.viewOf(epoch)
  }

  /** Reads the embeddings of a batch in a view. @throws UserError as `SampleStore.read` does. */
  read(batch: Batch, view: View): TeacherRows {
    const rows = [...this.named].map(
      ([name, store]) => [name, store.read(batch, view).data as Float32Array] as const,
    )
    return this.named.has('') ? rows[0]![1] : Object.fromEntries(rows)
  }

  close(): void {
    for (const store of this.named.values()) store.close()
  }
}

interface Opened {
  readonly path: string
  readonly metadata: SampleMetadata
}

/** @throws UserError naming the first two files whose rows are not of the same pixels. */
function requireSamePixels([first, ...others]: readonly Opened[]): void {
  for (const { path, metadata } of others) {
    const fields = ['images', 'augmentation', 'views', 'seed'] as const
    const odd = fields.find((field) => shown(first!.metadata, field) !== shown(metadata, field))
    if (odd === undefined) continue
    throw new UserError(
      `${first!.path} has ${shown(first!.metadata, odd)}, ${path} has ${shown(metadata, odd)}`,
      'make both files with embed-kd embed, of the same data and with the same --augment, --views and --seed',
    )
  }
}

/** Describes a field of metadata. */
function shown(
  { augmentation, views, seed, images }: SampleMetadata,
  key: 'augmentation' | 'views' | 'seed' | 'images',
): string {
  const augmented = describeAugmentation(augmentation)
  const words = {
    augmentation: `embeddings of images with ${augmented}`,
    views: `${views} views of each image`,
    // The seed of images that are not augmented changes nothing.
    seed: augmented === describeAugmentation(noAugmentation) ? '' : `augmentations of seed ${seed}`,
    images: `embeddings of ${images} images`,
  }
  return words[key]
}
