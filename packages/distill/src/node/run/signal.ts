// The teacher of a run or a trial, wherever it comes from: nothing, a file of centroids, a store of embeddings, an encoder with
// its own preprocessing, or a model in the training graph. The trainer receives it as its `teacher`.
import { methodDefinition, methodName, Random, UserError, type TeacherNeed } from '@embed-kd/core'

import { controlAnchors, type AnchorControl } from '../../embeddings/anchors.js'
import { noAugmentation, type Augmentation } from '../../images/augment.js'
import type { TeacherRows } from '../../training/batch.js'
import {
  contentOf,
  type CentroidTeacher,
  type GraphTeacher,
  type MethodChoice,
  type SampleTeacher,
  type Teacher,
  type TeacherPart,
} from '../../training/teacher.js'
import type { Batch } from '../data/batches.js'
import type { Dataset } from '../data/dataset.js'
import { wholeSplit, type Subset } from '../data/subsets.js'
import { centroidsOfSamples } from '../embeddings/centroids-of-samples.js'
import { holdsSamples } from '../embeddings/describe.js'
import { loadCentroids } from '../embeddings/load-centroids.js'
import { describeAugmentation } from '../embeddings/metadata.js'
import { requireSameOrigin } from '../embeddings/same-origin.js'
import type { SampleStore } from '../embeddings/samples.js'
import { digestStore } from '../embeddings/shards.js'
import { SampleStores, type StorePaths } from '../embeddings/stores.js'
import type { Encoder } from '../teachers/encoder.js'
import { reorderColumns } from '../teachers/classes.js'
import { scoreOrder } from '../teachers/scores.js'

/** A method with its teacher, and what the loading of batches depends on. */
export interface Signal {
  readonly method: MethodChoice
  readonly teacher: Teacher
  /** Augmentation of the training images. */
  readonly augmentation: Augmentation
  /** Stores of embeddings, from which each batch made in the background is given its own. */
  readonly store?: StorePaths
  /** Returns the embeddings of a batch that was not made in the background. */
  readonly embeddingsOf?: (batch: Batch) => TeacherRows
  /** Text that differs if the teacher differs: a run is not resumed with another teacher. */
  readonly identity: string
  dispose(): Promise<void>
}

/** The file of embeddings of one of several teachers. */
export interface TeacherFile extends TeacherPart {
  readonly file: string
}

