// The graphs of distillation: one training step, one evaluation batch, one batch of teacher embeddings.
// Their inputs and outputs are named here; backends and the benchmark know nothing else of a model.
import { gradients } from '../grad/gradients.js'
import * as op from '../graph/api.js'
import type { Graph, Rematerialise } from '../graph/graph.js'
import { isTensor, spec, trace, type InputSpec, type Tensor } from '../graph/trace.js'
import { flattenTree } from '../graph/tree.js'
import { Dropout } from '../nn/layers.js'
import { parameterInputs, type ParameterSpec } from '../nn/parameters.js'
import {
  classifierParameters,
  classScores,
  embeddingWidth,
  vitEmbedding,
  vitParameters,
  type ClassifierConfig,
  type ClassifierParameters,
  type ViTConfig,
  type ViTParameters,
} from '../nn/vit.js'
import { adamw, stateInputs, type AdamWOptions } from '../optim/adamw.js'
import { learningRate, type Schedule } from '../optim/schedules.js'
import {
  studentLoss,
  studentParameters,
  type StudentParameters,
  type TeacherSignal,
} from './loss.js'
import type { Method, PresetSettings } from './settings.js'

/** Images as the data set has them; models resize them in the graph. */
export interface ImageShape {
  readonly channels: number
  /** Pixels along one side. */
  readonly size: number
}

/** Where a teacher's signal comes from: the model itself, run on each batch, or what was computed with it before. */
export type TeacherSource =
  | { readonly kind: 'live'; readonly model: ViTConfig | ClassifierConfig }
  | {
      readonly kind: 'stored'
      readonly width: number
      /** embed-kd: centroids of each class; default 1. */
      readonly prototypes?: number
    }

export interface TrainConfig {
  readonly method: Method
  readonly student: ClassifierConfig
  readonly batch: number
  readonly images: ImageShape
  /** None for supervised; `live` for teacher-kd, `stored` for embed-kd and cached-kd, either for logit-kd. */
  readonly teacher?: TeacherSource
  readonly settings: PresetSettings
  readonly optimizer: AdamWOptions
  readonly schedule: Schedule
  /** Default: nothing. */
  readonly rematerialise?: Rematerialise
}

/** What a training step takes beside the state; `T` is an input's specification, or its tensor. */
interface StepInputs<T> {
  readonly seed: T | undefined
  /** Parameters of a live teacher, or `{ centroids }`. */
  readonly teacher: object | undefined
  readonly batch: {
    readonly images: T
    readonly labels: T
    readonly teacher_embeddings?: T
    readonly teacher_probabilities?: T
  }
}

const imagesInput = (batch: number, { channels, size }: ImageShape): InputSpec =>
  spec([batch, channels, size, size])
const labelsInput = (batch: number): InputSpec => spec([batch], { dtype: 'int32' })

const isClassifier = (model: ViTConfig): model is ClassifierConfig => 'classes' in model

/** The specifications of a configuration's student parameters. */
export const studentSpecs = ({ student, method, teacher, settings }: TrainConfig) =>
  studentParameters(
    student,
    method,
    teacher?.kind === 'live' ? embeddingWidth(teacher.model) : teacher?.width,
    settings,
  )

/** The kind of teacher a method needs; `logit-kd` takes either. */
const teacherKind = {
  supervised: undefined,
  'logit-kd': undefined,
  'teacher-kd': 'live',
  'embed-kd': 'stored',
  'cached-kd': 'stored',
} as const satisfies Record<Method, TeacherSource['kind'] | undefined>

function teacherInputs(config: TrainConfig): Pick<StepInputs<InputSpec>, 'teacher'> & {
  batch?: Partial<StepInputs<InputSpec>['batch']>
} {
  const { method, teacher, batch, student } = config
  if (method === 'supervised') return { teacher: undefined }
  const kind = teacherKind[method]
  if (!teacher || (kind && teacher.kind !== kind))
    throw new Error(
      `${method} needs a ${kind ?? 'live or stored'} teacher, got ${teacher?.kind ?? 'none'}`,
    )
  const role = 'teacher'
  if (teacher.kind === 'live') {
    const { model } = teacher
    if (method !== 'logit-kd') return { teacher: parameterInputs(vitParameters(model), { role }) }
    if (!isClassifier(model) || model.classes !== student.classes)
      throw new Error(
        `logit-kd needs a teacher that scores the student's ${student.classes} classes, ` +
          (isClassifier(model) ? `this one scores ${model.classes}` : 'this one has no classifier'),
      )
    return { teacher: parameterInputs(classifierParameters(model), { role }) }
  }
  if (method === 'embed-kd')
    return {
      teacher: {
        centroids: spec([student.classes * (teacher.prototypes ?? 1), teacher.width], { role }),
      },
    }
  return {
    teacher: undefined,
    batch:
      method === 'logit-kd'
        ? { teacher_probabilities: spec([batch, student.classes]) }
        : { teacher_embeddings: spec([batch, teacher.width]) },
  }
}

