// A teacher's embeddings as plain arrays: one or more vectors for each class, or one for each image.

/** Centroids: one or more embeddings of each class. */
export interface Centroids {
  readonly kind: 'centroids'
  /** `[classes · prototypes, width]`, class by class. */
  readonly vectors: Float32Array
  /** Width of an embedding. */
  readonly width: number
  readonly classes: number
  /** Vectors of each class. */
  readonly prototypes: number
  /** Name of each class, if known. */
  readonly classNames?: readonly string[] | undefined
}

/** What the rows of a file of samples are: embeddings, or class scores before any softmax. */
export type RowContent = 'embeddings' | 'scores'

/** Embeddings, or class scores, of single images. */
export interface SampleEmbeddings {
  readonly kind: 'samples'
  /** Default: embeddings. */
  readonly content?: RowContent | undefined
  /** `[count, width]`, in the order of the images' indices. */
  readonly vectors: Float32Array
  /** Width of an embedding. */
  readonly width: number
  /** Class of each image, if known. */
  readonly labels?: Int32Array | undefined
}
