// The teacher as a user gives it, by the need of the method, and the graph inputs that are made of it.
import {
  describeValue,
  hostTensor,
  methodDefinition,
  methodName,
  UserError,
  type ClassifierConfig,
  type EmbeddingStatistics,
  type HostTensor,
  type Method,
  type MethodDefinition,
  type methods,
  type StoredOutput,
  type TeacherNeed,
  type TeacherSource,
  type ViTConfig,
} from '@embed-kd/core'

import type { Centroids, RowContent, SampleEmbeddings } from '../embeddings/embeddings.js'
import { requireAgreement } from './agreement.js'
import { EmbeddingQueue } from './embedding-queue.js'
import type { ImageBatch } from './batch.js'

/** Weights by name, possibly drawn one by one as they are asked for. */
export type NamedTensors = Iterable<readonly [string, HostTensor]>

/** A vision transformer that the training graph runs on each batch. */
export interface GraphTeacher {
  readonly model: ViTConfig | ClassifierConfig
  /** Weights by the names of the model's parameters. */
  readonly parameters: NamedTensors
}

/** A teacher that runs beside the training graph: any function from images to embeddings. */
export interface EncoderTeacher {
  /** Width of the embeddings. */
  readonly width: number
  /** Number of classes of which it gives probabilities; needed for logit-kd. */
  readonly classes?: number | undefined
  /** Returns embeddings `[count, width]` of a batch, and probabilities `[count, classes]` if it has classes. */
  embed(batch: ImageBatch): Promise<{
    readonly embeddings: Float32Array
    readonly probabilities?: Float32Array | undefined
  }>
}

/** Embeddings, or class scores, that each batch brings with it as `embeddings`. */
export interface BatchEmbeddings {
  readonly content?: RowContent | undefined
  readonly width: number
  /** Returns up to `count` embeddings `[rows, width]`, of images spread over all; needed for methods that compute statistics. */
  spread?(count: number): Float32Array
}

export interface CentroidTeacher {
  readonly centroids: Centroids
}

export interface SampleTeacher {
  readonly samples: SampleEmbeddings | BatchEmbeddings
}

/** The part of one of several teachers, each of which has a projection and a loss of its own. */
export interface TeacherPart {
  /** Name in the parameters that training adds: letters, digits, dashes and underscores. */
  readonly name: string
  /** Weight of the teacher's loss among those of all teachers; only ratios count (default: 1). */
  readonly weight?: number | undefined
}

/** The teacher that a user gives, by the method's need; a list if the student learns from several at once. */
export interface Teachers {
  none: undefined
  live: GraphTeacher | EncoderTeacher
  centroids: CentroidTeacher | readonly (TeacherPart & CentroidTeacher)[]
  samples: SampleTeacher | readonly (TeacherPart & SampleTeacher)[]
}
export type Teacher = Teachers[TeacherNeed]
type StoredTeacher = CentroidTeacher | SampleTeacher

/** A method's name, or a definition made with `defineMethod`. */
export type MethodChoice = Method | MethodDefinition

/** The need of a method, which decides the type of `teacher`. */
type NeedOf<M extends MethodChoice> = M extends keyof typeof methods
  ? (typeof methods)[M] extends { readonly teacher: infer T extends TeacherNeed }
    ? T
    : never
  : M extends MethodDefinition<infer T>
    ? T
    : never

/** The `teacher` of a trainer's options: required if the method needs one, and forbidden if not. */
export type TeacherOption<M extends MethodChoice> = [NeedOf<M>] extends ['none']
  ? { readonly teacher?: undefined }
  : { readonly teacher: Teachers[NeedOf<M>] }

/** A teacher's contribution to the training graph: its source in the configuration, and the graph's inputs. */
export interface TeacherInputs {
  readonly source?: TeacherSource
  /** Inputs `teacher.*`, the same in all steps. */
  held(): NamedTensors
  /** Inputs `batch.teacher_*` of one batch. */
  batch?(batch: ImageBatch, count: number): Promise<NamedTensors> | NamedTensors
  /** Embeddings of earlier batches, if the method takes them; part of the training's state. */
  readonly queue?: Pick<EmbeddingQueue, 'read' | 'restore' | 'reset'>
}

/**
 * Returns the contribution of one teacher, or of several, to the training graph.
 * @param whose words that name one of several teachers in messages.
 * @throws UserError if the teacher is not one that the method takes, or does not fit the classes.
 */
