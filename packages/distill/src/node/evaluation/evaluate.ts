// Judges embeddings as embeddings: by their neighbours, a linear probe, anchors, a teacher, and under corruptions of the images.
import { UserError, type Backend } from '@embed-kd/core'

import { linearCka, meanCosine } from '../../evaluation/alignment.js'
import { fitLinearProbe } from '../../evaluation/linear-probe.js'
import {
  meanAveragePrecision,
  nearestRows,
  recallAt,
  voteClasses,
} from '../../evaluation/neighbours.js'
import { calibrationError, highestColumns, nearestAnchors } from '../../evaluation/probabilities.js'
import { rowCount, shareRight } from '../../evaluation/rows.js'
import type { Dataset } from '../data/dataset.js'
import { holdOut, shareOfEachClass, wholeSplit, type Subset } from '../data/subsets.js'
import { loadCentroids } from '../embeddings/load-centroids.js'
import { writeJson } from '../files/output-file.js'
import { requireLabels } from '../data/labels.js'
import {
  openDataset,
  requireOptions,
  withBackend,
  type DataOptions,
  type RunOptions,
} from '../run/options.js'
import {
  severities as allSeverities,
  type CorruptionChoice,
  type CorruptionName,
  type Severity,
} from './corruptions.js'
import type { EncoderChoice } from '../teachers/encoder.js'
import { openSource, type EmbeddedImages, type EmbeddingSource } from './sources.js'

export interface EvaluateOptions
  extends DataOptions, EncoderChoice, Pick<RunOptions, 'backend' | 'report' | 'tell'> {
  /** Directory of a student or teacher, ONNX file, name on the hub, or file of sample embeddings. */
  readonly model: string
  /** Teacher whose embeddings the model's are compared with: anything that `model` can be. */
  readonly teacher?: string | undefined
  /** File of one or more vectors for each class, such as centroids or text embeddings of the names. */
  readonly anchors?: string | undefined
  /** Numbers of neighbours of k-NN and of recall (default: 1, 5 and 20, as far as there are training images). */
  readonly k?: readonly number[] | undefined
  /** Corruptions of the test images (default: none). */
  readonly corruptions?: readonly CorruptionName[] | undefined
  /** Severities of the corruptions (default: 1 to 5). */
  readonly severities?: readonly Severity[] | undefined
  /** Number of training images to take, of each class alike (default: all). */
  readonly trainImages?: number | undefined
  /** Number of test images to take, of each class alike (default: all). */
  readonly testImages?: number | undefined
  /** Images in one run of the model (default: 64). */
  readonly batch?: number | undefined
  /** Seed that chooses images, the held-out part of the probe, and noise (default: 0). */
  readonly seed?: number | undefined
  /** JSON file to write the result to (default: none). */
  readonly out?: string | undefined
}

/** Accuracies of one set of test images; each a share from 0 to 1. */
export interface Accuracies {
  /** Accuracy of k-nearest-neighbour classification, by k. */
  readonly knn: readonly { readonly k: number; readonly accuracy: number }[]
  readonly linear_probe: number
  /** Accuracy of choosing the nearest anchor, if anchors were given. */
  readonly zero_shot?: number
  /** Accuracy of the model's own classifier, if it scores the classes. */
  readonly classifier?: number
}

/** The result of an evaluation, as its file has it. */
export interface Evaluation extends Accuracies {
  readonly model: string
  readonly dataset: string
  readonly dataset_digest: string
  /** Width of the embeddings. */
  readonly width: number
  readonly train_images: number
  readonly test_images: number
  /** The images that are classified: the test split, or a part of the training split that a file of embeddings has. */
  readonly tested_on: 'test split' | 'held-out training images'
  /** C of the probe, chosen on a fifth of the training images. */
  readonly linear_probe_c: number
  readonly retrieval: {
    readonly recall: readonly { readonly k: number; readonly recall: number }[]
    readonly mean_average_precision: number
  }
  /** Expected calibration error of the model's own classifier, 15 bins. */
  readonly calibration_error?: number
  readonly anchors?: string
  readonly alignment?: {
    readonly teacher: string
    readonly images: number
    /** Absent if the widths differ. */
    readonly cosine?: number
    readonly linear_cka: number
  }
  readonly robustness?: readonly (CorruptionChoice & Accuracies)[]
}

const DEFAULT_K = [1, 5, 20]
/** Share of each class that is tested on if a file has the training split alone. */
const HELD_OUT = 0.2
const silent = () => {}

/**
 * Evaluates the embeddings of a model: training images are the rows that neighbours and the probe come from, and test images are
 * classified by them. With a file of embeddings, a fifth of the training images takes the place of the test images.
 * @throws UserError if the model cannot embed the images, or options do not go together.
 */
export function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  requireOptions(options, 'model', 'dataset')
  return withBackend(options, async (backend) => {
    const { tell = silent, report = silent, batch = 64, seed = 0 } = options
    const dataset = await openDataset(options, tell)
    requireLabels(dataset, 'evaluate', 'judge the embeddings on another data set, which has labels')
    const shared = { backend, dataset, batch, seed, tell, report }
    const source = await openSource(options.model, { ...options, ...shared })
    try {
      const teacher =
        options.teacher === undefined ? undefined : await openSource(options.teacher, shared)
      try {
        return await judge(options, source, teacher, dataset, backend)
      } finally {
        await teacher?.dispose()
      }
    } finally {
      await source.dispose()
    }
  })
}

