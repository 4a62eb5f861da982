// A training step in micro-batches (gradient accumulation): the step of trainGraph with the memory of a few images. Gradients
// are added up micro-batch by micro-batch, and AdamW takes their mean at the end.
import { checkInteger, fail } from '../check.js'
import * as op from '../graph/api.js'
import type { Graph } from '../graph/graph.js'
import { isTensor, spec, trace, type InputSpec, type Tensor } from '../graph/trace.js'
import { flattenTree, mapTree } from '../graph/tree.js'
import { parameterInputs } from '../nn/parameters.js'
import {
  embeddingWidth,
  isClassifier,
  vitEmbedding,
  vitParameters,
  type ViTConfig,
} from '../nn/vit.js'
import { stateInputs } from '../optim/adamw.js'
import { groupShape, joinAll, trainedGroups, type ParameterGroup } from '../optim/groups.js'
import { hostScalar, type HostTensor } from '../tensor/tensor.js'
import {
  withPrecision,
  differentiate,
  imagesInput,
  labelsInput,
  lossScaleInput,
  optimize,
  scalesLoss,
  embeddingsInputs,
  embeddingSignals,
  signalsOf,
  stepInputs,
  type StepInputs,
} from './batch.js'
import { checkLabel } from './centroids.js'
import { checkTrainConfig } from './check-config.js'
import { parameterGroups, studentSpecs, type TrainConfig } from './config.js'
import { gradientGraph, trainGraph } from './graphs.js'
import { methodDefinition, methodName } from './methods.js'
import type { TeacherSignal } from './teachers.js'

/** One of the graphs that a training step is made of. */
export interface StepPart {
  readonly graph: Graph
  /** How often a step runs it before the next one. */
  readonly times: number
}

/**
 * Returns the graphs of a training step in the order they run. Without micro-batches that is `trainGraph` alone. With them:
 * - `anchors`, if the loss needs a live teacher's embeddings of the whole batch: puts the embeddings of each micro-batch in their
 *   rows of `sum.anchors`;
 * - `accumulate`: adds each micro-batch's gradients, by group, and metrics to `sum.gradients.*` and `sum.metrics.*`;
 * - `apply`: AdamW with their means; gives the state, the metrics of the batch, and sums that are zero again.
 *
 * `sum.*` begin as zeros and are donated like the state. `micro_batch` is the micro-batch's index from 0, int32[];
 * `batch.*` hold its rows, and if the method takes the whole batch, `whole.*` hold all rows. `batchInputs` makes these inputs.
 * The step is that of the whole batch, whatever the method, for every loss is a
 * mean over images; only dropout masks are others.
 * @throws UserError if `microBatch` does not divide `batch`, or another field makes no sense.
 */
export function stepGraphs(config: TrainConfig): readonly StepPart[] {
  checkTrainConfig(config)
  const { batch, microBatch = batch, method, teacher } = config
  if (microBatch === batch) return [{ graph: trainGraph(config), times: 1 }]
  const times = batch / microBatch
  if (!Number.isInteger(times))
    fail(
      `micro-batches of ${microBatch} images do not make up a batch of ${batch}`,
      'choose a divisor of the batch',
    )
  const { wholeBatch } = methodDefinition(method)
  const model = wholeBatch && teacher?.kind === 'live' ? teacher.model : undefined
  const groups = groupsOf(config)
  return [
    ...(model ? [{ graph: anchorsGraph(config, microBatch, model), times }] : []),
    { graph: accumulateGraph(config, groups, microBatch, model), times },
    { graph: applyGraph(config, groups, times, model), times: 1 },
  ]
}

/**
 * Returns the inputs that a part of a step takes of a batch when it runs for the `index`-th time.
 * @param batch the batch as `trainGraph` takes it: `batch.*`, of as many rows as the step has.
 */
