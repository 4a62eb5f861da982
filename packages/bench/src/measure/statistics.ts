// Statistics of samples. No sample is ever dropped here: outliers are part of what was measured.
import { Random } from '@embed-kd/core'

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

export const median = (samples: readonly number[]): number => quantile(samples, 0.5)

const RESAMPLES = 2000

/** The 95 % percentile bootstrap interval of the median (Efron & Tibshirani 1993, chapter 13), the same at each call. */
export function medianInterval95(samples: readonly number[]): [low: number, high: number] {
  const random = new Random(samples.length)
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(samples.map(() => samples[random.int(samples.length)]!)),
  )
  return [quantile(medians, 0.025), quantile(medians, 0.975)]
}