export function teacherInputs(
  method: MethodChoice,
  teacher: Teacher,
  classes: number | undefined,
  whose = '',
): TeacherInputs {
  const { teacher: need, takes } = methodDefinition(method)
  const name = methodName(method)
  if (need === 'none') {
    if (!teacher) return { held: () => [] }
    throw new UserError(`${name} takes no teacher`, 'leave out `teacher`, or choose another method')
  }
  const list = listOf(teacher)
  if (list.length > 0 && need !== 'live') {
    requireAgreement(list)
    const partOf = ({ name, weight, ...rest }: TeacherPart & StoredTeacher) => {
      const inputs = teacherInputs(method, rest as CentroidTeacher, classes, ` of ${name}`)
      return { name, weight, inputs }
    }
    return severalInputs(list.map(partOf))
  }
  if (need === 'centroids' && teacher && 'centroids' in teacher) {
    requireRead('centroids', teacher.centroids, 'centroidsOf')
    return centroidInputs(teacher.centroids, classes, whose)
  }
  if (need === 'samples' && teacher && 'samples' in teacher) {
    requireRead('samples', teacher.samples, 'sampleEmbeddings')
    return sampleInputs(method, teacher.samples, classes, whose)
  }
  if (need === 'live' && teacher && ('model' in teacher || 'embed' in teacher)) {
    const scored =
      'embed' in teacher
        ? teacher.classes
        : 'classes' in teacher.model
          ? teacher.model.classes
          : undefined
    if (takes === 'probabilities' && scored !== classes)
      throw new UserError(
        `${name} needs a teacher that scores the ${classes} classes of the data; this one scores ${scored ?? 'none'}`,
        'train one with embed-kd train-teacher, or choose teacher-kd',
      )
    return 'model' in teacher ? graphInputs(teacher) : encoderInputs(teacher, takes)
  }
  throw new UserError(`${name} ${needs[need]}`, 'give it as `teacher`')
}

/** Returns several teachers; none if there is one or none. */
const listOf = (teacher: Teacher): readonly (TeacherPart & StoredTeacher)[] =>
  Array.isArray(teacher) ? teacher : []

const needs: Readonly<Record<Exclude<TeacherNeed, 'none'>, string>> = {
  live: 'needs a teacher that runs on each batch: { model, parameters } or { width, embed }',
  centroids: 'needs an embedding of each class: { centroids }, from centroidsOf or readEmbeddings',
  samples: 'needs an embedding of each image: { samples }, from sampleEmbeddings or readEmbeddings',
}

/** @throws UserError if embeddings are something else, such as a file's bytes, plain rows, or a promise of them. */
function requireRead(name: string, embeddings: { readonly width: number }, maker: string): void {
  if (typeof embeddings?.width === 'number') return
  throw new UserError(
    `\`${name}\` is ${describeValue(embeddings)}`,
    `give what ${maker} or await readEmbeddings(file) returns`,
  )
}

function centroidInputs(
  { vectors, width, classes: found, prototypes }: Centroids,
  classes: number | undefined,
  whose: string,
): TeacherInputs {
  if (found !== classes)
    throw new UserError(
      `there are centroids${whose} of ${found} classes, but the data has ${classes ?? 'no labels'}`,
      'use centroids of the same classes',
    )
  const centroids = hostTensor('float32', [classes * prototypes, width], vectors)
  return {
    source: { kind: 'stored', width, prototypes },
    held: () => [['teacher.centroids', centroids]],
  }
}

const contents: Readonly<Record<RowContent, string>> = {
  embeddings: 'embeddings',
  scores: 'class scores',
}

/** Returns which rows of samples a method learns from. */
export const contentOf = (method: MethodChoice): RowContent =>
  methodDefinition(method).takes === 'probabilities' ? 'scores' : 'embeddings'

function sampleInputs(
  method: MethodChoice,
  samples: SampleEmbeddings | BatchEmbeddings,
  classes: number | undefined,
  whose: string,
): TeacherInputs {
  const { width } = samples
  const { statistics, queue: size, takes } = methodDefinition(method)
  const { content } = samples
  const wanted = contentOf(method)
  if (content !== undefined && content !== wanted)
    throw new UserError(
      `${methodName(method)} needs ${contents[wanted]} of the images, but the rows${whose} are ${contents[content]}`,
      content === 'scores' ? 'choose cached-logit-kd' : 'choose another method, such as cached-kd',
    )
  if (takes === 'probabilities' && width !== classes)
    throw new UserError(
      `${methodName(method)} needs scores of the ${classes} classes of the data, but the rows${whose} have ${width} values`,
      'give the class scores of each image, or choose another method, such as cached-kd',
    )
  const input = takes === 'probabilities' ? 'batch.teacher_scores' : 'batch.teacher_embeddings'
  const queue = size === undefined ? undefined : new EmbeddingQueue(size, width)
  return {
    source: { kind: 'stored', width },
    held: () => (statistics ? statisticsOf(methodName(method), statistics, samples) : []),
    ...(queue ? { queue } : {}),
    batch({ embeddings, indices }, count) {
      const given = embeddings instanceof Float32Array ? embeddings : undefined
      const rows = given ?? ('vectors' in samples ? rowsOf(samples, indices, count) : undefined)
      if (rows?.length !== count * width)
        throw new UserError(
          `a batch of ${count} images has ${rows ? `${rows.length} values of embeddings` : 'no embeddings'}${whose}, but ${count} x ${width} are needed`,
          'give `embeddings` with each batch, or the embeddings of all images and `indices` with each batch',
        )
      return [
        [input, hostTensor('float32', [count, width], rows)],
        ...(queue ? [['batch.teacher_queue', queue.next(rows)] as const] : []),
      ]
    },
  }
}

