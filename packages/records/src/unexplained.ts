// Whether the plan for the runtime explains a measured peak of memory, in both directions, and what is said if not.
import { formatBytes } from './analysis/format.js'
import type { BenchRecord } from './schema.js'

/** Factor and bytes by which a peak may differ from its plan: losses of an allocator, memory of a compiled step. */
const TOLERANCE = { factor: 1.15, bytes: 10 * 2 ** 20 }

type Memory = NonNullable<BenchRecord['memory']>

/**
 * Returns how far a measured peak over the baseline lies beyond the tolerance around its plan: positive above it,
 * negative below it, 0 inside. A peak far below its plan means that the baseline held memory which the step used again.
 */
export function unexplainedBytes(
  { peakRssBytes, baselineRssBytes }: Pick<Memory, 'peakRssBytes' | 'baselineRssBytes'>,
  plannedBytes: number,
): number {
  const measured = peakRssBytes - baselineRssBytes
  const most = TOLERANCE.factor * plannedBytes + TOLERANCE.bytes
  const least = plannedBytes / TOLERANCE.factor - TOLERANCE.bytes
  return Math.round(Math.max(measured - most, 0) + Math.min(measured - least, 0))
}

/** Returns a sentence for a record whose peak is not explained, else undefined. */
export function unexplainedSentence({ memory, cost }: BenchRecord): string | undefined {
  const planned = cost?.planned?.runtimePeakBytes
  if (!memory?.unexplainedBytes || planned === undefined) return undefined
  const measured = memory.peakRssBytes - memory.baselineRssBytes
  const side = memory.unexplainedBytes > 0 ? 'above' : 'below'
  return `The peak of memory lies far ${side} its plan, which does not explain it: ${formatBytes(planned)} were planned for this runtime, ${formatBytes(measured)} measured over the baseline.`
}
