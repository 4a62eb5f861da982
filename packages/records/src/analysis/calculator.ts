// Predicts the cost of another teacher on a machine that was measured: FLOPs and memory come from core's cost model, and the
// records of one scope calibrate them to seconds and bytes. The error of the calibration is part of every answer.
import {
  cost,
  embeddingWidth,
  embedGraph,
  type Graph,
  isComposite,
  lower,
  opNames,
  planTogether,
  presets,
  publishedViT,
  scheduleOf,
  stepGraphs,
  type TrainConfig,
  vitShapes,
  methods,
} from '@embed-kd/core'

import type { Trial } from '../axes.js'
import { summaryOf } from './compare.js'
import type { Configuration } from './corpus.js'
import { devicePeakBytes, hostPeakBytes, plannedPeakBytes, stepSeconds } from './measures.js'
import { PAPER_METHODS } from './paper.js'
import { median } from './statistics.js'

/** Names of the teachers whose published shapes core knows. */
export const TEACHER_SHAPES: readonly string[] = Object.keys(vitShapes).flatMap((shape) =>
  [16, 32].map((patch) => `${shape}-${patch}`),
)

export const CALCULATED = [PAPER_METHODS.replaced, PAPER_METHODS.proposed] as const
type Calculated = (typeof CALCULATED)[number]

/** A teacher of which only its size is known. */
export interface OwnTeacher {
  readonly parameters: number
  /** Floating-point operations of one image's forward pass; a multiply-add counts as two. */
  readonly flopsPerImage: number
}

export interface WhatIf {
  /** Name of a published shape, or the size of another teacher. */
  readonly teacher: string | OwnTeacher
  /** Speed of the reader's device, in multiples of the machine that the records come from (default: 1). */
  readonly speed?: number
  readonly batch: number
  readonly epochs: number
  /** Images of the training split. */
  readonly images: number
}

export interface Prediction {
  readonly stepSeconds: number
  readonly epochSeconds: number
  readonly totalSeconds: number
  readonly peakBytes: number
}

export interface Predicted {
  readonly methods: Readonly<Record<Calculated, Prediction>>
  /** Running the teacher once over the images of the centroids. */
  readonly embeddingSeconds: number
  readonly embeddingImages: number
  /** Epochs after which the embeddings have paid; absent if they never do. */
  readonly breakEvenEpochs?: number
}

/** A trial that was measured, held against what the others would have predicted for it. */
export interface CheckedTrial {
  readonly configuration: Configuration
  readonly measuredSeconds: number
  readonly predictedSeconds: number
  readonly measuredBytes?: number
  readonly predictedBytes?: number
}

export interface Calculator {
  readonly predict: (question: WhatIf) => Predicted
  readonly checked: readonly CheckedTrial[]
  /** Median and largest factor by which predictions are off, each configuration left out of its own calibration. */
  readonly timeError: ErrorFactors
  readonly memoryError?: ErrorFactors
}

export interface ErrorFactors {
  readonly median: number
  readonly largest: number
}

/** Most configurations that are predicted from the others, evenly spread over all. */
const MOST_CHECKED = 60

/** Returns a calculator for the machine and student of these configurations; a text that says why if there are too few. */
export function calculatorOf(configurations: readonly Configuration[]): Calculator | string {
  const samples = configurations.flatMap((item) => sampleOf(item) ?? [])
  const model = configurations.find(({ method }) => method === PAPER_METHODS.proposed)?.trial
  const teachers = new Set(
    samples.flatMap(({ teacherFlops }) => (teacherFlops > 0 ? teacherFlops : [])),
  )
  if (model === undefined || samples.length < 4 || teachers.size < 2) {
    return 'A prediction needs four timed configurations of one machine and student, with a live teacher in two sizes or batches.'
  }
  const every = Math.ceil(samples.length / MOST_CHECKED)
  const checked = samples.flatMap((sample, at) =>
    at % every === 0
      ? check(
          sample,
          samples.filter((_, other) => other !== at),
        )
      : [],
  )
  const calibration = calibrate(samples)
  const memory = checked.flatMap(({ measuredBytes, predictedBytes }) =>
    measuredBytes === undefined || predictedBytes === undefined
      ? []
      : factor(measuredBytes, predictedBytes),
  )
  return {
    predict: (question) => predict(question, model, calibration),
    checked,
    timeError: factors(checked.map((item) => factor(item.measuredSeconds, item.predictedSeconds))),
    ...(memory.length > 0 && { memoryError: factors(memory) }),
  }
}