function stepInputs(config: TrainConfig): StepInputs<InputSpec> {
  const { batch, images, student } = config
  const { teacher, batch: signals } = teacherInputs(config)
  return {
    seed:
      student.attentionDropout > 0 ? spec([], { dtype: 'int32', role: 'optimizer' }) : undefined,
    teacher,
    batch: { images: imagesInput(batch, images), labels: labelsInput(batch), ...signals },
  }
}

/** The signal from the inputs that `teacherInputs` asked for. */
function teacherSignal(
  { method, teacher, settings }: TrainConfig,
  inputs: StepInputs<Tensor>,
): TeacherSignal {
  const { images, teacher_embeddings, teacher_probabilities } = inputs.batch
  if (method === 'supervised') return { kind: 'none' }
  if (method === 'embed-kd')
    return { kind: 'centroids', anchors: (inputs.teacher as { centroids: Tensor }).centroids }
  if (teacher?.kind !== 'live')
    return method === 'logit-kd'
      ? { kind: 'probabilities', probabilities: teacher_probabilities! }
      : { kind: 'samples', anchors: teacher_embeddings! }
  return images.tracer.scope('teacher', (): TeacherSignal => {
    const anchors = vitEmbedding(teacher.model, inputs.teacher as ViTParameters, images)
    if (method !== 'logit-kd') return { kind: 'samples', anchors }
    const scores = classScores(inputs.teacher as ClassifierParameters, anchors)
    const probabilities = op.softmax(op.mul(scores, 1 / settings.temperature))
    return { kind: 'probabilities', probabilities }
  })
}

/** Forward and backward of one batch. */
function differentiate(
  config: TrainConfig,
  parameters: StudentParameters,
  step: Tensor,
  inputs: StepInputs<Tensor>,
) {
  const { student, settings } = config
  const { images, labels } = inputs.batch
  const { tracer } = images
  const signal = teacherSignal(config, inputs)
  const { embedding, scores, cosine, loss, classLoss, kdLoss } = tracer.scope('student', () => {
    const dropout =
      inputs.seed &&
      new Dropout(
        op.concat([op.reshape(inputs.seed, [1]), op.reshape(step, [1])], 0),
        student.attentionDropout,
      )
    const embedding = vitEmbedding(student, parameters, images, dropout)
    const loss = tracer.scope('loss', () =>
      studentLoss(parameters, embedding, labels, signal, settings),
    )
    return { embedding, ...loss }
  })
  const byName = flattenTree(parameters, isTensor)
  const found = gradients(loss, [...byName.values()])
  return {
    gradients: new Map([...byName.keys()].map((name, i) => [name, found[i]])),
    outputs: { embedding, scores, cosine },
    metrics: {
      loss,
      class_loss: classLoss,
      kd_loss: kdLoss,
      correct: tracer.scope('metrics', () => countCorrect(scores, labels)),
    },
  }
}

/** Images scored right, a float scalar. */
const countCorrect = (scores: Tensor, labels: Tensor, mask?: Tensor): Tensor => {
  const hits = op.cast(op.equal(op.argmax(scores, 1), labels), 'float32')
  return op.sum(mask ? op.mul(hits, mask) : hits)
}

/**
 * One training step: forward, backward, AdamW.
 *
 * Inputs: `state.parameters.*`, `state.m.*`, `state.v.*`, `state.step`, `state.correction1`, `state.correction2`, all donated
 * (see `initialState`) · `seed` int32[] where the student has dropout · `teacher.*`: parameters of a live teacher, or
 * `teacher.centroids` [classes · prototypes, width], class by class · `batch.images` [B,C,H,W] normalised, `batch.labels` int32[B], and with stored
 * per-sample signals `batch.teacher_embeddings` [B, width] or `batch.teacher_probabilities` [B, classes].
 *
 * Outputs: `state.*` · `metrics.loss`, `metrics.class_loss`, `metrics.kd_loss` (with a teacher), `metrics.correct` (images
 * of the batch scored right), `metrics.learning_rate`, all float scalars.
 */
