// The `time` of a record, from the times of its steps. No sample is dropped: outliers are part of what was measured.
import { Random } from '@embed-kd/core'

import { median } from './analysis/statistics.js'

/** The quantile `q` from 0 to 1, interpolated linearly between samples (type 7 of Hyndman & Fan 1996, as NumPy). */
export function quantile(samples: readonly number[], q: number): number {
  if (samples.length === 0) throw new Error('a quantile needs at least one sample, got none')
  const sorted = samples.toSorted((a, b) => a - b)
  const position = q * (sorted.length - 1)
  const below = Math.floor(position)
  const low = sorted[below]!
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!
  return low + (high - low) * (position - below)
}

const RESAMPLES = 2000

/** The 95 % percentile bootstrap interval of the median (Efron & Tibshirani 1993, chapter 13), the same at each call. */
export function medianInterval95(samples: readonly number[]): [low: number, high: number] {
  const random = new Random(samples.length)
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(samples.map(() => samples[random.int(samples.length)]!)),
  )
  return [quantile(medians, 0.025), quantile(medians, 0.975)]
}

export interface StepTimes {
  /** Number of steps that ran before the first sample. */
  readonly warmupSteps: number
  readonly stepSeconds: number[]
}

/** Returns the statistics of a record's `time`. @param batch images of a step. */
export const summarizeTimes = ({ warmupSteps, stepSeconds }: StepTimes, batch: number) => {
  const medianSeconds = median(stepSeconds)
  return {
    warmupSteps,
    stepSeconds,
    medianSeconds,
    p95Seconds: quantile(stepSeconds, 0.95),
    interval95Seconds: medianInterval95(stepSeconds),
    imagesPerSecond: batch / medianSeconds,
  }
}
