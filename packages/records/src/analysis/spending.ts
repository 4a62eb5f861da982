// The seconds that a student's accuracy costs: its training, in which a live teacher runs, and the one-time run of the
// teacher that makes stored embeddings. The training of the teacher itself is not counted.
import type { BenchRecord } from '../schema.js'
import { type Measure, stepsPerEpoch } from './measures.js'
import { formatSeconds } from './format.js'

/** Returns the epochs that a trial trains; undefined if it trains a few steps alone. */
function epochsOf({ trial }: BenchRecord): number | undefined {
  const { epochs, imagesSeen, dataset } = trial
  return epochs ?? (imagesSeen === undefined ? undefined : imagesSeen / dataset.trainSize)
}

/** Returns the seconds of an epoch as they were measured, or else from the median step. */
export function secondsPerEpoch(record: BenchRecord): number | undefined {
  const { time } = record
  return time && (time.epochSeconds ?? time.medianSeconds * stepsPerEpoch(record))
}

export const trainingSeconds: Measure = {
  id: 'trainingSeconds',
  label: 'time to train, without evaluation',
  short: 'Training',
  unit: 's',
  better: 'lower',
  of: (record) => {
    const epochs = epochsOf(record)
    const seconds = secondsPerEpoch(record)
    return epochs === undefined || seconds === undefined ? undefined : epochs * seconds
  },
  format: formatSeconds,
}

export const spentSeconds: Measure = {
  id: 'spentSeconds',
  label: 'time to train, and to make the embeddings once',
  short: 'Training and embeddings',
  unit: 's',
  better: 'lower',
  of: (record) => {
    const training = trainingSeconds.of(record)
    return training === undefined ? undefined : training + embeddingSeconds(record)
  },
  format: formatSeconds,
}

/** Returns the seconds that the teacher ran once to make the embeddings; 0 if the method stores none. */
export const embeddingSeconds = ({ embeddings }: BenchRecord): number => embeddings?.seconds ?? 0

/** Returns the test accuracy after each epoch, by the seconds spent until then. */
export function accuracyBySeconds(record: BenchRecord): (readonly [number, number])[] {
  const epochSeconds = secondsPerEpoch(record)
  if (record.costOnly || epochSeconds === undefined) return []
  const start = embeddingSeconds(record)
  return (record.curves?.epochs ?? []).flatMap(({ epoch, testAccuracy }) =>
    testAccuracy === undefined ? [] : [[start + epoch * epochSeconds, testAccuracy] as const],
  )
}

/** Returns the accuracy after the last epoch that ended within so many seconds; undefined if none did. */
export function accuracyWithin(
  curve: readonly (readonly [number, number])[],
  seconds: number,
): number | undefined {
  const reached = curve.filter(([spent]) => spent <= seconds * (1 + 1e-9))
  return reached.at(-1)?.[1]
}
