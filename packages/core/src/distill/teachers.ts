// The teachers of a training step: none, one, or several at once. Each of several teachers has a name, a weight, and parameters
// of the method's of its own; a single teacher has no name, so that its inputs and parameters have no prefix.
import type { Tensor } from '../graph/trace.js'
import { embeddingWidth, type ClassifierConfig, type ViTConfig } from '../nn/vit.js'

/** Sizes of a teacher whose output is an input of the graph. */
export interface StoredOutput {
  /** Width of the teacher's embeddings. */
  readonly width: number
  /** Number of centroids of each class, for methods that take centroids. Default: 1. */
  readonly prototypes?: number
}

/** One of several teachers that a student learns from at once. */
export interface WeightedTeacher extends StoredOutput {
  /** Name in the graph's inputs and in the student's parameters: letters, digits, dashes and underscores. */
  readonly name: string
  /** Weight of the teacher's loss among those of all teachers; only ratios count. Default: 1. */
  readonly weight?: number
}

/**
 * Where a teacher's output comes from:
 * - `live`: the graph runs the teacher's model on each batch; its weights are inputs of the graph.
 * - `stored`: the output is an input of the graph (`teacherInput`), whether it was computed before training or is computed for
 *   each batch by an encoder outside the graph.
 * - `several`: stored outputs of several teachers, inputs of the graph called as for one teacher, then a dot and the teacher's
 *   name. The distillation loss is the mean of the teachers' losses by their weights.
 */
export type TeacherSource =
  | { readonly kind: 'live'; readonly model: ViTConfig | ClassifierConfig }
  | ({ readonly kind: 'stored' } & StoredOutput)
  | { readonly kind: 'several'; readonly teachers: readonly WeightedTeacher[] }

/** Stored outputs of one teacher or several. */
export type StoredSource = Exclude<TeacherSource, { kind: 'live' }>

/** A teacher's output for a batch; the fields are those of LossInputs. */
export interface TeacherSignal {
  /** Name and weight of one of several teachers; absent for a single one. */
  readonly name?: string
  readonly weight?: number
  readonly anchors?: Tensor
  readonly probabilities?: Tensor
  readonly queue?: Tensor
  readonly statistics?: Readonly<Record<string, Tensor>>
  /** Given if the loss is of some images of the batch only. Default: the images are the whole batch. */
  readonly among?: { readonly labels: Tensor | undefined; readonly rows: Tensor }
}

/** A value of one teacher; with several teachers, the value of each by name. */
export type PerTeacher<T> = T | { readonly [name: string]: T }

/** Returns a value for a single teacher, or one for each of several. */
export const perTeacher = <T>(
  source: StoredSource,
  valueOf: (teacher: StoredOutput) => T,
): PerTeacher<T> =>
  source.kind === 'stored'
    ? valueOf(source)
    : Object.fromEntries(source.teachers.map((teacher) => [teacher.name, valueOf(teacher)]))

/** Outputs of one teacher or several. */
interface Outputs {
  readonly anchors?: PerTeacher<Tensor>
  readonly probabilities?: PerTeacher<Tensor>
  readonly queue?: PerTeacher<Tensor>
  readonly statistics?: Readonly<Record<string, PerTeacher<Tensor>>>
}

/** Returns the signals of the teachers from their outputs. */
export function teacherSignals(
  source: TeacherSource | undefined,
  { statistics, ...outputs }: Outputs,
): TeacherSignal[] {
  const signalOf = (own: (tensors: PerTeacher<Tensor>) => Tensor): TeacherSignal => ({
    ...mapValues(outputs, own),
    ...(statistics ? { statistics: mapValues(statistics, own) } : {}),
  })
  if (source?.kind !== 'several') return [signalOf((tensors) => tensors as Tensor)]
  return source.teachers.map(({ name, weight = 1 }) => ({
    name,
    weight,
    ...signalOf((tensors) => (tensors as Readonly<Record<string, Tensor>>)[name]!),
  }))
}

const mapValues = <T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U) =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]))

/** Returns the name and the width of the embeddings of each teacher; a single teacher has no name. */
export const teacherWidths = (
  source: TeacherSource | undefined,
): readonly { readonly name?: string; readonly width?: number }[] => {
  if (!source) return [{}]
  if (source.kind === 'several') return source.teachers
  return [{ width: source.kind === 'live' ? embeddingWidth(source.model) : source.width }]
}