interface Sample {
  readonly configuration: Configuration
  readonly studentFlops: number
  readonly teacherFlops: number
  readonly seconds: number
  readonly plannedBytes?: number
  readonly bytes?: number
}

function sampleOf(configuration: Configuration): Sample | undefined {
  const seconds = summaryOf(configuration, stepSeconds)?.mean
  const planned = configuration.runs.find(({ cost }) => cost !== undefined)?.cost
  if (seconds === undefined || planned === undefined || planned.withoutTeacher) return undefined
  const { stepFlops, teacherFlops = 0 } = planned
  const bytes = (
    summaryOf(configuration, devicePeakBytes) ?? summaryOf(configuration, hostPeakBytes)
  )?.mean
  const plannedBytes = summaryOf(configuration, plannedPeakBytes)?.mean
  return {
    configuration,
    studentFlops: stepFlops - teacherFlops,
    teacherFlops,
    seconds,
    ...(plannedBytes !== undefined && { plannedBytes }),
    ...(bytes !== undefined && { bytes }),
  }
}

interface Calibration {
  /** Seconds of a step: fixed, per FLOP of the student's part, per FLOP of the teacher. */
  readonly time: readonly number[]
  /** Bytes of the peak: fixed, per planned byte. */
  readonly memory: readonly number[]
}

function calibrate(samples: readonly Sample[]): Calibration {
  return {
    time: fit(
      samples.map(({ studentFlops, teacherFlops }) => [1, studentFlops, teacherFlops]),
      samples.map(({ seconds }) => seconds),
    ),
    memory: fit(
      samples.flatMap(({ plannedBytes, bytes }) =>
        plannedBytes && bytes ? [[1, plannedBytes]] : [],
      ),
      samples.flatMap(({ plannedBytes, bytes }) => (plannedBytes && bytes ? bytes : [])),
    ),
  }
}

const MOST_ROUNDS = 2000

/**
 * Fits non-negative coefficients by least squares of relative errors, one coefficient at a time until they stand still:
 * a fixed cost or a rate below zero would predict nonsense outside the measured range.
 */
function fit(rows: readonly (readonly number[])[], values: readonly number[]): number[] {
  const width = rows[0]?.length ?? 0
  // Columns differ by ten orders of magnitude: each is scaled to a mean of 1.
  const scales = Array.from({ length: width }, (_, at) => {
    const sum = rows.reduce((total, row) => total + row[at]!, 0)
    return sum > 0 ? sum / rows.length : 1
  })
  const scaled = rows.map((row, at) =>
    row.map((value, column) => value / scales[column]! / values[at]!),
  )
  const found = new Array<number>(width).fill(0)
  for (let round = 0; round < MOST_ROUNDS; round++) {
    let moved = 0
    for (let column = 0; column < width; column++) {
      let above = 0
      let below = 0
      for (const row of scaled) {
        const others = row.reduce(
          (sum, value, at) => (at === column ? sum : sum + value * found[at]!),
          0,
        )
        above += row[column]! * (1 - others)
        below += row[column]! ** 2
      }
      const value = below > 0 ? Math.max(0, above / below) : 0
      moved = Math.max(moved, Math.abs(value - found[column]!))
      found[column] = value
    }
    if (moved < 1e-9) break
  }
  return found.map((value, at) => value / scales[at]!)
}

const dot = (weights: readonly number[], row: readonly number[]): number =>
  row.reduce((sum, value, at) => sum + value * (weights[at] ?? 0), 0)

function check(sample: Sample, others: readonly Sample[]): CheckedTrial {
  const { time, memory } = calibrate(others)
  const { configuration, studentFlops, teacherFlops, seconds, plannedBytes, bytes } = sample
  return {
    configuration,
    measuredSeconds: seconds,
    predictedSeconds: dot(time, [1, studentFlops, teacherFlops]),
    ...(bytes !== undefined &&
      plannedBytes !== undefined && {
        measuredBytes: bytes,
        predictedBytes: dot(memory, [1, plannedBytes]),
      }),
  }
}

const factor = (measured: number, predicted: number): number =>
  Math.max(measured / predicted, predicted / measured)

const factors = (items: readonly number[]): ErrorFactors => ({
  median: median(items),
  largest: Math.max(...items),
})

