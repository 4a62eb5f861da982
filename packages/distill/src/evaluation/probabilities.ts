// Calibration of a classifier's probabilities, and classes by their anchors without any training.
import { UserError } from '@embed-kd/core'

import type { Centroids } from '../embeddings/embeddings.js'
import { checkWidths, rowCount, unitRows, type Rows } from './rows.js'

/** Returns the column of the highest value of each row, and the first of equal ones. */
export function highestColumns(values: Float32Array, columns: number): Int32Array {
  return Int32Array.from({ length: values.length / columns }, (_, row) => {
    let best = row * columns
    for (let at = best + 1; at < (row + 1) * columns; at++)
      if (values[at]! > values[best]!) best = at
    return best - row * columns
  })
}

/**
 * Computes the expected calibration error (Guo et al. 2017): the mean distance between confidence and accuracy over bins of equal
 * width, each weighted by its images. A bin takes its lower bound in and its upper bound out, as in torchmetrics; a confidence of
 * exactly 1 has a bin of its own.
 * @param probabilities `[images, classes]`
 * @param bins number of bins between 0 and 1.
 */
export function calibrationError(
  probabilities: Float32Array,
  labels: ArrayLike<number>,
  bins = 15,
): number {
  const columns = probabilities.length / labels.length
  if (!Number.isInteger(columns) || columns < 1)
    throw new UserError(
      `${probabilities.length} probabilities are not those of ${labels.length} images`,
      'give one probability for each image and class',
    )
  const predictions = highestColumns(probabilities, columns)
  const confidence = new Float64Array(bins + 1)
  const right = new Float64Array(bins + 1)
  for (let image = 0; image < labels.length; image++) {
    const highest = probabilities[image * columns + predictions[image]!]!
    const bin = Math.min(bins, Math.floor(highest * bins))
    confidence[bin]! += highest
    if (predictions[image] === labels[image]) right[bin]!++
  }
  let error = 0
  for (let bin = 0; bin <= bins; bin++) error += Math.abs(confidence[bin]! - right[bin]!)
  return error / labels.length
}

/**
 * Classifies embeddings by the class of the anchor of highest cosine similarity: zero-shot classification, if the anchors are text
 * embeddings of the classes' names, and classification by the nearest centroid, if they are centroids.
 * @throws UserError if the anchors have another width.
 */
export function nearestAnchors(rows: Rows, anchors: Centroids): Int32Array {
  checkWidths(rows, anchors, 'anchors')
  const { width } = rows
  const unit = unitRows(anchors)
  return Int32Array.from({ length: rowCount(rows) }, (_, row) => {
    let [best, highest] = [0, -Infinity]
    for (let anchor = 0; anchor * width < unit.length; anchor++) {
      let product = 0
      for (let k = 0; k < width; k++)
        product += rows.vectors[row * width + k]! * unit[anchor * width + k]!
      if (product > highest) [best, highest] = [anchor, product]
    }
    return Math.floor(best / anchors.prototypes)
  })
}
