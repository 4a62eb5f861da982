// Class centroids: the teacher as a file of one vector for each class, the mean of embeddings of some of its images.
import { checkInteger, fail } from '../check.js'
import { formatType, hostTensor, type HostTensor } from '../tensor/tensor.js'

/**
 * Gathers embeddings batch by batch and averages the first `perClass` of each class (the paper takes 100).
 * @throws UserError if a number of classes, a width or a number of images is not a whole number of at least 1.
 */
export class CentroidBuilder {
  readonly #sums: Float64Array
  readonly #counts: Int32Array
  readonly #classes: number
  readonly #width: number
  readonly #perClass: number

  /** @param width width of an embedding; @param perClass number of images that count for each class. */
  constructor(classes: number, width: number, perClass: number) {
    checkInteger('centroids: the number of classes', classes)
    checkInteger('centroids: the width of an embedding', width)
    checkInteger('centroids: the number of images of each class', perClass)
    this.#classes = classes
    this.#width = width
    this.#perClass = perClass
    this.#sums = new Float64Array(classes * width)
    this.#counts = new Int32Array(classes)
  }

  /** Whether another image of a class would still count. @throws UserError if the label is not a class. */
  wants(label: number): boolean {
    checkLabel(label, this.#classes)
    return this.#counts[label]! < this.#perClass
  }

  /**
   * Adds embeddings [n, width] with their n labels; embeddings of classes that have enough images are skipped.
   * @throws UserError if the lengths do not agree, a label is not a class, or an embedding is not finite.
   */
  add(embeddings: Float32Array, labels: ArrayLike<number>): void {
    if (embeddings.length !== labels.length * this.#width)
      fail(
        `centroids: ${labels.length} labels of embeddings with ${this.#width} numbers need ${labels.length * this.#width} numbers, got ${embeddings.length}`,
        'give one label for each embedding',
      )
    for (let i = 0; i < labels.length; i++) {
      const label = labels[i]!
      if (!this.wants(label)) continue
      const row = embeddings.subarray(i * this.#width, (i + 1) * this.#width)
      if (!row.every(Number.isFinite))
        fail(`centroids: an embedding of class ${label} is not finite`, 'check the teacher')
      row.forEach((value, k) => (this.#sums[label * this.#width + k]! += value))
      this.#counts[label]!++
    }
  }

  /** Returns the centroids [classes, width]. @throws UserError if a class has no image. */
  finish(): HostTensor {
    const empty = this.#counts.indexOf(0)
    if (empty >= 0)
      fail(`centroids: class ${empty} has no image`, 'give at least one image of each class')
    const data = Float32Array.from(
      this.#sums,
      (sum, i) => sum / this.#counts[Math.floor(i / this.#width)]!,
    )
    return hostTensor('float32', [this.#classes, this.#width], data)
  }
}

/** @throws UserError unless a label is a whole number from 0 to classes - 1. */
export function checkLabel(label: number, classes: number): void {
  if (!Number.isInteger(label) || label < 0 || label >= classes)
    fail(
      `label ${label} is not one of the ${classes} classes`,
      `labels are whole numbers from 0 to ${classes - 1}`,
    )
}

/**
 * Returns the centroids [classes, width] of embeddings [n, width]: the mean of the first `perClass` embeddings of each class.
 * @param embeddings float32; @param labels n whole numbers from 0 to classes - 1.
 * @throws UserError if shapes and lengths do not agree, a label is not a class, an embedding is not finite, or a class has none.
 */
export function classCentroids(
  embeddings: HostTensor,
  labels: ArrayLike<number>,
  classes: number,
  perClass: number,
): HostTensor {
  const { dtype, shape, data } = embeddings
  if (dtype !== 'float32' || shape.length !== 2)
    fail(
      `centroids: embeddings must be float32 of shape [images, width], got ${formatType(embeddings)}`,
    )
  const builder = new CentroidBuilder(classes, shape[1]!, perClass)
  builder.add(data as Float32Array, labels)
  return builder.finish()
}
