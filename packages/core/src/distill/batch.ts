// Pieces that all training graphs share: the inputs of a batch, the teacher's signal, forward and backward pass, and AdamW.
// The graphs themselves are in graphs.ts and micro-batches.ts.
import { gradients } from '../grad/gradients.js'
import * as op from '../graph/api.js'
import type { Graph } from '../graph/graph.js'
import { isTensor, spec, type InputSpec, type Tensor } from '../graph/trace.js'
import { flattenTree } from '../graph/tree.js'
import { mixedPrecision } from '../lower/mixed-precision.js'
import { Dropout } from '../nn/layers.js'
import { parameterInputs } from '../nn/parameters.js'
import {
  classifierParameters,
  classScores,
  isClassifier,
  vitEmbedding,
  vitParameters,
  type ClassifierParameters,
  type ViTParameters,
} from '../nn/vit.js'
import { adamw, type TrainingState } from '../optim/adamw.js'
import type { ParameterGroup } from '../optim/groups.js'
import { learningRate } from '../optim/schedules.js'
import { studentSpecs, type ImageShape, type TrainConfig } from './config.js'
import { studentLoss, type StudentParameters, type StudentSpecs } from './loss.js'
import type { EmbeddingStatistics, MethodDefinition } from './method.js'
import { methodDefinition, methodName } from './methods.js'
import { probabilitiesOf } from './probabilities.js'
import {
  perTeacher,
  teacherSignals,
  teacherWidths,
  type PerTeacher,
  type StoredSource,
  type TeacherSignal,
} from './teachers.js'

/** Inputs of a training step beside the state; `T` is an input's specification, or its tensor. */
export interface StepInputs<T> {
  readonly seed: T | undefined
  /** Parameters of a live teacher, or the `centroids` of one or several. */
  readonly teacher: object | undefined
  readonly batch: {
    readonly images: T
    /** Absent if the student has no classifier. */
    readonly labels?: T
    readonly teacher_embeddings?: PerTeacher<T>
    readonly teacher_queue?: PerTeacher<T>
    readonly teacher_probabilities?: PerTeacher<T>
    readonly teacher_scores?: PerTeacher<T>
  }
}

export const imagesInput = (
  batch: number,
  { channels, size, width = size }: ImageShape,
): InputSpec => spec([batch, channels, size, width])
export const labelsInput = (batch: number): InputSpec => spec([batch], { dtype: 'int32' })

/** Inputs that carry the teacher's output, or a live teacher's weights. @throws if the teacher is not one that the method takes. */
function teacherInputs(config: TrainConfig): Pick<StepInputs<InputSpec>, 'teacher'> & {
  batch?: Partial<StepInputs<InputSpec>['batch']>
} {
  const { teacher, batch } = config
  const method = methodDefinition(config.method)
  const name = methodName(config.method)
  if (method.teacher === 'none') return { teacher: undefined }
  if (!teacher) throw new Error(`${name} needs a teacher, got none`)
  const role = 'teacher'
  const { takes, statistics, queue } = method
  if (teacher.kind === 'live' && (method.teacher === 'centroids' || statistics || queue))
    throw new Error(`${name} needs a stored teacher, got live`)
  if (teacher.kind === 'live') {
    const { model } = teacher
    if (takes === 'embeddings') return { teacher: parameterInputs(vitParameters(model), { role }) }
    const classes = classesOf(config)
    if (!isClassifier(model) || model.classes !== classes)
      throw new Error(
        `${name} needs a teacher that scores the student's ${classes} classes, ` +
          (isClassifier(model) ? `this one scores ${model.classes}` : 'this one has no classifier'),
      )
    return { teacher: parameterInputs(classifierParameters(model), { role }) }
  }
  if (method.teacher === 'centroids') {
    const centroids = perTeacher(teacher, ({ width, prototypes = 1 }) =>
      spec([classesOf(config) * prototypes, width], { role }),
    )
    return { teacher: { centroids } }
  }
  if (takes === 'probabilities') {
    const rows = perTeacher(teacher, () => spec([batch, classesOf(config)]))
    return {
      teacher: undefined,
      batch:
        method.teacher === 'samples' ? { teacher_scores: rows } : { teacher_probabilities: rows },
    }
  }
  return {
    teacher: statistics && statisticsInputs(teacher, statistics),
    batch: embeddingsInputs(teacher, method, batch),
  }
}

