// A linear probe: logistic regression on frozen embeddings, whose regularisation is chosen on a held-out part of the training rows.
import { Random, UserError, type Backend } from '@embed-kd/core'

import { randomStream } from '../images/shape.js'
import type { Report } from '../training/progress.js'
import { minimise } from './lbfgs.js'
import { lossHere, lossOn } from './logistic-loss.js'
import {
  checkRows,
  checkWidths,
  rowCount,
  selectRows,
  shareRight,
  type LabelledRows,
  type Rows,
} from './rows.js'

/** A linear classifier of embeddings. */
export interface LinearClassifier {
  readonly classes: number
  readonly width: number
  /** `[classes · width + classes]`: weights class by class, then biases. */
  readonly parameters: Float64Array
}

export interface LogisticOptions {
  /** Inverse strength of the L2 penalty: scikit-learn's `C`. */
  readonly c: number
  /** Runs the matrix products in float32 (default: JavaScript, in double precision). */
  readonly backend?: Backend | undefined
  /** Largest element of the gradient of the mean loss at which the fit ends (default: 1e-5). */
  readonly tolerance?: number | undefined
  /** Largest number of iterations (default: 500). */
  readonly maxIterations?: number | undefined
}

/**
 * Fits multinomial logistic regression with an L2 penalty on the weights, and none on the biases: the minimum that
 * `LogisticRegression(C)` of scikit-learn has at the same C, for two classes too.
 * @throws UserError if rows and labels do not match.
 */
export const fitLogisticRegression = async (
  rows: LabelledRows,
  options: LogisticOptions,
): Promise<LinearClassifier> => {
  const [classifier] = await fitPath(rows, classCount(rows), [options.c], options)
  return classifier!
}

/** Fits a classifier for each C in turn, each from the parameters of the one before. */
async function fitPath(
  rows: LabelledRows,
  classes: number,
  grid: readonly number[],
  {
    backend,
    tolerance = 1e-5,
    maxIterations = 500,
    start,
    fitted,
  }: Omit<LogisticOptions, 'c'> & {
    /** Parameters to begin with (default: zeros). */
    readonly start?: Float64Array
    readonly fitted?: () => void
  },
): Promise<LinearClassifier[]> {
  checkRows(rows, 'rows')
  const { width } = rows
  const count = rowCount(rows)
  const loss = backend ? await lossOn(backend, rows, classes) : lossHere(rows, classes)
  const found: LinearClassifier[] = []
  try {
    let parameters = start ?? new Float64Array(classes * (width + 1))
    for (const c of grid) {
      if (!(c > 0)) throw new UserError(`C = ${c} is no strength of a penalty`, 'give C above 0')
      // scikit-learn fits one vector of weights to two classes; as a difference of two vectors, it has half the penalty.
      const penalty = (classes === 2 ? 2 : 1) / (c * count)
      const evaluate = async (point: Float64Array) => {
        const { value, gradient } = await loss.evaluate(point)
        let square = 0
        for (let i = 0; i < classes * width; i++) {
          square += point[i]! ** 2
          gradient[i]! += penalty * point[i]!
        }
        return { value: value + (penalty / 2) * square, gradient }
      }
      const { point } = await minimise(evaluate, parameters, { tolerance, maxIterations })
      parameters = point
      found.push({ classes, width, parameters: point })
      fitted?.()
    }
  } finally {
    await loss.dispose()
  }
  return found
}

const classCount = ({ labels }: LabelledRows): number =>
  Array.from(labels).reduce((highest, label) => Math.max(highest, label), 1) + 1

/** Returns the class of highest score of each row. */
export function classifyRows(
  { classes, width, parameters }: LinearClassifier,
  rows: Rows,
): Int32Array {
  return Int32Array.from({ length: rowCount(rows) }, (_, row) => {
    let [best, highest] = [0, -Infinity]
    for (let c = 0; c < classes; c++) {
      let score = parameters[classes * width + c]!
      for (let k = 0; k < width; k++)
        score += parameters[c * width + k]! * rows.vectors[row * width + k]!
      if (score > highest) [best, highest] = [c, score]
    }
    return best
  })
}

/** Values of C that a probe tries, from the strongest penalty to the weakest. */
export const PROBE_GRID: readonly number[] = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10]
/** Share of each class of the training rows that is held out to choose C. */
const HELD_OUT = 0.2

export interface ProbeOptions extends Pick<LogisticOptions, 'backend'> {
  /** Values of C to choose from, ascending (default: `PROBE_GRID`). */
  readonly grid?: readonly number[] | undefined
  /** Seed that chooses the held-out rows (default: 0). */
  readonly seed?: number | undefined
  readonly report?: Report | undefined
}