export function batchInputs(
  { inputs, types }: Graph,
  batch: ReadonlyMap<string, HostTensor>,
  index: number,
): Map<string, HostTensor> {
  checkInteger('batchInputs: index', index, 0)
  const classes = classesOf({ inputs, types })
  const found = new Map<string, HostTensor>()
  for (const { name, value } of inputs) {
    const [group] = name.split('.', 1)
    const key = name.slice(group!.length + 1)
    const tensor = batch.get(`batch.${key}`)
    if (name === 'micro_batch') found.set(name, hostScalar(index, 'int32'))
    else if (tensor && group === 'whole') found.set(name, tensor)
    else if (tensor && group === 'batch')
      found.set(name, rowsOf(name, tensor, types[value]!.shape[0]!, index))
    if (key === 'labels' && classes !== undefined && found.has(name))
      for (const label of found.get(name)!.data) checkLabel(label, classes)
  }
  return found
}

/** Number of classes of the student whose parameters a graph takes; undefined if it takes none. */
function classesOf({ inputs, types }: Pick<Graph, 'inputs' | 'types'>): number | undefined {
  const bias = inputs.find(({ name }) => name === 'state.parameters.classifier.bias')
  return bias && types[bias.value]!.shape[0]
}

/** Returns the `index`-th `rows` rows, as a view. @throws UserError if the tensor does not have them. */
function rowsOf(
  name: string,
  { dtype, shape, data }: HostTensor,
  rows: number,
  index: number,
): HostTensor {
  if ((index + 1) * rows > (shape[0] ?? 0))
    fail(
      `${name} has ${shape[0] ?? 'no'} rows, but micro-batch ${index} takes rows ${index * rows} to ${(index + 1) * rows - 1}`,
      'give one row for each image of the batch',
    )
  const size = (data.length / shape[0]!) * rows
  const part = data.subarray(index * size, (index + 1) * size)
  return { dtype, shape: [rows, ...shape.slice(1)], data: part } as HostTensor
}

/** Indices in the batch of a micro-batch's rows, int32[rows]. */
const indicesOf = (microBatch: Tensor, rows: number): Tensor =>
  op.add(microBatch.tracer.iota(rows), op.mul(microBatch, rows))

const microBatchInput = spec([], { dtype: 'int32' })
const anchorsInput = ({ batch }: TrainConfig, model: ViTConfig, donated: boolean): InputSpec =>
  spec([batch, embeddingWidth(model)], { role: 'teacher', donated })

function anchorsGraph(config: TrainConfig, rows: number, model: ViTConfig): Graph {
  const inputs = {
    teacher: parameterInputs(vitParameters(model), { role: 'teacher' }),
    batch: { images: imagesInput(rows, config.images) },
    micro_batch: microBatchInput,
    sum: { anchors: anchorsInput(config, model, true) },
  }
  const graph = trace('anchors', inputs, ({ teacher, batch, micro_batch, sum }, tracer) =>
    tracer.part('teacher', () => {
      const embeddings = vitEmbedding(model, teacher, batch.images)
      const places = op.oneHot(indicesOf(micro_batch, rows), config.batch)
      const placed = op.matmul(places, embeddings, { transposeA: true })
      return { sum: { anchors: op.add(sum.anchors, placed) } }
    }),
  )
  return withPrecision(graph, config)
}

/** Returns the groups of the parameters that have a gradient. */
function groupsOf(config: TrainConfig): ParameterGroup[] {
  const { outputs } = gradientGraph(config)
  const prefix = 'gradients.'
  const names = outputs.flatMap(({ name }) =>
    name.startsWith(prefix) ? [[name.slice(prefix.length), true] as const] : [],
  )
  return trainedGroups(parameterGroups(config), new Map(names))
}

/** Specifies the sums over the micro-batches: gradients by group, and metrics. */
function sumInputs(config: TrainConfig, groups: readonly ParameterGroup[]) {
  const { loss } = methodDefinition(config.method)
  const labelled = isClassifier(config.student)
  const rest = { role: 'optimizer', donated: true } as const
  const metric = spec([], rest)
  return {
    gradients: Object.fromEntries(
      groups.map((group) => [group.name, spec(groupShape(group), rest)]),
    ),
    metrics: {
      loss: metric,
      class_loss: labelled ? metric : undefined,
      kd_loss: loss && metric,
      correct: labelled ? metric : undefined,
    },
  }
}

