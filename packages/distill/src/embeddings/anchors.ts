// Controls of methods that learn from centroids: anchors that take the teacher's knowledge away, one part at a time. A student that
// learns as well from them learns nothing of the teacher.
import { Random, UserError } from '@embed-kd/core'

import { randomStream } from '../images/shape.js'
import type { Centroids } from './embeddings.js'

/**
 * What stands in for the teacher's centroids:
 * - `shuffled`: the same centroids, each class with those of another class.
 * - `orthogonal`: random directions that are orthogonal to each other.
 * - `one-hot`: the first unit vectors, one for each centroid.
 * The latter two have the mean length of the teacher's centroids, so that the loss differs in nothing but directions.
 */
export const anchorControls = ['shuffled', 'orthogonal', 'one-hot'] as const
export type AnchorControl = (typeof anchorControls)[number]

const controls: Readonly<
  Record<AnchorControl, (centroids: Centroids, random: Random) => Float32Array>
> = {
  shuffled: shuffleClasses,
  orthogonal: (centroids, random) => scaledRows(centroids, orthonormalRows(centroids, random)),
  'one-hot': (centroids) => scaledRows(centroids, unitRows(centroids)),
}

/** Checks that a control fits. @throws UserError if there are more orthogonal vectors than dimensions. */
export function checkAnchors(
  { classes, prototypes, width }: Pick<Centroids, 'classes' | 'prototypes' | 'width'>,
  control: AnchorControl,
): void {
  if (control !== 'shuffled' && classes * prototypes > width)
    throw new UserError(
      `${classes * prototypes} ${control} anchors do not fit into embeddings of width ${width}`,
      'choose fewer prototypes, or shuffled anchors',
    )
}

/**
 * Returns anchors in place of a teacher's centroids.
 * @param seed seed of the control's random choices.
 * @throws UserError as `checkAnchors`.
 */
export function controlAnchors(
  centroids: Centroids,
  control: AnchorControl,
  seed: number,
): Centroids {
  checkAnchors(centroids, control)
  const vectors = controls[control](centroids, new Random(seed, randomStream.anchors))
  return { ...centroids, vectors }
}

/** Gives each class the centroids of another: a random cyclic permutation (Sattolo 1986) leaves none in place. */
function shuffleClasses({ vectors, classes, prototypes, width }: Centroids, random: Random) {
  const order = Array.from({ length: classes }, (_, label) => label)
  for (let last = classes - 1; last > 0; last--) {
    const other = random.int(last)
    ;[order[last], order[other]] = [order[other]!, order[last]!]
  }
  const size = prototypes * width
  const shuffled = new Float32Array(vectors.length)
  order.forEach((from, label) =>
    shuffled.set(vectors.subarray(from * size, (from + 1) * size), label * size),
  )
  return shuffled
}

/** Draws rows from a normal distribution and makes them orthonormal by Gram and Schmidt, twice for rounding errors. */
function orthonormalRows({ classes, prototypes, width }: Centroids, random: Random) {
  const rows: Float64Array[] = []
  while (rows.length < classes * prototypes) {
    const row = Float64Array.from({ length: width }, () => random.normal())
    for (const other of [...rows, ...rows]) {
      const shared = dot(row, other)
      other.forEach((value, i) => (row[i]! -= shared * value))
    }
    const length = Math.sqrt(dot(row, row))
    rows.push(row.map((value) => value / length))
  }
  return rows
}

const unitRows = ({ classes, prototypes, width }: Centroids): Float64Array[] =>
  Array.from({ length: classes * prototypes }, (_, row) => {
    const vector = new Float64Array(width)
    vector[row] = 1
    return vector
  })

/** Gives rows of length 1 the mean length of the centroids. */
function scaledRows({ vectors, width }: Centroids, rows: readonly Float64Array[]): Float32Array {
  let lengths = 0
  for (let at = 0; at < vectors.length; at += width) {
    const row = vectors.subarray(at, at + width)
    lengths += Math.sqrt(dot(row, row))
  }
  const length = (lengths * width) / vectors.length
  return Float32Array.from(rows.flatMap((row) => Array.from(row, (value) => length * value)))
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
