// What a teacher contributes to each batch, wherever it comes from: nothing, centroids, a store of embeddings, or a live teacher
// with a preprocessing of its own. Training sees graph inputs only.
import type { HostTensor, Method, TeacherSource } from '@embed-kd/core'
import { hostTensor } from '@embed-kd/core'

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
  /** The method of the training graph. A live teacher runs beside it, so its embeddings are stored ones to the graph. */
  readonly method: Method
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
  const needs =
    method === 'supervised'
      ? 'nothing'
      : method === 'embed-kd' || method === 'cached-kd'
        ? 'embeddings'
        : 'teacher'
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
  switch (method) {
    case 'supervised':
      return { method, held: none, augmentation, identity: 'none', dispose: async () => {} }
    case 'embed-kd':
      return centroidSignal(required(embeddings, method, '--embeddings'), options, augmentation)
    case 'cached-kd':
      return sampleSignal(required(embeddings, method, '--embeddings'), options)
    case 'teacher-kd':
    case 'logit-kd':
      return liveSignal(required(encoder, method, '--teacher'), method, options, augmentation)
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
  { dataset }: SignalOptions,
  augmentation: Augmentation,
): Promise<Signal> {
  const { centroids, prototypes } = loadCentroids(path, dataset)
  return {
    method: 'embed-kd',
    source: { kind: 'stored', width: centroids.shape[1]!, prototypes },
    held: new Map([['teacher.centroids', centroids]]),
    augmentation,
    identity: await digestFiles([path]),
    dispose: async () => {},
  }
}

async function sampleSignal(
  path: string,
  { dataset, augmentation }: SignalOptions,
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
    method: 'cached-kd',
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
  method: 'teacher-kd' | 'logit-kd',
  { dataset }: SignalOptions,
  augmentation: Augmentation,
): Signal {
  if (method === 'logit-kd' && encoder.classes !== dataset.classes)
    throw new UserError(
      `logit-kd needs a teacher that scores the data set's ${dataset.classes} classes, ${encoder.name} ` +
        (encoder.classes === undefined ? 'has no classifier' : `scores ${encoder.classes}`),
      'train one with embed-kd train-teacher, or choose teacher-kd',
    )
  return {
    method: method === 'teacher-kd' ? 'cached-kd' : 'logit-kd',
    source: { kind: 'stored', width: encoder.width },
    held: none,
    augmentation,
    identity: encoder.digest,
    async liveTeacher({ pixels, labels, count }) {
      const { embeddings, probabilities } = await encoder.embed(pixels, count)
      return method === 'teacher-kd'
        ? new Map([
            [
              'batch.teacher_embeddings',
              hostTensor('float32', [labels.length, encoder.width], embeddings),
            ],
          ])
        : new Map([
            [
              'batch.teacher_probabilities',
              hostTensor('float32', [labels.length, dataset.classes], probabilities!),
            ],
          ])
    },
    dispose: () => encoder.dispose(),
  }
}
