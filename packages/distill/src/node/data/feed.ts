// Turns batches of a data set into batches of a trainer: pixels normalised with the training split's statistics, labels, and
// embeddings that were read ahead. The choice and order of images is made in batches.ts.
import { UserError, type ImageShape } from '@embed-kd/core'

import type { Batches, ImageBatch } from '../../training/batch.js'
import { evaluationBatches, type Batch } from './batches.js'
import type { Dataset } from './dataset.js'
import { createInputWriter } from './input.js'
import type { InputWriter, ModelInput } from './input.js'
import type { Subset } from './subsets.js'

/** Returns the sizes of a data set's images. @throws UserError if the images are not square. */
export function squareImages({ name, channels, height, width }: Dataset): ImageShape {
  if (height !== width)
    throw new UserError(
      `data set ${name} has images of ${height}x${width} pixels, the models take square ones`,
      'crop or pad the images first',
    )
  return { channels, size: width }
}

export class Feed {
  readonly shape: ImageShape
  /** How pixels become the student's input. */
  readonly input: ModelInput
  readonly #write: InputWriter

  constructor(dataset: Dataset) {
    this.shape = squareImages(dataset)
    const { channels, height, width, statistics } = dataset
    this.input = { channels, height, width, ...statistics, fit: 'resize' }
    this.#write = createInputWriter(dataset, this.input)
  }

  /** Returns a batch as the trainer takes it, padding included: images as the student sees them, beside the pixels. */
  imageBatch({ pixels, labels, indices, input, embeddings }: Batch): ImageBatch {
    const { channels, size } = this.shape
    const images = input ?? new Float32Array(labels.length * channels * size * size)
    if (!input) this.#write(pixels, labels.length, images)
    return { images, labels, indices, pixels, embeddings }
  }

  /** Returns the images of a subset in order, in batches of at most `size`, to evaluate. */
  async *evaluationBatches(subset: Subset, size: number): AsyncGenerator<ImageBatch> {
    const { channels, size: side } = this.shape
    for await (const batch of evaluationBatches(subset, size)) {
      const { images } = this.imageBatch(batch)
      const values = batch.count * channels * side * side
      yield {
        images: images.subarray(0, values),
        labels: batch.labels.slice(0, batch.count),
        pixels: batch.pixels.subarray(0, values),
      }
    }
  }
}

/** Returns the batches of a loader's epoch as the trainer takes them. */
export function mapBatches(
  batches: { readonly length: number; read(step: number): Promise<Batch> },
  imageBatch: (batch: Batch) => ImageBatch,
): Batches {
  const read = async (step: number) => imageBatch(await batches.read(step))
  return {
    length: batches.length,
    read,
    async *[Symbol.asyncIterator]() {
      for (let step = 0; step < batches.length; step++) yield await read(step)
    },
  }
}
