// Accuracy of a classifier on images it does not train on.
import {
  evalGraph,
  hostTensor,
  type Backend,
  type ClassifierConfig,
  type DeviceBuffer,
  type Executable,
  type HostTensor,
} from '@embed-kd/core'

import { evaluationBatches } from '../node/data/batches.js'
import type { Subset } from '../node/data/subsets.js'
import type { Feed } from '../node/data/feed.js'
import { disposeAll, namesOf, upload } from './training.js'

/** Larger batches are no faster on CPUs, and cost memory. */
const BATCH = 250

export class Evaluation {
  readonly #backend: Backend
  readonly #feed: Feed
  readonly #executable: Executable

  private constructor(backend: Backend, feed: Feed, executable: Executable) {
    this.#backend = backend
    this.#feed = feed
    this.#executable = executable
  }

  static async create(backend: Backend, feed: Feed, model: ClassifierConfig): Promise<Evaluation> {
    const executable = await backend.compile(evalGraph(model, BATCH, feed.shape))
    return new Evaluation(backend, feed, executable)
  }

  /** The share of images classified right. @param parameters as for `predict`. */
  async accuracy(
    parameters: Readonly<Record<string, DeviceBuffer>>,
    subset: Subset,
  ): Promise<number> {
    const predictions = await this.predict(parameters, subset)
    const { split, indices } = subset
    const right = indices.filter((index, i) => predictions[i] === split.labels[index])
    return right.length / indices.length
  }

  /** The class of each image of a subset, in its order. @param parameters inputs `state.parameters.*`; others are left out. */
  async predict(
    parameters: Readonly<Record<string, DeviceBuffer>>,
    subset: Subset,
  ): Promise<Int32Array> {
    const wanted = namesOf(this.#executable.graph)
    const model = Object.fromEntries(
      Object.entries(parameters).filter(([name]) => wanted.has(name)),
    )
    const predictions = new Int32Array(subset.indices.length)
    let done = 0
    for await (const batch of evaluationBatches(subset, BATCH)) {
      const tensors: Map<string, HostTensor> = this.#feed.tensors(batch)
      tensors.set('batch.mask', hostTensor('float32', [BATCH], batch.mask.slice()))
      const inputs = await upload(this.#backend, tensors)
      const outputs = await this.#executable.run({ ...model, ...inputs })
      const { data } = await this.#backend.read(outputs['predictions']!)
      predictions.set((data as Int32Array).subarray(0, batch.count), done)
      done += batch.count
      disposeAll(inputs)
      disposeAll(outputs)
    }
    return predictions
  }

  dispose(): Promise<void> {
    return this.#executable.dispose()
  }
}
