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

import { evaluationBatches } from '../data/batches.js'
import type { Subset } from '../data/subsets.js'
import type { Feed } from './feed.js'
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

  /** The share of images classified right. @param parameters inputs `state.parameters.*`; others are left out. */
  async accuracy(
    parameters: Readonly<Record<string, DeviceBuffer>>,
    subset: Subset,
  ): Promise<number> {
    const wanted = namesOf(this.#executable.graph)
    const model = Object.fromEntries(
      Object.entries(parameters).filter(([name]) => wanted.has(name)),
    )
    let correct = 0
    for (const batch of evaluationBatches(subset, BATCH)) {
      const tensors: Map<string, HostTensor> = this.#feed.tensors(batch)
      tensors.set('batch.mask', hostTensor('float32', [BATCH], batch.mask.slice()))
      const inputs = await upload(this.#backend, tensors)
      const outputs = await this.#executable.run({ ...model, ...inputs })
      correct += (await this.#backend.read(outputs['metrics.correct']!)).data[0]!
      disposeAll(inputs)
      disposeAll(outputs)
    }
    return correct / subset.indices.length
  }

  dispose(): Promise<void> {
    return this.#executable.dispose()
  }
}