/** @param model model of the live teacher whose embeddings are in `sum.anchors`, if they are there. */
function accumulateGraph(
  config: TrainConfig,
  groups: readonly ParameterGroup[],
  rows: number,
  model?: ViTConfig,
): Graph {
  const { batch, method } = config
  const definition = methodDefinition(method)
  const { wholeBatch } = definition
  const { seed, teacher, batch: own } = stepInputs({ ...config, batch: rows })
  const { teacher_embeddings: _embeddings, teacher_queue: _queue, ...ownRows } = own
  const { teacher: source } = config
  const inputs = {
    state: {
      parameters: parameterInputs(studentSpecs(config), { role: 'parameter' }),
      step: spec([], { dtype: 'int32', role: 'optimizer' }),
      loss_scale: lossScaleInput(config),
    },
    seed,
    teacher: model ? undefined : teacher,
    batch: wholeBatch ? ownRows : own,
    whole: wholeBatch
      ? {
          labels: isClassifier(config.student) ? labelsInput(batch) : undefined,
          ...(source && source.kind !== 'live' ? embeddingsInputs(source, definition, batch) : {}),
        }
      : undefined,
    micro_batch: microBatchInput,
    sum: { ...sumInputs(config, groups), anchors: model && anchorsInput(config, model, false) },
  }
  const graph = trace(`accumulate ${methodName(method)}`, inputs, (symbols) => {
    const { state, whole, micro_batch, sum, ...rest } = symbols
    const step = rest as StepInputs<Tensor>
    const anchors = sum.anchors ?? whole?.teacher_embeddings
    const signals: readonly TeacherSignal[] =
      whole && anchors
        ? embeddingSignals(source, definition, step, { ...whole, teacher_embeddings: anchors }).map(
            (signal) => ({
              ...signal,
              among: { labels: whole.labels, rows: indicesOf(micro_batch, rows) },
            }),
          )
        : signalsOf(config, step)
    // Every micro-batch of every step draws its own dropout masks.
    const draw = op.add(op.mul(state.step, batch / rows), micro_batch)
    const found = differentiate(config, state, step, signals, draw)
    const metrics = new Map(Object.entries(found.metrics))
    const adding =
      (values: ReadonlyMap<string, Tensor | undefined>) => (total: Tensor, name: string) =>
        op.add(total, values.get(name)!)
    return {
      sum: {
        gradients: mapTree(sum.gradients, isTensor, adding(joinAll(groups, found.gradients))),
        metrics: mapTree(sum.metrics, isTensor, adding(metrics)),
      },
    }
  })
  return withPrecision(graph, config)
}

function applyGraph(
  config: TrainConfig,
  groups: readonly ParameterGroup[],
  times: number,
  model?: ViTConfig,
): Graph {
  const inputs = {
    state: stateInputs(studentSpecs(config), scalesLoss(config)),
    sum: { ...sumInputs(config, groups), anchors: model && anchorsInput(config, model, true) },
  }
  return trace(`apply ${methodName(config.method)}`, inputs, ({ state, sum }, tracer) => {
    const mean = (total: Tensor) => op.mul(total, 1 / times)
    const { correct, ...losses } = sum.metrics
    const gradients = flattenTree(mapTree(sum.gradients, isTensor, mean), isTensor)
    const metrics = { ...mapTree(losses, isTensor, mean), correct }
    const zero = tracer.constant(hostScalar(0))
    const next = tracer.part('optimizer', () => optimize(config, state, groups, gradients, metrics))
    return {
      ...next,
      sum: mapTree(sum, isTensor, ({ shape }) => op.broadcastTo(zero, shape)),
    }
  })
}
