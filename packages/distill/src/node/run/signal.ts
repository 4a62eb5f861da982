// What a teacher contributes to each batch, wherever it comes from: nothing, centroids, a store of embeddings, or a live teacher
// with a preprocessing of its own. Training sees graph inputs only.
import type { HostTensor, Method, TeacherSource } from '@embed-kd/core'
import { hostTensor, methods, teacherInput } from '@embed-kd/core'

import type { Augmentation } from '../../images/augment.js'
import type { Batch } from '../data/batches.js'
import type { Dataset } from '../data/dataset.js'
import { loadCentroids } from '../embeddings/centroids.js'
import { describeAugmentation } from '../embeddings/metadata.js'
import { SampleStore } from '../embeddings/samples.js'
import { UserError } from '@embed-kd/core'
import type { Encoder } from '../teachers/encoder.js'
import { digestFiles } from '../teachers/hf.js'

export interface Signal {
  readonly method: Method
  /** A live teacher runs beside the graph, so its output is a stored one to the graph. */
  readonly source?: TeacherSource
  /** Graph inputs that stay: `teacher.*`. */
  readonly held: ReadonlyMap<string, HostTensor>
  readonly augmentation: Augmentation
  /** A store of embeddings that batches are given theirs of when they are made. */
  readonly store?: string
  /** Graph inputs that a live teacher computes of a batch. */
  readonly liveTeacher?: (batch: Batch) => Promise<ReadonlyMap<string, HostTensor>>
  /** What the result depends on: settings of another teacher or file cannot be resumed. */
  readonly identity: string
  dispose(): Promise<void>
}

export interface SignalOptions {
  readonly method: Method
  readonly dataset: Dataset
  /** Undefined: as the embeddings have it, or none. */
  readonly augmentation: Augmentation | undefined
  /** A file of embed-kd embed, for embed-kd and cached-kd. */
  readonly embeddings?: string
  /** A live teacher, for teacher-kd and logit-kd. */
  readonly encoder?: Encoder
}

const none: ReadonlyMap<string, HostTensor> = new Map()

/** @throws UserError where method, embeddings and teacher do not go together, or the file is of other data. */
export async function openSignal(options: SignalOptions): Promise<Signal> {
  const { method, embeddings, encoder } = options
  const augmentation = options.augmentation ?? { flip: false, cropPadding: 0 }
  const { teacher: needed } = methods[method]
  const needs = needed === 'none' ? 'nothing' : needed === 'live' ? 'teacher' : 'embeddings'
  if (needs !== 'embeddings' && embeddings !== undefined)
    throw new UserError(
      `${method} has no use for --embeddings`,
      'leave it out, or choose embed-kd or cached-kd',
    )
  if (needs !== 'teacher' && encoder !== undefined)
    throw new UserError(
      `${method} has no use for a live teacher`,
      needs === 'nothing'
        ? 'leave out --teacher'
        : 'make its embeddings with embed-kd embed and give them with --embeddings',
    )
  switch (needed) {
    case 'none':
      return { method, held: none, augmentation, identity: 'none', dispose: async () => {} }
    case 'centroids':
      return centroidSignal(required(embeddings, method, '--embeddings'), options, augmentation)
    case 'samples':
      return sampleSignal(required(embeddings, method, '--embeddings'), options)
    case 'live':
      return liveSignal(required(encoder, method, '--teacher'), options, augmentation)
  }
}

function required<T>(value: T | undefined, method: Method, flag: string): T {
  if (value !== undefined) return value
  throw new UserError(
    `${method} needs ${flag}`,
    flag === '--teacher'
      ? 'give the directory of a checkpoint, an .onnx file, or namespace/name on the hub'
      : 'make the file with embed-kd embed',
  )
}

async function centroidSignal(
  path: string,
  { method, dataset }: SignalOptions,
  augmentation: Augmentation,
): Promise<Signal> {
  const { centroids, prototypes } = loadCentroids(path, dataset)
  return {
    method,
    source: { kind: 'stored', width: centroids.shape[1]!, prototypes },
    held: new Map([['teacher.centroids', centroids]]),
    augmentation,
    identity: await digestFiles([path]),
    dispose: async () => {},
  }
}

async function sampleSignal(
  path: string,
  { method, dataset, augmentation }: SignalOptions,
): Promise<Signal> {
  const store = SampleStore.open(path)
  store.close()
  store.requireDataset(dataset)
  const { metadata, width } = store
  if (augmentation && JSON.stringify(augmentation) !== JSON.stringify(metadata.augmentation))
    throw new UserError(
      `${path} has embeddings of images with ${describeAugmentation(metadata.augmentation)}, but training asks for ${describeAugmentation(augmentation)}`,
      'leave out --augment to train on the images the teacher saw, or make other embeddings with embed-kd embed --augment',
    )
  return {
    method,
    source: { kind: 'stored', width },
    held: none,
    augmentation: metadata.augmentation,
    store: path,
    identity: JSON.stringify({ ...metadata, shard: '', counts: [] }),
    dispose: async () => {},
  }
}

function liveSignal(
  encoder: Encoder,
  { method, dataset }: SignalOptions,
  augmentation: Augmentation,
): Signal {
  const { takes } = methods[method]
  if (takes === 'probabilities' && encoder.classes !== dataset.classes)
    throw new UserError(
      `${method} needs a teacher that scores the data set's ${dataset.classes} classes, ${encoder.name} ` +
        (encoder.classes === undefined ? 'has no classifier' : `scores ${encoder.classes}`),
      'train one with embed-kd train-teacher, or choose teacher-kd',
    )
  return {
    method,
    source: { kind: 'stored', width: encoder.width },
    held: none,
    augmentation,
    identity: encoder.digest,
    async liveTeacher({ pixels, labels, count }) {
      const { embeddings, probabilities } = await encoder.embed(pixels, count)
      const output =
        takes === 'probabilities'
          ? hostTensor('float32', [labels.length, dataset.classes], probabilities!)
          : hostTensor('float32', [labels.length, encoder.width], embeddings)
      return new Map([[teacherInput(method)!, output]])
    },
    dispose: () => encoder.dispose(),
  }
}
