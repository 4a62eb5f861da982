// Whether the plan for the runtime explains a measured peak of memory, and what is said if not.
import { formatBytes } from './analysis/format.js'
import type { BenchRecord } from './schema.js'

/** Share of the plan that an allocator may lose, and the memory of a compiled step beside its tensors. */
const TOLERANCE = { factor: 1.15, bytes: 10 * 2 ** 20 }

type Memory = NonNullable<BenchRecord['memory']>

/** Returns the part of a measured peak over the baseline that a plan does not explain; 0 if it explains all. */
export const unexplainedBytes = (
  { peakRssBytes, baselineRssBytes }: Pick<Memory, 'peakRssBytes' | 'baselineRssBytes'>,
  plannedBytes: number,
): number =>
  Math.max(
    Math.round(peakRssBytes - baselineRssBytes - TOLERANCE.factor * plannedBytes - TOLERANCE.bytes),
    0,
  )

/** Returns a sentence for a record whose peak is not explained, else undefined. */
export function unexplainedSentence({ memory, cost }: BenchRecord): string | undefined {
  const planned = cost?.planned?.runtimePeakBytes
  if (!memory?.unexplainedBytes || planned === undefined) return undefined
  const measured = formatBytes(memory.peakRssBytes - memory.baselineRssBytes)
  return `The plan does not explain the peak of memory: ${formatBytes(planned)} were planned for this runtime, ${measured} measured over the baseline.`
}
