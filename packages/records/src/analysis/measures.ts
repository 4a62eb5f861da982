// The quantities of a record, each with one name, its unit and its direction. Resident and peak, planned and measured,
// host and device are separate measures and are never mixed.
import type { BenchRecord } from '../schema.js'
import {
  formatBytes,
  formatFlops,
  formatJoules,
  formatPercent,
  formatRate,
  formatSeconds,
} from './format.js'
import { binomialError, type Interval } from './statistics.js'

export interface Measure {
  readonly id: string
  /** Whole name of the quantity, with what is measured. */
  readonly label: string
  /** Column heading. */
  readonly short: string
  /** Unit of the bare number, for CSV headings and axes. */
  readonly unit: string
  readonly better: 'lower' | 'higher'
  /** True for quantities of the graph: they are the same in every run and have no interval. */
  readonly exact?: true
  /** True if runs of one seed give the same value, so that repeating a seed adds no evidence. */
  readonly bySeed?: true
  readonly of: (record: BenchRecord) => number | undefined
  /** Returns the 95 % interval over the steps of one run. */
  readonly within?: (record: BenchRecord) => Interval | undefined
  /** Returns the standard error that comes from testing on a sample of images. */
  readonly samplingError?: (record: BenchRecord) => number
  readonly format: (value: number) => string
}

export const stepSeconds: Measure = {
  id: 'stepSeconds',
  label: 'time of a training step (median of a run)',
  short: 'Step',
  unit: 's',
  better: 'lower',
  of: ({ time }) => time?.medianSeconds,
  within: ({ time }) => time?.interval95Seconds,
  format: formatSeconds,
}

export const imagesPerSecond: Measure = {
  id: 'imagesPerSecond',
  label: 'training throughput',
  short: 'Images/s',
  unit: 'images/s',
  better: 'higher',
  of: ({ time }) => time?.imagesPerSecond,
  within: ({ time, trial }) => {
    if (time === undefined || time.interval95Seconds[0] <= 0) return undefined
    return [trial.batch / time.interval95Seconds[1], trial.batch / time.interval95Seconds[0]]
  },
  format: formatRate,
}

/** Optimizer steps of one epoch. */
export function stepsPerEpoch({ trial }: BenchRecord): number {
  return Math.ceil(trial.dataset.trainSize / trial.batch)
}

/** True if an epoch was run and its time was measured, loading of the data included. */
export function hasMeasuredEpoch({ time }: BenchRecord): boolean {
  return time?.epochSeconds !== undefined && time.epochExtrapolated !== true
}

export const epochSeconds: Measure = {
  id: 'epochSeconds',
  label: 'time of an epoch as it ran, without evaluation',
  short: 'Epoch',
  unit: 's',
  better: 'lower',
  of: (record) => (hasMeasuredEpoch(record) ? record.time!.epochSeconds : undefined),
  format: formatSeconds,
}

export const extrapolatedEpochSeconds: Measure = {
  id: 'extrapolatedEpochSeconds',
  label: 'time of an epoch, extrapolated: the median step times the steps of an epoch',
  short: 'Epoch, extrapolated',
  unit: 's',
  better: 'lower',
  of: (record) => record.time && record.time.medianSeconds * stepsPerEpoch(record),
  within: (record) => {
    const interval = record.time?.interval95Seconds
    const steps = stepsPerEpoch(record)
    return interval && [interval[0] * steps, interval[1] * steps]
  },
  format: formatSeconds,
}

export const joulesPerStep: Measure = {
  id: 'joulesPerStep',
  label: 'energy of a step, of the whole device',
  short: 'Energy/step',
  unit: 'J',
  better: 'lower',
  of: ({ energy }) => energy?.joulesPerStep,
  format: formatJoules,
}

export const hostPeakBytes: Measure = {
  id: 'hostPeakBytes',
  label: 'measured peak of host memory, over the baseline',
  short: 'Peak, host',
  unit: 'bytes',
  better: 'lower',
  of: ({ memory }) => memory && positive(memory.peakRssBytes - memory.baselineRssBytes),
  format: formatBytes,
}

export const hostResidentBytes: Measure = {
  id: 'hostResidentBytes',
  label: 'measured resident host memory, over the baseline',
  short: 'Resident, host',
  unit: 'bytes',
  better: 'lower',
  of: ({ memory }) =>
    memory?.residentRssBytes === undefined
      ? undefined
      : positive(memory.residentRssBytes - memory.baselineRssBytes),
  format: formatBytes,
}