/** A probe that was fitted. */
export interface LinearProbe {
  /** The chosen C. */
  readonly c: number
  /** Accuracy on the held-out rows by C. */
  readonly heldOut: readonly { readonly c: number; readonly accuracy: number }[]
  /** Classifies embeddings. */
  classify(rows: Rows): Int32Array
}

/**
 * Fits a linear probe. Embeddings are standardised by mean and standard deviation of each dimension over the training rows, so that
 * one grid of C suits embeddings of any scale. C is chosen by the accuracy on a fifth of each class; of equally good ones the
 * strongest penalty is taken. The probe is then fitted to all rows.
 * @throws UserError if no class has two rows.
 */
export async function fitLinearProbe(
  rows: LabelledRows,
  { grid = PROBE_GRID, seed = 0, backend, report }: ProbeOptions = {},
): Promise<LinearProbe> {
  checkRows(rows, 'rows')
  const classes = classCount(rows)
  const standardise = standardiserOf(rows)
  const standard = { ...standardise(rows), labels: rows.labels }
  const { training, heldOut } = splitRows(rows.labels, seed)
  const total = grid.length + 1
  let done = 0
  const fitted = () => report?.({ phase: 'fitting the probe', done: ++done, total })
  const candidates = await fitPath(selectRows(standard, training), classes, grid, {
    backend,
    fitted,
  })
  const held = selectRows(standard, heldOut)
  const accuracies = candidates.map((candidate, i) => ({
    c: grid[i]!,
    accuracy: shareRight(classifyRows(candidate, held), held.labels),
  }))
  const best = accuracies.reduce((a, b) => (b.accuracy > a.accuracy ? b : a))
  const start = candidates[grid.indexOf(best.c)]!.parameters
  const [classifier] = await fitPath(standard, classes, [best.c], { backend, start, fitted })
  return {
    c: best.c,
    heldOut: accuracies,
    classify(others) {
      checkWidths(others, rows, 'training rows')
      return classifyRows(classifier!, standardise(others))
    },
  }
}

/** Fits a linear probe to rows, and computes its accuracy on queries. */
export async function linearProbeAccuracy(
  queries: LabelledRows,
  rows: LabelledRows,
  options: ProbeOptions = {},
): Promise<{ readonly accuracy: number; readonly c: number }> {
  checkRows(queries, 'queries')
  const probe = await fitLinearProbe(rows, options)
  return { accuracy: shareRight(probe.classify(queries), queries.labels), c: probe.c }
}

/** Returns a function that standardises rows by the statistics of these rows; dimensions that never vary are only centred. */
function standardiserOf(rows: Rows): (others: Rows) => Rows {
  const { width, vectors } = rows
  const count = rowCount(rows)
  const mean = new Float64Array(width)
  const std = new Float64Array(width)
  for (let at = 0; at < vectors.length; at++) mean[at % width]! += vectors[at]! / count
  for (let at = 0; at < vectors.length; at++)
    std[at % width]! += (vectors[at]! - mean[at % width]!) ** 2 / count
  const scale = std.map((variance) => (variance > 0 ? 1 / Math.sqrt(variance) : 1))
  return (others) => ({
    width,
    vectors: others.vectors.map((value, at) => (value - mean[at % width]!) * scale[at % width]!),
  })
}

/** Splits positions of rows in two: `HELD_OUT` of each class of at least two rows, at least one row of it, and the others. */
function splitRows(
  labels: ArrayLike<number>,
  seed: number,
): { training: number[]; heldOut: number[] } {
  const byClass = new Map<number, number[]>()
  for (let row = 0; row < labels.length; row++) {
    const members = byClass.get(labels[row]!)
    if (members) members.push(row)
    else byClass.set(labels[row]!, [row])
  }
  const held = new Set<number>()
  for (const [label, members] of byClass) {
    const order = new Random(seed, randomStream.holdOut, label).shuffle(members.slice())
    const count = members.length < 2 ? 0 : Math.max(1, Math.floor(HELD_OUT * members.length))
    for (const row of order.slice(0, count)) held.add(row)
  }
  if (held.size === 0)
    throw new UserError(
      'a linear probe needs two training images of a class, one of them to choose its penalty by',
      'give more training images',
    )
  const all = Array.from({ length: labels.length }, (_, row) => row)
  return {
    training: all.filter((row) => !held.has(row)),
    heldOut: all.filter((row) => held.has(row)),
  }
}
