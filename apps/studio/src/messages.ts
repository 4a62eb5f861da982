// What the page and its training worker say to each other. All of it survives structured cloning.
import type { Method } from '@embed-kd/core'

/** Images in memory: bytes, and the class of each image. */
export interface ImageSet {
  /** `[count, channels, size, size]` */
  readonly images: Uint8Array
  readonly labels: Int32Array
}

export interface Dataset {
  readonly name: string
  readonly channels: number
  /** Side of the square images in pixels. */
  readonly size: number
  readonly classNames: readonly string[]
  readonly train: ImageSet
  readonly test: ImageSet
}

/** Methods that learn from a file or from labels alone: no teacher runs in the browser. */
export const studioMethods = [
  'embed-kd',
  'supervised',
  'cached-kd',
  'cosine-kd',
] as const satisfies readonly Method[]
export type StudioMethod = (typeof studioMethods)[number]

export interface RunSettings {
  readonly method: StudioMethod
  readonly student: string
  readonly epochs: number
  readonly batch: number
  readonly learningRate: number
  readonly seed: number
}

/** Where a run stands, so that it can go on after the page was closed. */
export interface SavedRun {
  readonly settings: RunSettings
  readonly checkpoint: Uint8Array
  readonly position: unknown
  readonly points: readonly LossPoint[]
  readonly epochs: readonly EpochResult[]
}

export type LossPoint = readonly [step: number, loss: number]

export interface EpochResult {
  readonly epoch: number
  readonly accuracy: number
  /** Mean loss of the epoch. */
  readonly trainLoss: number
  readonly seconds: number
}

/** Student embeddings of some test images, and the centroids in the student's space, as rows. */
export interface Snapshot {
  readonly width: number
  readonly embeddings: Float32Array
  readonly labels: Int32Array
  /** Empty without centroids. */
  readonly centroids: Float32Array
  /** [true class][predicted class]: number of test images. */
  readonly confusion: readonly (readonly number[])[]
  readonly accuracy: number
}

export type ToWorker =
  | { readonly type: 'open' }
  | { readonly type: 'data'; readonly dataset: Dataset; readonly embeddings: Blob | undefined }
  | { readonly type: 'train'; readonly settings: RunSettings; readonly saved?: SavedRun }
  | { readonly type: 'pause' }
  | { readonly type: 'predict'; readonly image: Uint8Array }
  | { readonly type: 'export'; readonly format: 'onnx' | 'safetensors' }

export type FromWorker =
  | { readonly type: 'backend'; readonly name: string; readonly detail: string }
  | { readonly type: 'data'; readonly embeddings: 'none' | 'centroids' | 'samples' }
  | {
      readonly type: 'step'
      readonly step: number
      readonly totalSteps: number
      readonly loss: number
      readonly imagesPerSecond: number
    }
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly type: 'epoch'; readonly epoch: EpochResult; readonly saved: SavedRun }
  | { readonly type: 'paused'; readonly saved: SavedRun }
  | { readonly type: 'done' }
  | { readonly type: 'prediction'; readonly probabilities: Float32Array }
  | {
      readonly type: 'exported'
      readonly format: 'onnx' | 'safetensors'
      readonly bytes: Uint8Array
    }
  | { readonly type: 'failed'; readonly message: string }