export const devicePeakBytes: Measure = {
  id: 'devicePeakBytes',
  label: 'measured peak of device memory',
  short: 'Peak, device',
  unit: 'bytes',
  better: 'lower',
  of: ({ memory }) => memory?.devicePeakBytes,
  format: formatBytes,
}

export const deviceResidentBytes: Measure = {
  id: 'deviceResidentBytes',
  label: 'measured resident device memory',
  short: 'Resident, device',
  unit: 'bytes',
  better: 'lower',
  of: ({ memory }) => memory?.deviceResidentBytes,
  format: formatBytes,
}

/** Returns the cost of a step; undefined if it leaves out a teacher that ran beside the graph. */
const wholeCost = ({ cost }: BenchRecord): BenchRecord['cost'] =>
  cost?.withoutTeacher ? undefined : cost

export const plannedPeakBytes: Measure = {
  id: 'plannedPeakBytes',
  label: 'planned peak memory, from the graph',
  short: 'Peak, planned',
  unit: 'bytes',
  better: 'lower',
  exact: true,
  of: (record) => wholeCost(record)?.planned?.peakBytes,
  format: formatBytes,
}

export const plannedResidentBytes: Measure = {
  id: 'plannedResidentBytes',
  label: 'planned resident memory, from the graph',
  short: 'Resident, planned',
  unit: 'bytes',
  better: 'lower',
  exact: true,
  of: (record) => wholeCost(record)?.planned?.residentBytes,
  format: formatBytes,
}

export const stepFlops: Measure = {
  id: 'stepFlops',
  label: 'floating-point operations of a step, from the graph',
  short: 'FLOPs',
  unit: 'FLOP',
  better: 'lower',
  exact: true,
  of: (record) => wholeCost(record)?.stepFlops,
  format: formatFlops,
}

export const rooflineShare: Measure = {
  id: 'rooflineShare',
  label: "share of the same process's matrix-product rate",
  short: 'Roofline',
  unit: 'share',
  better: 'higher',
  of: ({ roofline }) => roofline?.share,
  format: formatPercent,
}

export const accuracy: Measure = {
  id: 'accuracy',
  label: 'test accuracy',
  short: 'Accuracy',
  unit: 'share',
  better: 'higher',
  bySeed: true,
  of: ({ accuracy, costOnly }) => (costOnly ? undefined : accuracy),
  samplingError: ({ accuracy, trial }) =>
    accuracy === undefined || trial.dataset.testSize === 0
      ? 0
      : binomialError(accuracy, trial.dataset.testSize),
  format: formatPercent,
}

const embeddingMeasure = (
  rest: Pick<Measure, 'id' | 'label' | 'short'>,
  name: 'knn' | 'linearProbe',
): Measure => ({
  ...rest,
  unit: 'share',
  better: 'higher',
  bySeed: true,
  of: ({ embeddingAccuracy }) => embeddingAccuracy?.[name],
  samplingError: ({ embeddingAccuracy, trial }) =>
    embeddingAccuracy === undefined || trial.dataset.testSize === 0
      ? 0
      : binomialError(embeddingAccuracy[name], trial.dataset.testSize),
  format: formatPercent,
})

export const knnAccuracy = embeddingMeasure(
  { id: 'knnAccuracy', label: 'test accuracy of k nearest neighbours', short: 'k-NN' },
  'knn',
)

export const linearProbeAccuracy = embeddingMeasure(
  {
    id: 'linearProbeAccuracy',
    label: 'test accuracy of a linear probe on the embeddings',
    short: 'Linear probe',
  },
  'linearProbe',
)

/** All measures, in the order of the table's columns. */
export const MEASURES: readonly Measure[] = [
  stepSeconds,
  imagesPerSecond,
  epochSeconds,
  extrapolatedEpochSeconds,
  hostPeakBytes,
  devicePeakBytes,
  plannedPeakBytes,
  hostResidentBytes,
  deviceResidentBytes,
  plannedResidentBytes,
  accuracy,
  knnAccuracy,
  linearProbeAccuracy,
  stepFlops,
  rooflineShare,
  joulesPerStep,
]

function positive(value: number): number | undefined {
  return value > 0 ? value : undefined
}
