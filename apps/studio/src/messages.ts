// The messages between the page and its training worker. All of them survive structured cloning.
import { methodNames, methods, type Method } from '@embed-kd/core'
import type { Centroids, SampleEmbeddings } from '@embed-kd/distill'

/** Images in memory: bytes, and the class of each image. */
export interface ImageSet {
  /** `[count, channels, size, size]` */
  readonly images: Uint8Array
  readonly labels: Int32Array
}

export interface Dataset {
  /** Name under which records of other programs have the data set. */
  readonly name: string
  /** Digest of the whole data set; absent for a reader's own images. */
  readonly digest?: string
  readonly channels: number
  /** Side of the square images in pixels. */
  readonly size: number
  readonly classNames: readonly string[]
  readonly train: ImageSet
  readonly test: ImageSet
}

export type Embeddings = Centroids | SampleEmbeddings

/** What the page has of a teacher: a vector for each class, for each image, the class scores of each image, or no file. */
export type EmbeddingKind = 'none' | 'centroids' | 'samples' | 'scores'

/** What a file of embeddings holds, in words. */
export const contents: Readonly<Record<Exclude<EmbeddingKind, 'none'>, string>> = {
  centroids: 'one vector for each class',
  samples: 'one vector for each image',
  scores: 'class scores of each image',
}

/** Returns what a file of embeddings holds. */
export const kindOf = (embeddings: Embeddings | undefined): EmbeddingKind => {
  if (!embeddings) return 'none'
  return embeddings.kind === 'samples' && embeddings.content === 'scores'
    ? 'scores'
    : embeddings.kind
}

/** A method that learns from a file of embeddings, or from labels alone: no teacher runs in the page. */
export type StudioMethod = {
  [M in Method]: (typeof methods)[M]['teacher'] extends 'live' ? never : M
}[Method]

/** Returns what a method needs of a teacher. */
export const needOf = (method: StudioMethod): EmbeddingKind => {
  const { teacher, takes } = methods[method]
  return takes === 'probabilities' ? 'scores' : teacher
}

/** Returns the methods that embeddings are enough for. Images always have labels here: their folders name their classes. */
export const methodsFor = (embeddings: EmbeddingKind): StudioMethod[] =>
  methodNames
    .filter((name): name is StudioMethod => methods[name].teacher !== 'live')
    .filter((name) => ['none', embeddings].includes(needOf(name)))

/** Devices that train in a browser, best first, as the page calls them. */
export const devices = { webgpu: 'WebGPU', wasm: 'WebAssembly' } as const
export type DeviceName = keyof typeof devices

export interface RunSettings {
  readonly method: StudioMethod
  readonly student: string
  readonly epochs: number
  readonly batch: number
  readonly learningRate: number
  /** Probability that an attention weight is dropped in training. Each device draws its own. */
  readonly dropout: number
  readonly seed: number
  /** `best` takes the first device that works. */
  readonly device: DeviceName | 'best'
}

export type LossPoint = readonly [step: number, loss: number]

export interface EpochResult {
  readonly epoch: number
  /** Share of the test images that are classified correctly, from 0 to 1. */
  readonly accuracy: number
  /** Mean loss of the epoch. */
  readonly trainLoss: number
  readonly seconds: number
}

/** A point of the map: two coordinates, and a class. */
export interface MapPoint {
  readonly x: number
  readonly y: number
  readonly label: number
  /** True for a centroid of the teacher, false for a test image. */
  readonly centroid: boolean
}

/** A student's results on the test images at one moment. */
export interface Snapshot {
  readonly map: readonly MapPoint[]
  /** [true class][predicted class]: number of test images. */
  readonly confusion: readonly (readonly number[])[]
  readonly accuracy: number
}

export type ExportName = 'onnx' | 'safetensors' | 'record'

export type ToWorker =
  | { readonly type: 'data'; readonly dataset: Dataset; readonly embeddings: Blob | undefined }
  /** Trains one student after another. The first one can be tried and exported. */
  | { readonly type: 'train'; readonly runs: readonly RunSettings[] }
  | { readonly type: 'resume' }
  | { readonly type: 'pause' }
  | { readonly type: 'predict'; readonly image: Uint8Array }
  | { readonly type: 'export'; readonly name: ExportName }

export type FromWorker =
  /** Whether a run was kept that can be resumed. */
  | { readonly type: 'kept'; readonly found: boolean }
  | { readonly type: 'data'; readonly embeddings: EmbeddingKind }
  /** A device is open. `detail`: adapter or threads. */
  | { readonly type: 'device'; readonly name: DeviceName; readonly detail: string }
  | {
      readonly type: 'started'
      readonly settings: RunSettings
      readonly points: readonly LossPoint[]
      readonly totalSteps: number
    }
  | {
      readonly type: 'step'
      readonly step: number
      readonly loss: number
      readonly imagesPerSecond: number
    }
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly type: 'epoch'; readonly epoch: EpochResult }
  | { readonly type: 'paused' }
  /** A run has ended; `last` if no other follows. */
  | { readonly type: 'done'; readonly last: boolean }
  | { readonly type: 'prediction'; readonly probabilities: Float32Array }
  | { readonly type: 'exported'; readonly name: ExportName; readonly bytes: Uint8Array }
  | { readonly type: 'failed'; readonly message: string }