const statisticsInputs = (teacher: StoredSource, { shapes }: EmbeddingStatistics) =>
  Object.fromEntries(
    Object.keys(shapes(teacherWidths(teacher)[0]!.width!)).map((name) => [
      name,
      perTeacher(teacher, ({ width }) => spec(shapes(width)[name]!, { role: 'teacher' })),
    ]),
  )

/** Inputs of the embeddings of `rows` images, and of the queue if the method has one. */
export const embeddingsInputs = (
  teacher: StoredSource,
  { queue }: MethodDefinition,
  rows: number,
) => ({
  teacher_embeddings: perTeacher(teacher, ({ width }) => spec([rows, width])),
  ...(queue ? { teacher_queue: perTeacher(teacher, ({ width }) => spec([queue, width])) } : {}),
})

/** Returns the number of classes that the student scores. @throws if it has no classifier. */
function classesOf({ student, method }: TrainConfig): number {
  if (isClassifier(student)) return student.classes
  throw new Error(`${methodName(method)} needs a student with a classifier`)
}

export function stepInputs(config: TrainConfig): StepInputs<InputSpec> {
  const { batch, images, student } = config
  const { teacher, batch: signals } = teacherInputs(config)
  return {
    seed:
      student.attentionDropout > 0 ? spec([], { dtype: 'int32', role: 'optimizer' }) : undefined,
    teacher,
    batch: {
      images: imagesInput(batch, images),
      ...(isClassifier(student) ? { labels: labelsInput(batch) } : {}),
      ...signals,
    },
  }
}

/** Returns the signal of each teacher, from the inputs that `teacherInputs` declared; an empty one if there is no teacher. */
export function signalsOf(
  { method, teacher, settings }: TrainConfig,
  inputs: StepInputs<Tensor>,
): readonly TeacherSignal[] {
  const { images, teacher_probabilities, teacher_scores } = inputs.batch
  const { temperature } = settings
  const needs = methodDefinition(method)
  if (needs.teacher === 'none') return [{}]
  if (needs.teacher === 'centroids') {
    const { centroids } = inputs.teacher as { centroids: PerTeacher<Tensor> }
    return teacherSignals(teacher, { anchors: centroids })
  }
  if (teacher?.kind !== 'live') {
    if (needs.takes === 'embeddings') return embeddingSignals(teacher, needs, inputs, inputs.batch)
    if (teacher_scores)
      return images.tracer.part('teacher', () =>
        teacherSignals(teacher, { probabilities: teacher_scores }).map((signal) => ({
          ...signal,
          probabilities: probabilitiesOf(signal.probabilities!, temperature),
        })),
      )
    return teacherSignals(teacher, { probabilities: teacher_probabilities! })
  }
  return images.tracer.part('teacher', (): TeacherSignal[] => {
    const anchors = vitEmbedding(teacher.model, inputs.teacher as ViTParameters, images)
    if (needs.takes === 'embeddings') return [{ anchors }]
    const scores = classScores(inputs.teacher as ClassifierParameters, anchors)
    return [{ probabilities: probabilitiesOf(scores, temperature) }]
  })
}

/** Returns the signals of stored embeddings: those of the images, their statistics, and the queue. */
export const embeddingSignals = (
  source: TrainConfig['teacher'],
  { statistics, queue }: MethodDefinition,
  { teacher }: Pick<StepInputs<Tensor>, 'teacher'>,
  { teacher_embeddings, teacher_queue }: Pick<StepInputs<Tensor>['batch'], EmbeddingInput>,
): TeacherSignal[] =>
  teacherSignals(source, {
    anchors: teacher_embeddings!,
    ...(queue ? { queue: teacher_queue! } : {}),
    ...(statistics ? { statistics: teacher as Readonly<Record<string, PerTeacher<Tensor>>> } : {}),
  })