/** Computes the inputs `teacher.*` that describe all embeddings. @throws UserError if there are no embeddings to compute them from. */
function statisticsOf(
  name: string,
  { rows, shapes, compute }: EmbeddingStatistics,
  samples: SampleEmbeddings | BatchEmbeddings,
): NamedTensors {
  const { width } = samples
  const embeddings =
    'vectors' in samples ? spreadRows(samples.vectors, width, rows) : samples.spread?.(rows)
  if (!embeddings)
    throw new UserError(
      `${name} computes statistics of all embeddings, but each batch brings its own`,
      'give the embeddings of all images as `samples`, or a function `spread` beside `width`',
    )
  const computed = compute(embeddings, width)
  return Object.entries(shapes(width)).map(([key, shape]) => [
    `teacher.${key}`,
    hostTensor('float32', shape, computed[key]!),
  ])
}

/** Returns up to `count` rows at equal distances. */
export function spreadRows(vectors: Float32Array, width: number, count: number): Float32Array {
  const rows = vectors.length / width
  if (rows <= count) return vectors
  const out = new Float32Array(count * width)
  for (let i = 0; i < count; i++) {
    const begin = Math.floor((i * rows) / count) * width
    out.set(vectors.subarray(begin, begin + width), i * width)
  }
  return out
}

/** Gathers the rows of a batch's images. @throws UserError if there is no index for each image, or no such row. */
function rowsOf(
  { vectors, width }: SampleEmbeddings,
  indices: ArrayLike<number> | undefined,
  count: number,
): Float32Array {
  if (indices?.length !== count)
    throw new UserError(
      `a batch of ${count} images has ${indices?.length ?? 'no'} indices`,
      'give `indices` with the row of each image in the embeddings',
    )
  const rows = new Float32Array(count * width)
  for (let i = 0; i < count; i++) {
    const begin = indices[i]! * width
    if (!(begin >= 0 && begin + width <= vectors.length))
      throw new UserError(
        `there is no embedding of image ${indices[i]}; there are ${vectors.length / width}`,
        'make embeddings of all training images',
      )
    rows.set(vectors.subarray(begin, begin + width), i * width)
  }
  return rows
}

/** Joins the contributions of several teachers: the inputs of each have its name after a dot. */
function severalInputs(
  teachers: readonly (TeacherPart & { readonly inputs: TeacherInputs })[],
): TeacherInputs {
  const called = (name: string, tensors: NamedTensors) =>
    Array.from(tensors, ([input, tensor]) => [`${input}.${name}`, tensor] as const)
  return {
    source: {
      kind: 'several',
      teachers: teachers.map(({ name, weight = 1, inputs }) => {
        const { width, prototypes = 1 } = inputs.source as StoredOutput
        return { name, weight, width, prototypes }
      }),
    },
    held: () => teachers.flatMap(({ name, inputs }) => called(name, inputs.held())),
    ...(teachers.some(({ inputs }) => inputs.queue) ? { queue: severalQueues(teachers) } : {}),
    async batch({ embeddings, ...batch }, count) {
      const byName = embeddings instanceof Float32Array ? undefined : embeddings
      const tensors: (readonly [string, HostTensor])[] = []
      for (const { name, inputs } of teachers) {
        const own = { ...batch, embeddings: byName?.[name] }
        tensors.push(...called(name, (await inputs.batch?.(own, count)) ?? []))
      }
      return tensors
    },
  }
}

/** The queues of several teachers, with the teacher's name after a dot in a state. */
const severalQueues = (
  teachers: readonly { readonly name: string; readonly inputs: TeacherInputs }[],
): NonNullable<TeacherInputs['queue']> => ({
  read: () =>
    teachers.flatMap(({ name, inputs }) =>
      (inputs.queue?.read() ?? []).map(([key, tensor]) => [`${key}.${name}`, tensor] as const),
    ),
  restore(state) {
    for (const { name, inputs } of teachers) {
      const own = [...state].flatMap(([key, tensor]) =>
        key.endsWith(`.${name}`) ? [[key.slice(0, -name.length - 1), tensor] as const] : [],
      )
      inputs.queue?.restore(new Map(own))
    }
  },
  reset() {
    for (const { inputs } of teachers) inputs.queue?.reset()
  },
})

const graphInputs = ({ model, parameters }: GraphTeacher): TeacherInputs => ({
  source: { kind: 'live', model },
  *held() {
    for (const [name, tensor] of parameters) yield [`teacher.${name}`, tensor] as const
  },
})

function encoderInputs(teacher: EncoderTeacher, takes: MethodDefinition['takes']): TeacherInputs {
  const { width } = teacher
  return {
    source: { kind: 'stored', width },
    held: () => [],
    async batch(batch, count) {
      const { embeddings, probabilities } = await teacher.embed(batch)
      return takes === 'probabilities'
        ? [
            [
              'batch.teacher_probabilities',
              hostTensor('float32', [count, teacher.classes!], probabilities!),
            ],
          ]
        : [['batch.teacher_embeddings', hostTensor('float32', [count, width], embeddings)]]
    },
  }
}
