// The work and the memory of a trial, computed from its graphs before it runs and the same on every machine. The seconds that
// the work takes depend on the machine and are an estimate.
import {
  cost,
  embedGraph,
  evalGraph,
  isComposite,
  lower,
  opNames,
  planTogether,
  stepGraphs,
  type Graph,
  type ImageShape,
  type TrainConfig,
} from '@embed-kd/core'

import {
  evaluatedEpochs,
  runsBeside,
  totalStepsOf,
  trainConfigOf,
  type DataFacts,
  type TrialConfig,
} from '../trial/config.js'
import type { TeacherFacts, TeacherTraining } from '@embed-kd/distill/node'

/** Work of one run of a graph. */
export interface Work {
  readonly flops: number
  readonly bytes: number
  readonly nodes: number
}

export interface WorkPart {
  readonly work: Work
  readonly times: number
}

export interface TrialWork {
  readonly parts: readonly WorkPart[]
  /** Floating-point operations of all parts. */
  readonly flops: number
  /** Planned peak memory of a training step. */
  readonly peakBytes: number
}

/** Approximate batch of evaluation and embedding. */
const FORWARD_BATCH = 100
/** Steps of warm-up and timing before the training, as in run-trial.ts. */
const TIMED_STEPS = 30

/** Returns the graph that a backend with an operator for each composite executes: which backend will run is not known here. */
const whole = (graph: Graph): Graph => lower(graph, { composites: opNames.filter(isComposite) })
/** Whether a backend writes new state over the old one is not known either. If it does, the plan is too large by the state. */
const MEMORY = { reusesDonated: false }

const workOf = (graph: Graph): Work => {
  const { flops, bytes } = cost(graph)
  return { flops, bytes, nodes: graph.nodes.length }
}

export function trialWork(config: TrialConfig, data: DataFacts, evaluated: number): TrialWork {
  const trainConfig = trainConfigOf(config, data)
  const graphs = stepGraphs(trainConfig).map(({ graph, times }) => ({ graph: whole(graph), times }))
  const trained = totalStepsOf(config, data.trainImages)
  const steps = trained + (config.steps === undefined ? TIMED_STEPS : 0)
  const parts = graphs.map(({ graph, times }) => ({ work: workOf(graph), times: times * steps }))
  if (config.steps === undefined) {
    const work = workOf(evaluationGraph(trainConfig.student, data.images))
    const evaluations = evaluatedEpochs(config, data.trainImages, evaluated).length
    parts.push({ work, times: (evaluations * evaluated) / FORWARD_BATCH })
  }
  if (runsBeside(config)) parts.push(...embedWork(data, steps * config.batch))
  return {
    parts,
    flops: parts.reduce((sum, { work, times }) => sum + work.flops * times, 0),
    peakBytes: planTogether(
      graphs.map(({ graph }) => graph),
      MEMORY,
    ).peakBytes,
  }
}

/** Returns the graph that evaluates a student: as a classifier, or its embeddings if it has no classifier. */
const evaluationGraph = (student: TrainConfig['student'], images: ImageShape): Graph =>
  'classes' in student
    ? evalGraph(student, FORWARD_BATCH, images)
    : embedGraph(student, FORWARD_BATCH, images)

/** Returns the work of training a teacher on the whole training split. */
export function teacherWork(
  { epochs, batch }: TeacherTraining,
  data: DataFacts,
): readonly WorkPart[] {
  const forward = workOf(embedGraph(data.teacher!.model!, batch, data.images))
  // Backward passes do twice the work of forward ones, as every matrix product has two gradients.
  const work = { flops: 3 * forward.flops, bytes: 3 * forward.bytes, nodes: 3 * forward.nodes }
  return [{ work, times: (epochs * data.trainImages) / batch }]
}

/** Returns the work of embedding so many images with the teacher. */
export function embedWork({ teacher, images: shape }: DataFacts, images: number): WorkPart[] {
  const { model } = teacher!
  const work = model
    ? workOf(embedGraph(model, FORWARD_BATCH, shape))
    : encoderWork(teacher!, shape.size)
  return [{ work, times: images / FORWARD_BATCH }]
}

/** Side in pixels of the places of an image at which a model typically uses each of its weights once. */
const TYPICAL_PATCH = 16

/** Returns a guess at the work of a model whose graph is not known here. */
function encoderWork({ parameterCount = 0, imageSize, patch }: TeacherFacts, size: number): Work {
  const places = ((imageSize ?? size) / (patch ?? TYPICAL_PATCH)) ** 2
  const flops = 2 * FORWARD_BATCH * parameterCount * Math.max(places, 1)
  return { flops, bytes: 4 * parameterCount, nodes: 0 }
}

/** Share of the roofline that large matrix products reach, and the expense of memory and runtime: rough figures of CPUs. */
const GEMM_SHARE = 0.8
const BYTES_PER_SECOND = 15e9
const SECONDS_PER_NODE = 5e-6
/** Time in which a process starts, loads runtime and data, and measures the roofline twice. */
const SECONDS_PER_JOB = 3

/** Returns a rough estimate, which progress corrects by the time that finished work took. */
export const estimateSeconds = (parts: readonly WorkPart[], gemmFlopsPerSecond: number): number =>
  parts.reduce(
    (sum, { work: { flops, bytes, nodes }, times }) =>
      sum +
      times *
        (flops / (GEMM_SHARE * gemmFlopsPerSecond) +
          bytes / BYTES_PER_SECOND +
          nodes * SECONDS_PER_NODE),
    SECONDS_PER_JOB,
  )
