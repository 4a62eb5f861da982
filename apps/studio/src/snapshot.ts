// Snapshots of a student in training: accuracy, confusion, and a map of embeddings of test images in two dimensions.
import type { HostTensor } from '@embed-kd/core'
import type { Trainer } from '@embed-kd/distill'

import type { Dataset, Embeddings, MapPoint, Snapshot } from './messages.js'
import { normaliseRows, principalAxes, project, type Axes } from './projection.js'

/** Number of test images that the map shows. */
const SHOWN = 300

/** Takes snapshots of one run. Each map starts from the axes of the map before, so that points do not jump. */
export class SnapshotTaker {
  readonly #dataset: Dataset
  readonly #embeddings: Embeddings | undefined
  #axes: Axes | undefined

  constructor(dataset: Dataset, embeddings: Embeddings | undefined) {
    this.#dataset = dataset
    this.#embeddings = embeddings
  }

  async take(trainer: Trainer): Promise<Snapshot> {
    const { test, channels, size } = this.#dataset
    const shown = Math.min(SHOWN, test.labels.length)
    const images = test.images.subarray(0, shown * channels * size * size)
    const { embeddings } = await trainer.predict(images)
    const { confusion, accuracy } = await trainer.evaluate(test)
    const centroids = projectCentroids(this.#embeddings, await trainer.parameters())
    return {
      map: this.#map(embeddings, test.labels.subarray(0, shown), centroids),
      confusion,
      accuracy,
    }
  }

  #map(embeddings: Float32Array, labels: Int32Array, centroids: Float32Array): MapPoint[] {
    const width = embeddings.length / labels.length
    const rows = new Float32Array(embeddings.length + centroids.length)
    rows.set(embeddings)
    rows.set(centroids, embeddings.length)
    normaliseRows(rows, width)
    this.#axes = principalAxes(rows, width, this.#axes)
    const perClass = centroids.length / width / this.#dataset.classNames.length
    return project(rows, width, this.#axes).map(([x, y], i): MapPoint => {
      const centroid = i >= labels.length
      const label = centroid ? Math.floor((i - labels.length) / perClass) : labels[i]!
      return { x, y, label, centroid }
    })
  }
}

/** Projects the teacher's centroids into the student's space with the student's own projection; empty if it has none. */
function projectCentroids(
  embeddings: Embeddings | undefined,
  parameters: ReadonlyMap<string, HostTensor>,
): Float32Array {
  const weight = parameters.get('teacher_proj.weight')
  const bias = parameters.get('teacher_proj.bias')
  if (embeddings?.kind !== 'centroids' || !weight || !bias) return new Float32Array()
  const [out, width] = weight.shape as [number, number]
  const { vectors } = embeddings
  return Float32Array.from({ length: (vectors.length / width) * out }, (_, i) => {
    const [row, k] = [Math.floor(i / out), i % out]
    let sum = bias.data[k]!
    for (let j = 0; j < width; j++) sum += weight.data[k * width + j]! * vectors[row * width + j]!
    return sum
  })
}
