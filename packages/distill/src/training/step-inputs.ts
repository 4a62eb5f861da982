// The images of a user as a trainer takes them: arrays in memory become batches, batches are checked and normalised, and a
// training batch becomes the inputs of the step's graph.
import { hostTensor, isClassifier, UserError, type HostTensor } from '@embed-kd/core'

import type { StudentConfig } from '../models/students.js'
import { arrayBatches, type ImageArrays } from './array-batches.js'
import {
  batchesFrom,
  countImages,
  createNormalise,
  labelTensor,
  openBatches,
  type Batches,
  type BatchSource,
  type ImageBatch,
  type ImageFormat,
  type Normalise,
} from './batch.js'
import { EVALUATION_BATCH } from './evaluation.js'
import type { TeacherInputs } from './teacher.js'

/** Images to train on or to evaluate: all of them in memory, or batches. */
export type ImageSource = ImageArrays | BatchSource

export interface StepInputsOptions {
  readonly images: ImageFormat
  readonly model: StudentConfig
  readonly teacher: TeacherInputs
  /** Number of images a step. */
  readonly batch: number
  /** Seed of the order of images in memory. */
  readonly seed: number
}

export class StepInputs {
  readonly #options: StepInputsOptions
  readonly #normalise: Normalise

  /** @throws UserError if there is not one mean and one positive standard deviation for each channel. */
  constructor(options: StepInputsOptions) {
    this.#options = options
    this.#normalise = createNormalise(options.images)
  }

  /** Returns normalised images. @throws UserError if the array does not consist of whole images. */
  images(images: Float32Array | Uint8Array): Float32Array {
    countImages(images, this.#options.images)
    return this.#normalise(images)
  }

  /** Returns the training batches of each epoch; a smaller last batch is left out. */
  epochs(source: ImageSource): (epoch: number) => Batches {
    const batches = this.#batchesOf(source, 'shuffled', this.#options.batch)
    return (epoch) => this.#wholeBatches(openBatches(batches, epoch))
  }

  /** Returns batches of normalised images with their labels, in order. @throws UserError if a batch has no labels. */
  async *labelled(source: ImageSource, classes: number) {
    const batches = this.#batchesOf(source, 'as given', EVALUATION_BATCH)
    for await (const batch of batchesFrom(openBatches(batches, 0), 0)) {
      const count = countImages(batch.images, this.#options.images)
      const labels = labelTensor(batch.labels, count, classes).data as Int32Array
      yield { images: this.#normalise(batch.images), labels }
    }
  }

  /** Makes the graph inputs of a training batch. @throws UserError if the batch does not fit. */
  async tensorsOf(batch: ImageBatch): Promise<Map<string, HostTensor>> {
    const { images: format, model, teacher, batch: size } = this.#options
    const count = countImages(batch.images, format)
    if (count !== size) throw wrongSize(count, size)
    const shape = [count, format.channels, format.size, format.size]
    const tensors = new Map<string, HostTensor>([
      ['batch.images', hostTensor('float32', shape, this.#normalise(batch.images))],
    ])
    if (isClassifier(model))
      tensors.set('batch.labels', labelTensor(batch.labels, count, model.classes))
    for (const [name, tensor] of (await teacher.batch?.(batch, count)) ?? [])
      tensors.set(name, tensor)
    return tensors
  }

  #batchesOf(source: ImageSource, order: 'shuffled' | 'as given', batch: number): BatchSource {
    if (typeof source !== 'object' || source === null || !('images' in source)) return source
    const { images, seed } = this.#options
    const { channels, size } = images
    return arrayBatches(source, { order, batch, seed, channels, size })
  }

  /** Leaves out a last batch that is smaller than the others. @throws UserError if a smaller batch is not the last one. */
  #wholeBatches(batches: Batches): Batches {
    if (batches.read) return batches
    const { images, batch: size } = this.#options
    const whole = async function* () {
      let smaller: number | undefined
      for await (const batch of batches) {
        if (smaller !== undefined) throw wrongSize(smaller, size)
        const count = countImages(batch.images, images)
        if (count < size) smaller = count
        else yield batch
      }
    }
    const { length } = batches
    return Object.assign(whole(), length === undefined ? {} : { length })
  }
}

const wrongSize = (count: number, size: number): UserError =>
  new UserError(
    `a batch has ${count} images, but the step is compiled for ${size}`,
    'give batches of that many images, or another `batch` to Trainer.create',
  )
