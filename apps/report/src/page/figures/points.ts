// Points of a figure: the mean and interval of a measure for one configuration each. Also chooses the memory measure and
// the teachers that a figure shows.
import {
  type Configuration,
  counted,
  devicePeakBytes,
  finished,
  hostPeakBytes,
  intervalOf,
  type Measure,
  summaryOf,
  teacherName,
} from '@embed-kd/records'

export interface Point {
  readonly configuration: Configuration
  readonly method: Configuration['method']
  readonly teacher: string
  readonly value: number
  readonly low: number
  readonly high: number
  readonly n: number
}

export function pointOf(configuration: Configuration, measure: Measure): Point[] {
  const summary = summaryOf(configuration, measure)
  if (summary === undefined) return []
  const [low, high] = intervalOf(configuration, measure) ?? [summary.mean, summary.mean]
  const { method, trial } = configuration
  return [
    {
      configuration,
      method,
      teacher: teacherName(trial),
      value: summary.mean,
      low: Math.max(low, 0),
      high,
      n: summary.n,
    },
  ]
}

/** Returns peak device memory as the measure if every finished configuration has it, else peak host memory. Panels never mix both. */
export function peakMeasure(configurations: readonly Configuration[]): Measure {
  const measured = configurations.filter((item) => finished(item).length > 0)
  return measured.length > 0 && measured.every((item) => summaryOf(item, devicePeakBytes))
    ? devicePeakBytes
    : hostPeakBytes
}

/** Returns the heading of a panel that shows the measure chosen by `peakMeasure`, in MB. */
export function peakTitle(configurations: readonly Configuration[]): string {
  return peakMeasure(configurations) === devicePeakBytes
    ? 'Peak device memory (MB)'
    : 'Peak memory over baseline (MB)'
}

export function describeRuns(points: readonly Point[]): string {
  const counts = [...new Set(points.map(({ n }) => n))].sort((a, b) => a - b)
  if (counts.length === 0) return ''
  const runs =
    counts.length === 1 ? counted(counts[0]!, 'run') : `${counts[0]}–${counts.at(-1)} runs`
  return counts[0] === 1 && counts.length === 1
    ? 'One run a configuration: bars are intervals over its steps, or over test images for accuracy.'
    : `Means over ${runs} with 95 % intervals.`
}

/** Returns the names of at most `most` teachers: those with the most parameters, in ascending order of size. */
export function largestTeachers(items: readonly Configuration[], most: number): string[] {
  const sizes = new Map<string, number>()
  for (const { trial } of items) {
    const { teacher } = trial
    if (teacher !== undefined) sizes.set(teacher.name, teacher.parameterCount ?? 0)
  }
  return [...sizes]
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([name]) => name)
    .reverse()
}
