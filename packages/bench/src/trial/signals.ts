// What a trial's student learns from besides labels, as graph inputs: a live teacher's weights, centroids, or a store of embeddings
// of single images, which stays on the disk. Random where the teacher is, since only the cost is meant then.
import { embeddingWidth, hostTensor, Random, type HostTensor } from '@embed-kd/core'

import type { Batch } from '@embed-kd/distill/node'
import type { Dataset } from '@embed-kd/distill/node'
import { loadCentroids } from '@embed-kd/distill/node'
import { SampleStore } from '@embed-kd/distill/node'
import { teacherInputs, type Tensors } from '@embed-kd/distill/node'
import { storedSignalOf, teacherOf } from './config.js'
import type { Feed } from '@embed-kd/distill/node'
import type { TrialJob } from './protocol.js'

export interface Signals {
  /** Inputs `teacher.*`, the same for all steps. */
  readonly held: Tensors
  /** For cached-kd: the store that batches made in the background are given their embeddings of. */
  readonly store?: string
  /** For cached-kd: embeddings [size, width] of a batch that was not given its own when it was made. */
  readonly embeddingsOf?: (batch: Batch) => HostTensor
}

export function loadSignals(
  { config, teacherFile, embeddingsFile }: TrialJob,
  { shape, input }: Feed,
  dataset: Dataset,
): Signals {
  const teacher = teacherOf(config)
  if (!teacher) return { held: [] }
  const data = { ...shape, classes: dataset.classes }
  const stored = storedSignalOf(config)
  if (stored === undefined) return { held: teacherInputs(teacher, data, teacherFile, input) }
  const width = embeddingWidth(teacher.model(data))
  if (stored === 'centroids') {
    const centroids =
      embeddingsFile === undefined
        ? randomRows(dataset.classes, width)
        : loadCentroids(embeddingsFile, dataset).centroids
    return { held: [['teacher.centroids', centroids]] }
  }
  if (embeddingsFile === undefined) {
    const rows = randomRows(config.batch, width)
    return { held: [], embeddingsOf: () => rows }
  }
  const store = SampleStore.open(embeddingsFile)
  return {
    held: [],
    store: embeddingsFile,
    embeddingsOf: (batch) => store.read(batch, store.viewOf(0)),
  }
}

function randomRows(rows: number, width: number): HostTensor {
  const random = new Random(0)
  const data = Float32Array.from({ length: rows * width }, () => random.uniform() - 0.5)
  return hostTensor('float32', [rows, width], data)
}
