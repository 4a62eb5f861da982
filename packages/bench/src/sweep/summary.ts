// What a sweep found, as tables for a terminal: each configuration over its seeds, and the methods against each other on equal
// seeds. The statistics are the report's, so that both say the same; what a figure shows is left to the report.
import type { BenchRecord } from '@embed-kd/records'
import {
  accuracy,
  configurationsOf,
  devicePeakBytes,
  finished,
  hostPeakBytes,
  plannedPeakBytes,
  ratioOf,
  stepSeconds,
  summaryOf,
  type Configuration,
  type Measure,
} from '@embed-kd/records'

import { formatBytes, formatSeconds, formatShare, formatTable } from '@embed-kd/records/terminal'
import { describeConfiguration } from './progress.js'

/** The method that the others replace. */
const BASIS = 'teacher-kd'

/** Empty where no trial ended well. */
export function summaryTables(records: readonly BenchRecord[]): string {
  const configurations = configurationsOf(records).filter((each) => finished(each).length > 0)
  return [over(configurations), against(configurations)].filter(Boolean).join('\n\n')
}

function over(configurations: readonly Configuration[]): string {
  if (configurations.length === 0) return ''
  return formatTable(
    ['configuration', 'seeds', 'accuracy', 'step', 'peak', 'peak, planned'],
    configurations.map((configuration) => [
      describeConfiguration(configuration.trial),
      `${finished(configuration).length}`,
      meanOf(configuration, accuracy, formatShare),
      meanOf(configuration, stepSeconds, formatSeconds),
      meanOf(configuration, peakOf(configuration), formatBytes),
      meanOf(configuration, plannedPeakBytes, formatBytes),
    ]),
  )
}

/** Empty where no other method ran what the basis ran. */
function against(configurations: readonly Configuration[]): string {
  const bases = new Map(
    configurations
      .filter(({ method }) => method === BASIS)
      .map((basis) => [basis.settingKey, basis]),
  )
  const rows = configurations.flatMap((configuration) => {
    const basis = bases.get(configuration.settingKey)
    if (!basis || configuration.method === BASIS) return []
    const measures = [accuracy, stepSeconds, peakOf(configuration)]
    const ratios = measures.map((measure) => ratioOf(configuration, basis, measure))
    return [[describeConfiguration(configuration.trial), ...ratios.map(formatRatio)]]
  })
  if (rows.length === 0) return ''
  return formatTable([`against ${BASIS}, equal seeds`, 'accuracy', 'step', 'peak'], rows)
}

const peakOf = (configuration: Configuration): Measure =>
  summaryOf(configuration, devicePeakBytes) ? devicePeakBytes : hostPeakBytes

/** The mean over seeds, with its 95 % interval where there are several. */
function meanOf(
  configuration: Configuration,
  measure: Measure,
  format: (value: number) => string,
): string {
  const summary = summaryOf(configuration, measure)
  if (!summary) return '-'
  const { mean, interval } = summary
  return interval ? `${format(mean)} ± ${format(interval[1] - mean)}` : format(mean)
}

/** With its interval over pairs; that over the steps of a single pair would say nothing of the next. */
function formatRatio(ratio: ReturnType<typeof ratioOf>): string {
  if (!ratio) return '-'
  const { value, over, interval } = ratio
  const range =
    interval && over === 'runs'
      ? ` (${interval.map((bound) => bound.toPrecision(3)).join(' to ')})`
      : ''
  return `${value.toPrecision(3)}x${range}`
}
