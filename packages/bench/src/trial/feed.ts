// Batches of a data set as graph inputs: pixels normalised with the training split's statistics, labels, and what a
// teacher said of these very images. Which images come when is for data/batches.ts to say.
import { hostTensor, type HostTensor, type ImageShape } from '@embed-kd/core'

import type { Batch } from '../data/batches.js'
import type { Dataset } from '../data/dataset.js'
import { channelStatistics, createInputWriter } from '../data/input.js'
import type { InputWriter, ModelInput } from '../data/input.js'
import { wholeSplit } from '../data/subsets.js'
import { UserError } from '../errors.js'

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
    const statistics = channelStatistics(wholeSplit(dataset, 'train'))
    const { channels, height, width } = dataset
    this.input = { channels, height, width, ...statistics, fit: 'resize' }
    this.#write = createInputWriter(dataset, this.input)
  }

  /** Inputs `batch.images` and `batch.labels`, in arrays of their own. */
  tensors({ pixels, labels, input }: Batch): Map<string, HostTensor> {
    const { channels, size } = this.shape
    const count = labels.length
    const images = hostTensor('float32', [count, channels, size, size], input)
    if (!input) this.#write(pixels, count, images.data)
    return new Map<string, HostTensor>([
      ['batch.images', images],
      ['batch.labels', hostTensor('int32', [count], labels.slice())],
    ])
  }
}

/** Rows of a store [images, width] for a batch; padding gets the first row. */
export function gatherRows(store: HostTensor, { indices }: Batch): HostTensor {
  const width = store.shape[1]!
  const rows = hostTensor('float32', [indices.length, width])
  const values = store.data as Float32Array
  indices.forEach((index, i) => {
    const from = Math.max(index, 0) * width
    rows.data.set(values.subarray(from, from + width), i * width)
  })
  return rows
}
