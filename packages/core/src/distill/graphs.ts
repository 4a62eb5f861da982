// The graphs of distillation: one training step, one evaluation batch, one batch of teacher embeddings.
// Their inputs and outputs are named here; backends and the benchmark know nothing else of a model.
import * as op from '../graph/api.js'
import type { Graph } from '../graph/graph.js'
import { spec, trace, type Tensor } from '../graph/trace.js'
import { parameterInputs } from '../nn/parameters.js'
import {
  checkClassifierConfig,
  checkModel,
  classifierParameters,
  classScores,
  modelParameters,
  vitEmbedding,
  type ClassifierConfig,
  type ViTConfig,
} from '../nn/vit.js'
import { stateInputs } from '../optim/adamw.js'
import { joinAll, trainedGroups } from '../optim/groups.js'
import { unscale } from '../optim/loss-scale.js'
import {
  withPrecision,
  countCorrect,
  differentiate,
  imagesInput,
  labelsInput,
  lossScaleInput,
  optimize,
  scalesLoss,
  signalsOf,
  stepInputs,
  type StepInputs,
} from './batch.js'
import { checkImages, checkTemperature, checkTrainConfig } from './check-config.js'
import { parameterGroups, studentSpecs, type ImageShape, type TrainConfig } from './config.js'
import { methodName } from './methods.js'
import { probabilitiesOf } from './probabilities.js'

/**
 * Traces one training step of a whole batch: forward, backward, AdamW.
 *
 * Inputs:
 * - `state.parameters.*`, `state.m.*`, `state.v.*`, `state.step`, `state.correction1`, `state.correction2`, all donated (see
 *   `initialState`);
 * - `seed` int32[], if the student has dropout;
 * - `teacher.*`: parameters of a live teacher, `teacher.centroids` [classes · prototypes, width], class by class, or the
 *   method's statistics of the embeddings;
 * - `batch.images` [B,C,H,W] normalised, `batch.labels` int32[B] (if the student has a classifier), and with stored outputs of
 *   a teacher `batch.teacher_embeddings` [B, width], `batch.teacher_scores` [B, classes] (before any softmax) or
 *   `batch.teacher_probabilities` [B, classes], and `batch.teacher_queue` [queue, width] if the method has a queue. With several teachers, each has its own, such as `teacher.centroids.NAME`,
 *   `teacher.mean.NAME` and `batch.teacher_embeddings.NAME`.
 *
 * Outputs: `state.*`, and the float scalars `metrics.loss`, `metrics.class_loss` and `metrics.correct` (images of the batch
 * scored right) with labels, `metrics.kd_loss` with a teacher, and `metrics.learning_rate`.
 *
 * With mixed precision also `state.loss_scale.*`, `metrics.loss_scale` and `metrics.skipped`, which is 1 if the step was
 * skipped because a gradient was not finite. The weights of a live teacher are then float16.
 * @throws UserError if a field of the configuration makes no sense.
 */
export function trainGraph(config: TrainConfig): Graph {
  checkTrainConfig(config)
  const inputs = {
    state: stateInputs(studentSpecs(config), scalesLoss(config)),
    ...stepInputs(config),
  }
  const graph = trace(`train ${methodName(config.method)}`, inputs, ({ state, ...rest }) => {
    const step = rest as StepInputs<Tensor>
    const signals = signalsOf(config, step)
    const { gradients, metrics } = differentiate(config, state, step, signals, state.step)
    const groups = trainedGroups(parameterGroups(config), gradients)
    return state.step.tracer.part('optimizer', () =>
      optimize(config, state, groups, joinAll(groups, gradients), metrics),
    )
  })
  return withPrecision(graph, config)
}

/**
 * Traces the forward and backward pass alone, to compare backends and frameworks. The graph takes `state.parameters.*`,
 * `state.step`, and the inputs of `trainGraph` beside the state. It gives `metrics.*`, `outputs.embedding`, `outputs.scores`
 * (if the student has a classifier), `outputs.cosine` (if the method reports it; `outputs.cosine.NAME` with several teachers), and
 * `gradients.*` of the parameters that have one.
 * @throws UserError if a field of the configuration makes no sense.
 */
export function gradientGraph(config: TrainConfig): Graph {
  checkTrainConfig(config)
  const specs = studentSpecs(config)
  const state = {
    parameters: parameterInputs(specs, { role: 'parameter' }),
    step: spec([], { dtype: 'int32', role: 'optimizer' }),
    loss_scale: lossScaleInput(config),
  }
  const graph = trace(
    `gradients ${methodName(config.method)}`,
    { state, ...stepInputs(config) },
    (symbols) => {
      const { state, ...rest } = symbols
      const step = rest as StepInputs<Tensor>
      const signals = signalsOf(config, step)
      const { loss_scale } = state
      const found = differentiate(config, state, step, signals, state.step)
      const { gradients } = loss_scale ? unscale(found.gradients, loss_scale) : found
      return { ...found, gradients: Object.fromEntries(gradients) }
    },
  )
  return withPrecision(graph, config)
}

/**
 * Traces the evaluation of a classifier (a student, or a teacher with its own parameters).
 *
 * Inputs: `state.parameters.*` (the encoder's and the classifier's), `batch.images`, `batch.labels`, and `batch.mask` [B], which
 * is 0 for images that only fill the batch up.
 *
 * Outputs: `metrics.loss` (sum over the batch of the cross entropy of the scores), `metrics.correct` (images scored right), and
 * `predictions` int32[B].
 * @throws UserError if the model, the batch or the images make no sense.
 */
export function evalGraph(model: ClassifierConfig, batch: number, images: ImageShape): Graph {
  checkClassifierConfig(model)
  checkImages(batch, images, model)
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
      const scores = tracer.part('student', () =>
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
 * Traces a teacher's forward pass. The graph takes `teacher.*` and `batch.images`. It gives `embeddings` [B, width], and if the
 * model has a classifier, `probabilities` [B, classes] at a temperature (see LossSettings).
 * @throws UserError if the model, the batch, the images or the temperature make no sense.
 */
export function embedGraph(
  model: ViTConfig | ClassifierConfig,
  batch: number,
  images: ImageShape,
  temperature = 1,
): Graph {
  checkModel(model)
  checkImages(batch, images, model)
  checkTemperature(temperature)
  const inputs = {
    teacher: parameterInputs(modelParameters(model), { role: 'teacher' }),
    batch: { images: imagesInput(batch, images) },
  }
  return trace('embed', inputs, ({ teacher, batch }, tracer) =>
    tracer.part('teacher', () => {
      const embeddings = vitEmbedding(model, teacher, batch.images)
      const { classifier } = teacher
      if (!classifier) return { embeddings }
      const scores = classScores({ classifier }, embeddings)
      return { embeddings, probabilities: probabilitiesOf(scores, temperature) }
    }),
  )
}
