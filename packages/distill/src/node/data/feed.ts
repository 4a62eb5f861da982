// Batches of a data set as graph inputs: pixels normalised with the training split's statistics, labels, and what a
// teacher said of these very images. Which images come when is for data/batches.ts to say.
import { hostTensor, type HostTensor, type ImageShape } from '@embed-kd/core'

import type { Batch } from './batches.js'
import type { Dataset } from './dataset.js'
import { createInputWriter } from './input.js'
import type { InputWriter, ModelInput } from './input.js'
import { UserError } from '@embed-kd/core'

/** @throws UserError where images are not square, which the models are. */
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

  /** Inputs `batch.images`, `batch.labels` and, where the batch has them, `batch.teacher_embeddings`, in arrays of their own. */
  tensors({ pixels, labels, input, embeddings }: Batch): Map<string, HostTensor> {
    const { channels, size } = this.shape
    const count = labels.length
    const images = hostTensor('float32', [count, channels, size, size], input)
    if (!input) this.#write(pixels, count, images.data)
    const tensors = new Map<string, HostTensor>([
      ['batch.images', images],
      ['batch.labels', hostTensor('int32', [count], labels.slice())],
    ])
    if (embeddings) {
      const shape = [count, embeddings.length / count]
      tensors.set('batch.teacher_embeddings', hostTensor('float32', shape, embeddings))
    }
    return tensors
  }
}
