// The plan of `embed-kd bench --dry-run`: the trials with estimates of time and memory.
import {
  estimateTrials,
  planSweep,
  probeBackends,
  SEARCH_SEED,
  unavailableReason,
  type PlannedTrial,
} from '@embed-kd/bench'
import {
  axes,
  describeTrial,
  SEARCHED_AXES,
  varyingAxes,
  type AxisName,
  type Trial,
} from '@embed-kd/records'
import { formatBytes, formatDuration, formatFlops, formatTable } from '@embed-kd/records/terminal'

import { ProgressDisplay } from '../progress.js'

interface PlanOptions {
  readonly cacheDirectory: string
  readonly timeoutSeconds: number
  readonly json: boolean
}

/** Prints the trials. Times are estimated from the measured speed of each backend that works here. */
export async function printPlan(
  planned: readonly PlannedTrial[],
  { cacheDirectory, timeoutSeconds, json }: PlanOptions,
): Promise<void> {
  const { searches, results } = planSweep(planned)
  // A result that a search decides is described by its first candidate.
  const trials = [...searches, ...results.map(({ candidates }) => candidates[0]!)]
  const open = new Set(
    results.flatMap(({ candidates, searches }) => (searches.length > 0 ? [candidates[0]!] : [])),
  )
  const display = new ProgressDisplay()
  const probes = await probeBackends(trials, { timeoutSeconds }, display)
  display.end()
  const obstacles = trials.map(({ config }) => {
    const obstacle = unavailableReason(config, probes)
    return obstacle && `${obstacle.reason}; ${obstacle.remedy}`
  })
  const seconds = estimateTrials(trials, probes, cacheDirectory)
  const total = seconds.reduce<number>((sum, estimate) => sum + (estimate ?? 0), 0)
  const speeds = [...probes].flatMap(([backend, probe]) =>
    probe.available ? [[backend, probe.gemmFlopsPerSecond] as const] : [],
  )
  if (json) {
    const rows = trials.map((trial, i) => ({
      ...(open.has(trial) ? { chosenBySearch: true } : { id: trial.id }),
      trial: trial.description,
      flops: trial.work.flops,
      plannedPeakBytes: trial.work.peakBytes,
      estimatedSeconds: seconds[i],
      skipped: obstacles[i],
    }))
    const result = { gemmFlopsPerSecond: Object.fromEntries(speeds), estimatedSeconds: total }
    process.stdout.write(`${JSON.stringify({ ...result, trials: rows })}\n`)
    return
  }
  const varying = varyingAxes(trials.map(({ description }) => description))
  const table = formatTable(
    ['id', 'trial', 'work', 'planned peak', 'estimate'],
    trials.map((trial, i) => [
      open.has(trial) ? 'after search' : trial.id,
      open.has(trial)
        ? describeOpen(trial.description, varying)
        : describeTrial(trial.description, varying),
      formatFlops(trial.work.flops),
      formatBytes(trial.work.peakBytes),
      seconds[i] === undefined ? 'not here' : formatDuration(seconds[i]),
    ]),
  )
  const reasons = [...new Set(obstacles)].flatMap((obstacle) =>
    obstacle === undefined ? [] : [`not here: ${obstacle}\n`],
  )
  const roofs = speeds.map(([name, speed]) => `${name} ${formatFlops(speed)}/s`).join(', ')
  const phases =
    searches.length === 0
      ? `${trials.length} trials`
      : `${searches.length} trials of a search (seed ${SEARCH_SEED}), then ${results.length} results with the best values`
  const estimate =
    roofs === ''
      ? ''
      : `, about ${formatDuration(total)}, teachers and embeddings included, with the matrix products measured here (${roofs})`
  process.stdout.write(`${table}\n${reasons.join('')}${phases}${estimate}\n`)
}

/** Describes a result whose values a search chooses: `…, best learning rate`. */
function describeOpen(trial: Trial, varying: ReadonlySet<AxisName>): string {
  const searched = SEARCHED_AXES.filter((name) => trial.search?.[name] && trial[name] !== undefined)
  const known = new Set([...varying].filter((name) => !(searched as string[]).includes(name)))
  const best = searched.map((name) => `best ${axes[name].label}`)
  return [describeTrial(trial, known), ...best].join(', ')
}
