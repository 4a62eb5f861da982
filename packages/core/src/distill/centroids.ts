// Class centroids: the teacher as a file of one vector for each class.
import { hostTensor, type HostTensor } from '../tensor/tensor.js'

/** Gathers embeddings batch by batch and gives the mean of the first `perClass` of each class (the paper takes 100). */
export class CentroidBuilder {
  readonly #sums: Float64Array
  readonly #counts: Int32Array
  readonly #classes: number
  readonly #width: number
  readonly #perClass: number

  constructor(classes: number, width: number, perClass: number) {
    this.#classes = classes
    this.#width = width
    this.#perClass = perClass
    this.#sums = new Float64Array(classes * width)
    this.#counts = new Int32Array(classes)
  }

  /** Whether an image of a class would still count. */
  wants(label: number): boolean {
    return this.#counts[label]! < this.#perClass
  }

  /** Whether every class has its images. */
  get complete(): boolean {
    return this.#counts.every((count) => count >= this.#perClass)
  }

  /**
   * Adds embeddings [n, width] with their labels; those of classes that have enough are passed over.
   * @throws where a label is not a class, or an embedding is not finite.
   */
  add(embeddings: Float32Array, labels: ArrayLike<number>): void {
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i]!
      if (!(label >= 0 && label < this.#classes))
        throw new Error(`centroids: label ${label} is not one of the ${this.#classes} classes`)
      if (!this.wants(label)) continue
      const row = embeddings.subarray(i * this.#width, (i + 1) * this.#width)
      if (!row.every(Number.isFinite))
        throw new Error(`centroids: an embedding of class ${label} is not finite`)
      row.forEach((value, k) => (this.#sums[label * this.#width + k]! += value))
      this.#counts[label]!++
    }
  }

  /** Centroids [classes, width]. @throws where a class has no image. */
  finish(): HostTensor {
    const empty = this.#counts.indexOf(0)
    if (empty >= 0) throw new Error(`centroids: class ${empty} has no image`)
    const data = Float32Array.from(
      this.#sums,
      (sum, i) => sum / this.#counts[Math.floor(i / this.#width)]!,
    )
    return hostTensor('float32', [this.#classes, this.#width], data)
  }
}

/** Centroids [classes, width] of embeddings [n, width]: the mean of the first `perClass` of each class. */
export function classCentroids(
  embeddings: HostTensor,
  labels: ArrayLike<number>,
  classes: number,
  perClass: number,
): HostTensor {
  const builder = new CentroidBuilder(classes, embeddings.shape[1]!, perClass)
  builder.add(embeddings.data as Float32Array, labels)
  return builder.finish()
}
