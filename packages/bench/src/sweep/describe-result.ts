// The result of a trial in a few words, for progress on a terminal.
import type { BenchRecord } from '@embed-kd/records'
import { formatBytes, formatSeconds, formatShare } from '@embed-kd/records/terminal'

/** Returns the result of a trial: `accuracy 97.1 %, 11.4 ms a step, …`, or why it has none. */
export function describeResult(record: BenchRecord): string {
  const { status, reason, time, memory, accuracy, checkpoint, costOnly, trial } = record
  const embeddings = record.embeddingAccuracy
  if (status !== 'ok') return `${status}: ${reason}`
  const added = memory && formatBytes(Math.max(memory.peakRssBytes - memory.baselineRssBytes, 0))
  return [
    ...(accuracy === undefined ? [] : [`accuracy ${formatShare(accuracy)}`]),
    ...(embeddings
      ? [
          `k-NN ${formatShare(embeddings.knn)}`,
          `linear probe ${formatShare(embeddings.linearProbe)}`,
        ]
      : []),
    ...(trial.purpose === 'search' && checkpoint
      ? [`accuracy on held-out images ${formatShare(checkpoint.accuracy)}`]
      : []),
    ...(time
      ? [
          `${formatSeconds(time.medianSeconds)} a step`,
          `${time.imagesPerSecond.toFixed(0)} images/s`,
        ]
      : []),
    ...(added === undefined ? [] : [`peak ${added} over the runtime's`]),
    ...(memory?.unexplainedBytes === undefined
      ? []
      : [`${memory.unexplainedBytes > 0 ? 'more' : 'less'} than the plan explains`]),
    ...(costOnly ? ['cost only'] : []),
  ].join(', ')
}