type EmbeddingInput = 'teacher_embeddings' | 'teacher_queue'

/** The part of a training state that gradients depend on. */
interface DifferentiatedState {
  readonly parameters: StudentParameters
  readonly loss_scale: { readonly factor: Tensor } | undefined
}

/**
 * Traces forward and backward pass of the images in `inputs`. If there is a loss scale, the gradients are multiplied by its factor.
 * @param draw int32 scalar that differs from step to step; seed and `draw` determine the dropout masks.
 */
export function differentiate(
  config: TrainConfig,
  { parameters, loss_scale }: DifferentiatedState,
  inputs: StepInputs<Tensor>,
  signals: readonly TeacherSignal[],
  draw: Tensor,
) {
  const { student, settings } = config
  const { images, labels } = inputs.batch
  const { tracer } = images
  const { embedding, scores, cosine, loss, classLoss, kdLoss } = tracer.part('student', () => {
    const dropout =
      inputs.seed &&
      new Dropout(
        op.concat([op.reshape(inputs.seed, [1]), op.reshape(draw, [1])], 0),
        student.attentionDropout,
      )
    const embedding = vitEmbedding(student, parameters, images, { dropout })
    const loss = tracer.part('loss', () =>
      studentLoss(
        parameters,
        embedding,
        labels,
        signals,
        methodDefinition(config.method),
        settings,
      ),
    )
    return { embedding, ...loss }
  })
  const byName = flattenTree(parameters, isTensor)
  const found = gradients(loss_scale ? op.mul(loss, loss_scale.factor) : loss, [...byName.values()])
  return {
    gradients: new Map([...byName.keys()].map((name, i) => [name, found[i]])),
    outputs: { embedding, scores, cosine },
    metrics: {
      loss,
      class_loss: classLoss,
      kd_loss: kdLoss,
      correct: labels && scores && tracer.part('metrics', () => countCorrect(scores, labels)),
    },
  }
}

/**
 * Applies AdamW to the gradients of a batch. Returns the next state, and the metrics with the learning rate.
 * @param groups the parameters that have a gradient; @param gradients by the name of their group.
 */
export function optimize(
  config: TrainConfig,
  state: TrainingState<StudentSpecs, Tensor>,
  groups: readonly ParameterGroup[],
  gradients: ReadonlyMap<string, Tensor>,
  metrics: ReturnType<typeof differentiate>['metrics'],
) {
  const { optimizer, schedule } = config
  const rate = learningRate(schedule, optimizer.learningRate, state.step)
  const specs = studentSpecs(config)
  const { state: next, finite } = adamw(state, specs, groups, gradients, rate, optimizer)
  return {
    state: next,
    metrics: {
      ...metrics,
      learning_rate: rate,
      ...(finite && {
        loss_scale: state.loss_scale!.factor,
        skipped: op.cast(op.not(finite), 'float32'),
      }),
    },
  }
}

/** Returns the number of images whose greatest score is that of their label, a float scalar. */
export const countCorrect = (scores: Tensor, labels: Tensor, mask?: Tensor): Tensor => {
  const hits = op.cast(op.equal(op.argmax(scores, 1), labels), 'float32')
  return op.sum(mask ? op.mul(hits, mask) : hits)
}

export const scalesLoss = ({ precision }: TrainConfig): boolean => precision === 'mixed-float16'

/** The part of the loss scale that gradients need. */
export const lossScaleInput = (config: TrainConfig) =>
  scalesLoss(config) ? { factor: spec([], { role: 'optimizer' }) } : undefined

/** Returns a graph in a configuration's precision, marked with the results to recompute. */
export function withPrecision(graph: Graph, config: TrainConfig): Graph {
  const { rematerialise } = config
  const precise = scalesLoss(config) ? mixedPrecision(graph) : graph
  return rematerialise ? { ...precise, rematerialise } : precise
}
