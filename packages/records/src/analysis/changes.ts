// Two sets of records held against each other: what became worse, what became better, and what one side lacks.
// Configurations are the same when everything but their seeds agrees, the machine included.
import type { BenchRecord } from '@embed-kd/records'
import { type Configuration, configurationsOf } from './corpus.js'
import {
  accuracy,
  devicePeakBytes,
  finished,
  hostPeakBytes,
  type Measure,
  plannedPeakBytes,
  ratioOf,
  stepSeconds,
} from './measures.js'
import { excludesOne, type Ratio } from './statistics.js'

export interface Change {
  readonly before: Configuration
  readonly after: Configuration
  /** Absent where the configuration changed between finishing and failing. */
  readonly figure?: { readonly measure: Measure; readonly ratio: Ratio }
  readonly verdict: 'worse' | 'better'
}

export interface Changes {
  /** Worst first. */
  readonly worse: readonly Change[]
  /** Best first. */
  readonly better: readonly Change[]
  readonly unchanged: number
  readonly onlyBefore: readonly Configuration[]
  readonly onlyAfter: readonly Configuration[]
}

const COMPARED = [stepSeconds, hostPeakBytes, devicePeakBytes, plannedPeakBytes, accuracy]

/** A single run has no spread to judge by; smaller differences than this are taken for chance there. */
export const SINGLE_RUN_THRESHOLD = 0.05

export function changesBetween(
  before: readonly BenchRecord[],
  after: readonly BenchRecord[],
): Changes {
  const older = new Map(configurationsOf(before).map((item) => [item.key, item]))
  const worse: Change[] = []
  const better: Change[] = []
  const onlyAfter: Configuration[] = []
  let unchanged = 0
  for (const configuration of configurationsOf(after)) {
    const elder = older.get(configuration.key)
    if (elder === undefined) {
      onlyAfter.push(configuration)
      continue
    }
    older.delete(configuration.key)
    const found = compare(elder, configuration)
    if (found.length === 0) unchanged += 1
    for (const change of found) (change.verdict === 'worse' ? worse : better).push(change)
  }
  const bySize = (a: Change, b: Change) => size(b) - size(a)
  return {
    worse: worse.sort(bySize),
    better: better.sort(bySize),
    unchanged,
    onlyBefore: [...older.values()],
    onlyAfter,
  }
}

function compare(before: Configuration, after: Configuration): Change[] {
  const finishedBefore = finished(before).length > 0
  const finishedAfter = finished(after).length > 0
  if (finishedBefore !== finishedAfter) {
    return [{ before, after, verdict: finishedAfter ? 'better' : 'worse' }]
  }
  return COMPARED.flatMap((measure) => {
    const ratio = ratioOf(after, before, measure)
    if (ratio === undefined || !isReal(ratio, measure)) return []
    const verdict = ratio.value > 1 === (measure.better === 'higher') ? 'better' : 'worse'
    return [{ before, after, figure: { measure, ratio }, verdict }]
  })
}

function isReal(ratio: Ratio, measure: Measure): boolean {
  if (measure.exact === true) return ratio.value !== 1
  if (ratio.over === 'runs') return excludesOne(ratio)
  const large = Math.abs(Math.log(ratio.value)) > SINGLE_RUN_THRESHOLD
  return large && (ratio.interval === undefined || excludesOne(ratio))
}

/** A configuration that no longer finishes, or now does, goes before every ratio. */
function size({ figure }: Change): number {
  return figure === undefined ? Number.POSITIVE_INFINITY : Math.abs(Math.log(figure.ratio.value))
}