export interface SignalOptions {
  readonly method: MethodChoice
  readonly dataset: Dataset
  /** Default: that of the embeddings, or none. */
  readonly augmentation?: Augmentation | undefined
  /** Path of a file of embeddings, or the files of several teachers, for methods that take centroids or samples. */
  readonly embeddings?: string | readonly TeacherFile[] | undefined
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
  samples: {
    flag: '--embeddings',
    remedy: 'make the file with embed-kd embed --kind samples (--kind scores for cached-logit-kd)',
  },
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
      `${name} needs a teacher that sees each batch, but ${filesOf(embeddings).join(' and ')} ${typeof embeddings === 'string' ? 'is a file' : 'are files'} of embeddings`,
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

/** Returns the paths of one file or several. */
const filesOf = (embeddings: string | readonly TeacherFile[]): readonly string[] =>
  typeof embeddings === 'string' ? [embeddings] : embeddings.map(({ file }) => file)

async function centroidSignal(options: SignalOptions, name: string): Promise<Signal> {
  const { method, augmentation = noAugmentation } = options
  const embeddings = required(options.embeddings, name, 'centroids')
  const rest = { method, augmentation, dispose: async () => {} }
  if (typeof embeddings === 'string') {
    const { identity, ...teacher } = await centroidTeacher(embeddings, options)
    return { ...rest, teacher, identity }
  }
  requireSameOrigin(filesOf(embeddings))
  const teachers = []
  const identities = []
  for (const { file, ...part } of embeddings) {
    const { identity, ...teacher } = await centroidTeacher(file, options)
    teachers.push({ ...part, ...teacher })
    identities.push({ ...part, identity })
  }
  return { ...rest, teacher: teachers, identity: JSON.stringify(identities) }
}

/** Loads the centroids of one teacher, or their control. */
async function centroidTeacher(
  path: string,
  { dataset, anchors, subset, prototypes }: SignalOptions,
): Promise<CentroidTeacher & Pick<Signal, 'identity'>> {
  const centroids = holdsSamples(path)
    ? centroidsOfSamples(path, dataset, subset ?? wholeSplit(dataset, 'train'), prototypes)
    : loadCentroids(path, dataset)
  const digest = await digestStore(path)
  return anchors
    ? {
        centroids: controlAnchors(centroids, anchors.control, anchors.seed),
        identity: JSON.stringify({ digest, ...anchors }),
      }
    : { centroids, identity: digest }
}

async function sampleSignal(
  { method, dataset, embeddings: given, augmentation }: SignalOptions,
  name: string,
): Promise<Signal> {
  const embeddings = required(given, name, 'samples')
  const paths: StorePaths =
    typeof embeddings === 'string'
      ? embeddings
      : Object.fromEntries(embeddings.map(({ name, file }) => [name, file]))
  const stores = SampleStores.open(paths)
  for (const store of stores.named.values()) {
    store.requireContent(contentOf(method), name)
    store.requireDataset(dataset)
  }
  const { augmentation: seen } = stores
  if (augmentation && JSON.stringify(augmentation) !== JSON.stringify(seen))
    throw new UserError(
      `${filesOf(embeddings).join(' and ')} ${typeof embeddings === 'string' ? 'has' : 'have'} embeddings of images with ${describeAugmentation(seen)}, but training asks for ${describeAugmentation(augmentation)}`,
      'leave out --augment to train on the images the teacher saw, or make other embeddings with embed-kd embed --augment',
    )
  const teacherOf = (name: string): SampleTeacher => ({
    samples: {
      width: stores.named.get(name)!.width,
      spread: (count) => stores.named.get(name)!.spread(count),
    },
  })
  const rest = {
    method,
    augmentation: seen,
    store: paths,
    embeddingsOf: (batch: Batch) => stores.read(batch, stores.viewOf(0)),
    dispose: async () => stores.close(),
  }
  if (typeof embeddings === 'string')
    return {
      ...rest,
      teacher: teacherOf(''),
      identity: await storeIdentity(embeddings, stores.named.get('')!),
    }
  const identities = []
  for (const { file, ...part } of embeddings)
    identities.push({ ...part, identity: await storeIdentity(file, stores.named.get(part.name)!) })
  return {
    ...rest,
    teacher: embeddings.map(({ file: _file, ...part }) => ({ ...part, ...teacherOf(part.name) })),
    identity: JSON.stringify(identities),
  }
}

/** Returns text that differs if the embeddings of a store differ. */
const storeIdentity = async (path: string, { identity }: SampleStore): Promise<string> =>
  identity ?? (await digestStore(path))

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
  const { width, classes } = teacher
  const order =
    methodDefinition(method).takes === 'probabilities'
      ? scoreOrder(name, teacher, dataset)
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
  /** Width of the embeddings; of those of each teacher by name if there are several. */
  readonly width: number | Readonly<Record<string, number>>
  /** Number of classes of the data. */
  readonly classes: number
  /** Images a step. */
  readonly batch: number
  /** Vectors of each class, if they are centroids (default: 1). */
  readonly prototypes?: number | undefined
}

/** Returns a method with random centroids, or with random embeddings that are the same in each batch. */
export function randomSignal(method: MethodChoice, options: RandomSignal): Signal {
  const { width: widths, classes, batch, prototypes = 1 } = options
  const rest = { method, augmentation: noAugmentation, identity: 'random', dispose: async () => {} }
  const takesCentroids = methodDefinition(method).teacher === 'centroids'
  const centroidsOf = (width: number): CentroidTeacher => {
    const vectors = randomRows(classes * prototypes, width)
    return { centroids: { kind: 'centroids', vectors, width, classes, prototypes } }
  }
  if (typeof widths === 'number') {
    if (takesCentroids) return { ...rest, teacher: centroidsOf(widths) }
    const rows = randomRows(batch, widths)
    return { ...rest, teacher: randomSamples(widths), embeddingsOf: () => rows }
  }
  const named = Object.entries(widths)
  if (takesCentroids)
    return { ...rest, teacher: named.map(([name, width]) => ({ name, ...centroidsOf(width) })) }
  const rows = Object.fromEntries(named.map(([name, width]) => [name, randomRows(batch, width)]))
  const teacher = named.map(([name, width]) => ({ name, ...randomSamples(width) }))
  return { ...rest, teacher, embeddingsOf: () => rows }
}

const randomSamples = (width: number): SampleTeacher => ({
  samples: { width, spread: (count) => randomRows(count, width) },
})

function randomRows(rows: number, width: number): Float32Array {
  const random = new Random(0)
  return Float32Array.from({ length: rows * width }, () => random.uniform() - 0.5)
}
