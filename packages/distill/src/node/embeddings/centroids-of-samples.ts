// Centroids of stored embeddings: what embedding the same images again would give, without a teacher.
import { UserError } from '@embed-kd/core'

import { CentroidCollector } from '../../embeddings/centroids.js'
import type { Centroids } from '../../embeddings/embeddings.js'
import { noAugmentation } from '../../images/augment.js'
import type { Dataset } from '../data/dataset.js'
import type { Subset } from '../data/subsets.js'
import { describeAugmentation } from './metadata.js'
import { SampleStore } from './samples.js'

/** Rows that are read and added at a time. */
const ROWS = 256

/**
 * Computes centroids of some training images from a file with an embedding for each image.
 * @param prototypes vectors of each class (default: 1, the mean).
 * @throws UserError if the file is of other data or of augmented images, or lacks an image.
 */
export function centroidsOfSamples(
  path: string,
  dataset: Dataset,
  { split, indices }: Subset,
  prototypes = 1,
): Centroids {
  const store = SampleStore.open(path)
  try {
    store.requireContent('embeddings', 'embed-kd')
    store.requireDataset(dataset)
    const { width, metadata } = store
    if (JSON.stringify(metadata.augmentation) !== JSON.stringify(noAugmentation))
      throw new UserError(
        `${path} has embeddings of images with ${describeAugmentation(metadata.augmentation)}, of which no centroids are computed`,
        'make embeddings of plain images with embed-kd embed, or choose cached-kd',
      )
    const { classes, classNames } = dataset
    const plan = { classes, width, normalise: false, prototypes, seed: 0 }
    const collector = new CentroidCollector(plan)
    for (let first = 0; first < indices.length; first += ROWS) {
      const part = indices.subarray(first, first + ROWS)
      const labels = Int32Array.from(part, (index) => split.labels[index]!)
      collector.add(store.vectorsOf(part), labels)
    }
    const vectors = collector.finish().data as Float32Array
    return { kind: 'centroids', vectors, width, classes, prototypes, classNames }
  } finally {
    store.close()
  }
}