function predict(question: WhatIf, trial: Trial, { time, memory }: Calibration): Predicted {
  const { epochs, images, batch, speed = 1 } = question
  const steps = Math.ceil(images / batch)
  const perFlop = dot(time, [0, 0, 1]) / speed
  const embeddingImages = (trial.centroidImages ?? 100) * trial.dataset.classes
  const embeddingSeconds = (embeddingImages / batch) * teacherCost(question, trial) * perFlop
  const of = (method: Calculated): Prediction => {
    const { studentFlops, teacherFlops, peakBytes } = workOf(method, question, trial)
    const stepSeconds = dot(time, [1, studentFlops, teacherFlops]) / speed
    const once = isLive(method) ? 0 : embeddingSeconds
    return {
      stepSeconds,
      epochSeconds: stepSeconds * steps,
      totalSeconds: once + stepSeconds * steps * epochs,
      peakBytes: dot(memory, [1, peakBytes]),
    }
  }
  const methods = { 'teacher-kd': of('teacher-kd'), 'embed-kd': of('embed-kd') }
  const saved = methods['teacher-kd'].epochSeconds - methods['embed-kd'].epochSeconds
  return {
    methods,
    embeddingSeconds,
    embeddingImages,
    ...(saved > 0 && { breakEvenEpochs: embeddingSeconds / saved }),
  }
}

/** Returns the graph that runs if every composite is one operator, as a sweep's plan counts it. */
const whole = (graph: Graph): Graph => lower(graph, { composites: opNames.filter(isComposite) })

const imagesOf = ({ student }: Trial) => ({ channels: 3, size: student.imageSize })

const isLive = (method: Calculated): boolean => methods[method].teacher === 'live'

interface Work {
  readonly studentFlops: number
  readonly teacherFlops: number
  readonly peakBytes: number
}

function workOf(method: Calculated, question: WhatIf, trial: Trial): Work {
  const { teacher, batch } = question
  if (typeof teacher !== 'string' && isLive(method)) {
    // No graph is known: the student's part is that of stored embeddings, and the teacher keeps its weights in memory.
    const student = workOf(PAPER_METHODS.proposed, question, trial)
    return {
      studentFlops: student.studentFlops,
      teacherFlops: teacher.flopsPerImage * batch,
      peakBytes: student.peakBytes + 4 * teacher.parameters,
    }
  }
  const parts = stepGraphs(configOf(method, question, trial)).map(({ graph, times }) => ({
    graph: whole(graph),
    times,
  }))
  const flops = parts.reduce((sum, { graph, times }) => sum + cost(graph).flops * times, 0)
  const teacherFlops = isLive(method) ? teacherCost(question, trial) : 0
  const graphs = parts.map(({ graph }) => graph)
  const { peakBytes } = planTogether(graphs, { reusesDonated: false })
  return { studentFlops: flops - teacherFlops, teacherFlops, peakBytes }
}

function teacherCost({ teacher, batch }: WhatIf, trial: Trial): number {
  if (typeof teacher !== 'string') return teacher.flopsPerImage * batch
  return cost(whole(embedGraph(publishedViT(teacher)!, batch, imagesOf(trial)))).flops
}

function configOf(method: Calculated, { teacher, batch }: WhatIf, trial: Trial): TrainConfig {
  const { student, dataset, preset, learningRate, weightDecay, dropout } = trial
  const { imageSize, patch, width, layers, heads } = student
  const images = imagesOf(trial)
  return {
    method,
    student: {
      imageSize,
      patchSize: patch,
      channels: images.channels,
      width,
      layers,
      heads,
      classes: dataset.classes,
      activation: 'quickGelu',
      preNorm: true,
      epsilon: 1e-5,
      attentionDropout: dropout,
    },
    batch,
    images,
    teacher: teacherOf(method, teacher),
    settings: presets[preset],
    optimizer: { learningRate, weightDecay, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    schedule: scheduleOf(presets[preset], 1),
  }
}

/** Width of the embeddings of a teacher whose shape is unknown: that of ViT-B, which hardly changes the cost. */
const UNKNOWN_WIDTH = 768

function teacherOf(
  method: Calculated,
  teacher: WhatIf['teacher'],
): NonNullable<TrainConfig['teacher']> {
  if (typeof teacher !== 'string') return { kind: 'stored', width: UNKNOWN_WIDTH }
  const model = publishedViT(teacher)!
  return isLive(method) ? { kind: 'live', model } : { kind: 'stored', width: embeddingWidth(model) }
}
