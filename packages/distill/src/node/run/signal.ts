// The teacher of a run or a trial, wherever it comes from: nothing, a file of centroids, a store of embeddings, an encoder with
// its own preprocessing, or a model in the training graph. The trainer receives it as its `teacher`.
import { methodDefinition, methodName, Random, UserError, type TeacherNeed } from '@embed-kd/core'

import { controlAnchors, type AnchorControl } from '../../embeddings/anchors.js'
import { noAugmentation, type Augmentation } from '../../images/augment.js'
import type { GraphTeacher, MethodChoice, Teacher } from '../../training/teacher.js'
import type { Batch } from '../data/batches.js'
import type { Dataset } from '../data/dataset.js'
import { wholeSplit, type Subset } from '../data/subsets.js'
import { centroidsOfSamples } from '../embeddings/centroids-of-samples.js'
import { holdsSamples } from '../embeddings/describe.js'
import { loadCentroids } from '../embeddings/load-centroids.js'
import { describeAugmentation } from '../embeddings/metadata.js'
import { embeddingFiles, SampleStore } from '../embeddings/samples.js'
import type { Encoder } from '../teachers/encoder.js'
import { digestFiles } from '../teachers/checkpoint.js'
import { classOrder, reorderColumns } from '../teachers/classes.js'

/** A method with its teacher, and what the loading of batches depends on. */
export interface Signal {
  readonly method: MethodChoice
  readonly teacher: Teacher
  /** Augmentation of the training images. */
  readonly augmentation: Augmentation
  /** Path of a store of embeddings, from which each batch made in the background is given its own. */
  readonly store?: string
  /** Returns the embeddings of a batch that was not made in the background. */
  readonly embeddingsOf?: (batch: Batch) => Float32Array
  /** Text that differs if the teacher differs: a run is not resumed with another teacher. */
  readonly identity: string
  dispose(): Promise<void>
}

export interface SignalOptions {
  readonly method: MethodChoice
  readonly dataset: Dataset
  /** Default: that of the embeddings, or none. */
  readonly augmentation?: Augmentation | undefined
  /** Path of a file of embeddings, for methods that take centroids or samples. */
  readonly embeddings?: string | undefined
  /** Training images of which centroids are computed, if the file has an embedding for each image (default: all). */
  readonly subset?: Subset | undefined
  /** Vectors of each class of such centroids (default: 1, the mean). */
  readonly prototypes?: number | undefined
  /** Control in place of the teacher's centroids, and its seed, for methods that take centroids. */
  readonly anchors?: { readonly control: AnchorControl; readonly seed: number } | undefined
  /** Encoder that runs beside the training graph, for methods with a live teacher. The signal disposes of it. */
  readonly encoder?: Encoder | undefined
  /** Model that runs in the training graph, for methods with a live teacher. */
  readonly model?: GraphTeacher | undefined
}

/** The option in which a user gives each kind of teacher, and how to come by one. */
const flags: Readonly<Record<Exclude<TeacherNeed, 'none'>, { flag: string; remedy: string }>> = {
  live: {
    flag: '--teacher',
    remedy: 'give the directory of a checkpoint, an .onnx file, or namespace/name on the hub',
  },
  centroids: { flag: '--embeddings', remedy: 'make the file with embed-kd embed' },
  samples: { flag: '--embeddings', remedy: 'make the file with embed-kd embed --kind samples' },
}

type Opener = (options: SignalOptions, name: string) => Signal | Promise<Signal>

const openers: Readonly<Record<TeacherNeed, Opener>> = {
  none: ({ method, augmentation = noAugmentation }) => ({
    method,
    teacher: undefined,
    augmentation,
    identity: 'none',
    dispose: async () => {},
  }),
  centroids: centroidSignal,
  samples: sampleSignal,
  live: liveSignal,
}

/**
 * Opens the teacher of a method.
 * @throws UserError if method, embeddings and teacher do not go together, or the file is of other data.
 */
export async function openSignal(options: SignalOptions): Promise<Signal> {
  const { method, embeddings, encoder, model } = options
  const { teacher: need } = methodDefinition(method)
  const name = methodName(method)
  const wanted = need === 'none' ? undefined : flags[need].flag
  if (embeddings !== undefined && need === 'live')
    throw new UserError(
      `${name} needs a teacher that sees each batch, but ${embeddings} is a file of embeddings`,
      'give the teacher itself, or choose a method that takes embeddings, such as embed-kd or cached-kd',
    )
  if (embeddings !== undefined && wanted !== '--embeddings')
    throw new UserError(
      `${name} takes no --embeddings`,
      'leave it out, or choose embed-kd or cached-kd',
    )
  if ((encoder || model) && wanted !== '--teacher')
    throw new UserError(
      `${name} takes no live teacher`,
      need === 'none'
        ? 'leave out --teacher'
        : 'make its embeddings with embed-kd embed and give them with --embeddings',
    )
  return openers[need](options, name)
}

