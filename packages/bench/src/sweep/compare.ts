// Compares two records of one trial: values that must be equal, values that must be close, and values that depend on the machine.
import type { BenchRecord } from '@embed-kd/records'

import { formatBytes, formatSeconds, formatShare } from '@embed-kd/records/terminal'

export interface Comparison {
  readonly what: string
  readonly before: string
  readonly after: string
  /** Whether the value is reproduced; absent if the value depends on the machine and is only shown. */
  readonly agrees?: boolean
}

/** Steps whose losses must agree. Later losses drift apart if floating-point sums are in another order. */
const FIRST_STEPS = 3
const LOSS_TOLERANCE = 1e-3
/** Two binomial standard deviations of 10,000 test images at 97 %, and an allowance for that drift. */
const ACCURACY_TOLERANCE = 0.01

export function compareRecords(before: BenchRecord, after: BenchRecord): Comparison[] {
  const rows: Comparison[] = []
  const same = (what: string, a: string | undefined, b: string | undefined) => {
    if (a !== undefined) rows.push({ what, before: a, after: b ?? 'none', agrees: a === b })
  }
  const shown = (what: string, a: string | undefined, b: string | undefined) => {
    if (a !== undefined && b !== undefined) rows.push({ what, before: a, after: b })
  }
  const close = (
    what: string,
    a: number | undefined,
    b: number | undefined,
    tolerance: number,
    format: (value: number) => string,
  ) => {
    if (a === undefined) return
    const agrees = b !== undefined && Math.abs(a - b) <= tolerance
    rows.push({ what, before: format(a), after: b === undefined ? 'none' : format(b), agrees })
  }
  same('identity', before.id, after.id)
  same('status', before.status, after.status)
  same('data', before.trial.dataset.digest, after.trial.dataset.digest)
  same('graph', before.graph?.digest, after.graph?.digest)
  shown('teacher', before.trial.teacher?.digest, after.trial.teacher?.digest)
  for (let i = 0; i < FIRST_STEPS; i++) {
    const loss = before.curves?.loss[i]
    if (loss)
      close(
        `loss at step ${loss[0]}`,
        loss[1],
        after.curves?.loss[i]?.[1],
        LOSS_TOLERANCE * Math.abs(loss[1]),
        (value) => value.toFixed(6),
      )
  }
  close('accuracy', before.accuracy, after.accuracy, ACCURACY_TOLERANCE, formatShare)
  if (before.trial.purpose === 'search')
    close('held-out accuracy', heldOut(before), heldOut(after), ACCURACY_TOLERANCE, formatShare)
  shown(
    'step',
    before.time && formatSeconds(before.time.medianSeconds),
    after.time && formatSeconds(after.time.medianSeconds),
  )
  shown('peak over the runtime’s', peakOf(before), peakOf(after))
  shown('processor', before.environment.cpuModel, after.environment.cpuModel)
  return rows
}

const heldOut = ({ checkpoint }: BenchRecord): number | undefined => checkpoint?.accuracy

const peakOf = ({ memory }: BenchRecord): string | undefined =>
  memory && formatBytes(Math.max(memory.peakRssBytes - memory.baselineRssBytes, 0))