export function trainGraph(config: TrainConfig): Graph {
  const { method, optimizer, schedule, settings } = config
  const specs = studentSpecs(config)
  const inputs = { state: stateInputs(specs), step: stepInputs(config) }
  const graph = trace(
    `train ${method}`,
    { state: inputs.state, ...inputs.step },
    ({ state, ...rest }) => {
      const step = rest as StepInputs<Tensor>
      const { gradients, metrics } = differentiate(config, state.parameters, state.step, step)
      return state.step.tracer.scope('optimizer', () => {
        const rate = learningRate(schedule, optimizer.learningRate, state.step)
        const decays = (spec: ParameterSpec) => settings.decay === 'all' || spec.decay
        return {
          state: adamw(state, specs, gradients, rate, optimizer, decays),
          metrics: { ...metrics, learning_rate: rate },
        }
      })
    },
  )
  return recomputing(graph, config)
}

const recomputing = (graph: Graph, { rematerialise }: TrainConfig): Graph =>
  rematerialise ? { ...graph, rematerialise } : graph

/**
 * Forward and backward alone, to compare backends and frameworks by: takes `state.parameters.*`, `state.step` and what
 * `trainGraph` takes beside the state; gives `metrics.*`, `outputs.embedding`, `outputs.scores`, `outputs.cosine` (with
 * anchors), and `gradients.*` of the parameters that have one.
 */
export function gradientGraph(config: TrainConfig): Graph {
  const specs = studentSpecs(config)
  const state = {
    parameters: parameterInputs(specs, { role: 'parameter' }),
    step: spec([], { dtype: 'int32', role: 'optimizer' }),
  }
  const graph = trace(`gradients ${config.method}`, { state, ...stepInputs(config) }, (symbols) => {
    const { state, ...rest } = symbols
    const step = rest as StepInputs<Tensor>
    const result = differentiate(config, state.parameters, state.step, step)
    return { ...result, gradients: Object.fromEntries(result.gradients) }
  })
  return recomputing(graph, config)
}

/**
 * Evaluation of a classifier (a student, or a teacher with its own parameters): takes `state.parameters.*` (the encoder's and
 * the classifier's), `batch.images`, `batch.labels` and `batch.mask` [B], 0 for images that only fill the batch up; gives
 * `metrics.loss` (sum over the batch of the cross entropy of the scores), `metrics.correct` (images scored right), and
 * `predictions` int32[B].
 */
export function evalGraph(model: ClassifierConfig, batch: number, images: ImageShape): Graph {
  const inputs = {
    state: { parameters: parameterInputs(classifierParameters(model), { role: 'parameter' }) },
    batch: {
      images: imagesInput(batch, images),
      labels: labelsInput(batch),
      mask: spec([batch]),
    },
  }
  return trace(
    'eval',
    inputs,
    ({ state: { parameters }, batch: { images, labels, mask } }, tracer) => {
      const scores = tracer.scope('student', () =>
        classScores(parameters, vitEmbedding(model, parameters, images)),
      )
      const losses = op.mul(op.logSoftmax(scores), op.oneHot(labels, model.classes))
      return {
        metrics: {
          loss: op.neg(op.sum(op.mul(op.sum(losses, { axes: [1] }), mask))),
          correct: countCorrect(scores, labels, mask),
        },
        predictions: op.argmax(scores, 1),
      }
    },
  )
}

/**
 * A teacher's forward pass: takes `teacher.*` and `batch.images`; gives `embeddings` [B, width] and, of a classifier,
 * `probabilities` [B, classes] at a temperature (see LossSettings).
 */
export function embedGraph(
  model: ViTConfig | ClassifierConfig,
  batch: number,
  images: ImageShape,
  temperature = 1,
): Graph {
  const specs = isClassifier(model) ? classifierParameters(model) : vitParameters(model)
  const inputs = {
    teacher: parameterInputs(specs as ReturnType<typeof vitParameters>, { role: 'teacher' }),
    batch: { images: imagesInput(batch, images) },
  }
  return trace('embed', inputs, ({ teacher, batch }, tracer) =>
    tracer.scope('teacher', () => {
      const embeddings = vitEmbedding(model, teacher, batch.images)
      if (!isClassifier(model)) return { embeddings }
      const scores = classScores(teacher as ClassifierParameters, embeddings)
      return { embeddings, probabilities: op.softmax(op.mul(scores, 1 / temperature)) }
    }),
  )
}