async function judge(
  options: EvaluateOptions,
  source: EmbeddingSource,
  teacher: EmbeddingSource | undefined,
  dataset: Dataset,
  backend: Backend,
): Promise<Evaluation> {
  const { report = silent, seed = 0, corruptions = [], severities = allSeverities } = options
  const anchors =
    options.anchors === undefined ? undefined : loadCentroids(options.anchors, dataset)
  if (source.isFile && corruptions.length > 0)
    throw new UserError(
      `${source.name} is a file of embeddings, whose images cannot be corrupted`,
      'give a model that sees images, or leave --corruptions out',
    )
  const { training, testing } = splitsOf(options, source, dataset)
  const ks = neighbourCounts(options, training)
  const rows = await source.embed(training, 'embedding training images')
  const queries = await source.embed(testing, 'embedding test images')
  const search = { backend, report }
  const largest = Math.max(...ks)
  const neighbours = await nearestRows(queries, rows, largest, search)
  const probe = await fitLinearProbe(rows, { ...search, seed })

  /** Classifies images in every way there is. */
  const accuraciesOf = async (tested: EmbeddedImages, found = neighbours): Promise<Accuracies> => {
    const right = (predictions: Int32Array) => shareRight(predictions, tested.labels)
    const { probabilities } = tested
    return {
      knn: ks.map((k) => ({ k, accuracy: right(voteClasses(found, rows.labels, k)) })),
      linear_probe: right(probe.classify(tested)),
      ...(anchors ? { zero_shot: right(nearestAnchors(tested, anchors)) } : {}),
      ...(probabilities
        ? { classifier: right(highestColumns(probabilities, dataset.classes)) }
        : {}),
    }
  }

  const accuracies = await accuraciesOf(queries)
  const retrieval = {
    recall: ks.map((k) => ({ k, recall: recallAt(neighbours, rows.labels, queries.labels, k) })),
    mean_average_precision: await meanAveragePrecision(queries, rows, search),
  }
  const alignment = teacher && (await alignWith(teacher, { training, rows, testing, queries }))
  const robustness: (CorruptionChoice & Accuracies)[] = []
  for (const corruption of corruptions)
    for (const severity of severities) {
      const phase = `embedding images with ${corruption} of severity ${severity}`
      const tested = await source.embed(testing, phase, { corruption, severity })
      const found = await nearestRows(tested, rows, largest, search)
      robustness.push({ corruption, severity, ...(await accuraciesOf(tested, found)) })
    }
  const result: Evaluation = {
    model: source.name,
    dataset: dataset.name,
    dataset_digest: dataset.digest,
    width: source.width,
    train_images: rowCount(rows),
    test_images: rowCount(queries),
    tested_on: source.isFile ? 'held-out training images' : 'test split',
    ...accuracies,
    linear_probe_c: probe.c,
    retrieval,
    ...(queries.probabilities
      ? { calibration_error: calibrationError(queries.probabilities, queries.labels) }
      : {}),
    ...(options.anchors === undefined ? {} : { anchors: options.anchors }),
    ...(alignment ? { alignment } : {}),
    ...(robustness.length > 0 ? { robustness } : {}),
  }
  if (options.out !== undefined) writeJson(options.out, result)
  return result
}

/** Returns the images that neighbours and the probe come from, and those that are classified. */
function splitsOf(
  { trainImages, testImages, seed = 0 }: EvaluateOptions,
  { isFile }: EmbeddingSource,
  dataset: Dataset,
): { training: Subset; testing: Subset } {
  const whole = wholeSplit(dataset, 'train')
  const { training, heldOut: testing } = isFile
    ? holdOut(whole, HELD_OUT, seed)
    : { training: whole, heldOut: wholeSplit(dataset, 'test') }
  return {
    training: someOf(training, trainImages, seed),
    testing: someOf(testing, testImages, seed),
  }
}

/** Returns about so many images, the same share of each class. */
const someOf = (subset: Subset, images: number | undefined, seed: number): Subset =>
  images === undefined || images >= subset.indices.length
    ? subset
    : shareOfEachClass(subset, images / subset.indices.length, seed)

/** @throws UserError if there are fewer training images than neighbours that were asked for. */
function neighbourCounts({ k }: EvaluateOptions, { indices }: Subset): readonly number[] {
  if (k === undefined) return DEFAULT_K.filter((count) => count <= indices.length)
  const excess = k.find((count) => count > indices.length)
  if (excess === undefined) return [...k].sort((a, b) => a - b)
  throw new UserError(
    `${excess} neighbours cannot be found among ${indices.length} training images`,
    'give a smaller --k, or more --train-images',
  )
}

/** Compares embeddings with a teacher's of the same images: test images, or training images if the teacher is a file of theirs. */
async function alignWith(
  teacher: EmbeddingSource,
  images: { training: Subset; rows: EmbeddedImages; testing: Subset; queries: EmbeddedImages },
): Promise<NonNullable<Evaluation['alignment']>> {
  const onTraining = teacher.isFile && images.testing.split !== images.training.split
  const [subset, own] = onTraining
    ? [images.training, images.rows]
    : [images.testing, images.queries]
  const others = await teacher.embed(subset, 'embedding images with the teacher')
  return {
    teacher: teacher.name,
    images: rowCount(own),
    ...(own.width === others.width ? { cosine: meanCosine(own, others) } : {}),
    linear_cka: linearCka(own, others),
  }
}