/** @throws UserError if the value is absent. */
function required<T>(value: T | undefined, name: string, need: Exclude<TeacherNeed, 'none'>): T {
  if (value !== undefined) return value
  throw new UserError(`${name} needs ${flags[need].flag}`, flags[need].remedy)
}

async function centroidSignal(options: SignalOptions, name: string): Promise<Signal> {
  const { method, dataset, embeddings, anchors, subset, prototypes } = options
  const { augmentation = noAugmentation } = options
  const path = required(embeddings, name, 'centroids')
  const centroids = holdsSamples(path)
    ? centroidsOfSamples(path, dataset, subset ?? wholeSplit(dataset, 'train'), prototypes)
    : loadCentroids(path, dataset)
  const digest = await digestFiles(embeddingFiles(path))
  return {
    method,
    teacher: {
      centroids: anchors ? controlAnchors(centroids, anchors.control, anchors.seed) : centroids,
    },
    augmentation,
    identity: anchors ? JSON.stringify({ digest, ...anchors }) : digest,
    dispose: async () => {},
  }
}

async function sampleSignal(
  { method, dataset, embeddings, augmentation }: SignalOptions,
  name: string,
): Promise<Signal> {
  const path = required(embeddings, name, 'samples')
  const store = SampleStore.open(path)
  store.requireDataset(dataset)
  const { metadata, width } = store
  if (augmentation && JSON.stringify(augmentation) !== JSON.stringify(metadata.augmentation))
    throw new UserError(
      `${path} has embeddings of images with ${describeAugmentation(metadata.augmentation)}, but training asks for ${describeAugmentation(augmentation)}`,
      'leave out --augment to train on the images the teacher saw, or make other embeddings with embed-kd embed --augment',
    )
  return {
    method,
    teacher: { samples: { width } },
    augmentation: metadata.augmentation,
    store: path,
    embeddingsOf: (batch) => store.read(batch, store.viewOf(0)).data as Float32Array,
    identity: store.plain
      ? await digestFiles([path])
      : JSON.stringify({ ...metadata, shard: '', counts: [] }),
    dispose: async () => store.close(),
  }
}

function liveSignal(options: SignalOptions, name: string): Signal {
  const { method, dataset, encoder, model, augmentation = noAugmentation } = options
  if (model)
    return {
      method,
      teacher: model,
      augmentation,
      identity: 'in the graph',
      dispose: async () => {},
    }
  const teacher = required(encoder, name, 'live')
  const takesScores = methodDefinition(method).takes === 'probabilities'
  if (takesScores && teacher.classes !== dataset.classes)
    throw new UserError(
      `${name} needs a teacher that scores the data set's ${dataset.classes} classes, ${teacher.name} ` +
        (teacher.classes === undefined ? 'has no classifier' : `scores ${teacher.classes}`),
      'train one with embed-kd train-teacher, or choose teacher-kd',
    )
  const { width, classes } = teacher
  const order = takesScores
    ? classOrder(teacher.name, teacher.classNames, dataset.classNames)
    : undefined
  return {
    method,
    teacher: {
      width,
      classes,
      async embed({ pixels, labels }) {
        const embedded = await teacher.embed(pixels!, labels!.length)
        const { probabilities } = embedded
        if (!order || !probabilities) return embedded
        return { ...embedded, probabilities: reorderColumns(probabilities, order) }
      },
    },
    augmentation,
    identity: teacher.digest,
    dispose: () => teacher.dispose(),
  }
}

/** Embeddings without a meaning, for steps whose cost alone is measured. */
export interface RandomSignal {
  /** Width of the embeddings. */
  readonly width: number
  /** Number of classes of the data. */
  readonly classes: number
  /** Images a step. */
  readonly batch: number
  /** Vectors of each class, if they are centroids (default: 1). */
  readonly prototypes?: number | undefined
}

/** Returns a method with random centroids, or with random embeddings that are the same in each batch. */
export function randomSignal(method: MethodChoice, options: RandomSignal): Signal {
  const { width, classes, batch, prototypes = 1 } = options
  const rest = { method, augmentation: noAugmentation, identity: 'random', dispose: async () => {} }
  if (methodDefinition(method).teacher === 'centroids') {
    const vectors = randomRows(classes * prototypes, width)
    return {
      ...rest,
      teacher: { centroids: { kind: 'centroids', vectors, width, classes, prototypes } },
    }
  }
  const rows = randomRows(batch, width)
  return { ...rest, teacher: { samples: { width } }, embeddingsOf: () => rows }
}

function randomRows(rows: number, width: number): Float32Array {
  const random = new Random(0)
  return Float32Array.from({ length: rows * width }, () => random.uniform() - 0.5)
}
