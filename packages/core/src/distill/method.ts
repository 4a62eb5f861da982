// What a distillation method is: which teacher it needs, what of that teacher enters its loss, and the loss itself.
// Types only. The methods that come with the library are the table in methods.ts; `defineMethod` there makes others.
import type * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import type { MapLeaves, Tree } from '../graph/tree.js'
import type { ParameterSpec } from '../nn/parameters.js'
import type { LossSettings } from './settings.js'

/**
 * The teacher that a user brings for a method:
 * - `none`: no teacher.
 * - `live`: a teacher that runs on each batch.
 * - `centroids`: one or more embeddings of each class, computed before training.
 * - `samples`: the embedding or the class scores of each training image, computed before training.
 */
export type TeacherNeed = 'none' | 'live' | 'centroids' | 'samples'

/** What of the teacher enters a method's loss: its embeddings, or its probabilities of the classes. */
export type TeacherOutput = 'none' | 'embeddings' | 'probabilities'

/** Specifications of the parameters that a method adds to the student's, by name. */
export interface MethodParameters {
  readonly [name: string]: Tree<ParameterSpec> | undefined
}

/** The sizes and settings that a method's own parameters depend on. */
export interface MethodShape {
  /** Width of the student's embeddings. */
  readonly studentWidth: number
  /** Width of the teacher's embeddings. @throws if the configuration has no teacher. */
  readonly teacherWidth: number
  readonly settings: LossSettings
}

/** The tensors that a method's loss is computed from. Reading one that the configuration lacks throws an error that says so. */
export interface LossInputs<P = Readonly<Record<string, never>>> {
  /** The student's embeddings [B, student width]. */
  readonly embedding: Tensor
  /** Whether the images have class labels. Without them, `scores`, `logits`, `labels` and `anchorLabels` cannot be read. */
  readonly labelled: boolean
  /** The student's class scores before any softmax, [B, classes]. */
  readonly scores: Tensor
  /** The input of the class loss's softmax: `scores`, or in preset `paper` the softmax of `scores`; [B, classes]. */
  readonly logits: Tensor
  /** Class labels of the images, int32[B]. */
  readonly labels: Tensor
  /**
   * The teacher's embeddings: of the images, [B, teacher width], or centroids [classes · prototypes, teacher width], class by
   * class. If the method takes `wholeBatch`, those of all images of the batch, although the loss may be of a few of them.
   */
  readonly anchors: Tensor
  /** The teacher's probabilities of the classes at the settings' temperature, [B, classes], also of stored scores. */
  readonly probabilities: Tensor
  /** Class labels of all images of the batch, int32[rows of `anchors`]; for methods that take `wholeBatch`. */
  readonly anchorLabels: Tensor
  /** Rows of `anchors` that belong to the images, int32[B]; for methods that take `wholeBatch`. */
  readonly anchorRows: Tensor
  /** Embeddings of other images from the teacher, [rows, teacher width], for methods with a `queue`; rows of zeros are empty. */
  readonly queue: Tensor
  /** Tensors computed from all of the teacher's embeddings before training, by the names in the method's `statistics`. */
  readonly statistics: Readonly<Record<string, Tensor>>
  /** The method's own parameters. */
  readonly parameters: MapLeaves<P, ParameterSpec, Tensor>
  readonly settings: LossSettings
  /** The ops on symbolic tensors (`op.matmul`, `op.softmax`, …). */
  readonly op: typeof op
}

/** A distillation loss, a float scalar that is a mean over images, and cosine similarities to report beside it, if any. */
export type MethodLoss = Tensor | { readonly loss: Tensor; readonly cosine: Tensor }

/**
 * Tensors that describe the distribution of a teacher's embeddings. They are computed once from the file, and are inputs
 * `teacher.*` of the graph.
 */
export interface EmbeddingStatistics {
  /** Number of embeddings that are enough to compute them from; more are not read. */
  readonly rows: number
  /** Shapes of the tensors by name. @throws UserError if there are none for embeddings of this width. */
  shapes(teacherWidth: number): Readonly<Record<string, readonly number[]>>
  /**
   * Computes the float32 tensors from embeddings [rows, teacherWidth].
   * @throws UserError if the embeddings do not suffice.
   */
  compute(embeddings: Float32Array, teacherWidth: number): Readonly<Record<string, Float32Array>>
}

/** A distillation method, as data and one function. */
export interface MethodDefinition<
  T extends TeacherNeed = TeacherNeed,
  P extends MethodParameters = any,
> {
  /** Name as people read it: `Embed-KD`. Its lower-case form, with dashes for spaces, is the method's name in graphs and files. */
  readonly label: string
  /** What the method teaches the student with, in one line. */
  readonly description: string
  readonly teacher: T
  readonly takes: T extends 'none' ? 'none' : Exclude<TeacherOutput, 'none'>
  /**
   * Whether the method needs class labels. A student with a classifier learns from labels whatever the method: its loss is the
   * class loss plus `kdWeight` times the method's loss. A student without one learns from the method's loss alone.
   */
  readonly needsLabels: boolean
  /** Whether the loss of an image needs the embeddings of every image in the batch, so that micro-batches are given them all. */
  readonly wholeBatch: boolean
  /** Whether the loss compares the student's embeddings of a batch with each other, which micro-batches cannot. Default: false. */
  readonly relational?: boolean
  /** What the loss takes of the distribution of all embeddings; for methods with teacher `samples`. Default: nothing. */
  readonly statistics?: EmbeddingStatistics
  /** Number of embeddings of earlier images that the loss is given; for methods with teacher `samples`. Default: 0. */
  readonly queue?: number
  /** Specifications of the parameters that the method trains beside the student's. Default: none. */
  parameters?(shape: MethodShape): P
  /** The distillation loss. Absent if the class loss is the only one. */
  loss?(inputs: LossInputs<P>): MethodLoss
}
