// What a sweep found, as tables for a terminal: each configuration over its runs, the methods against each other on equal
// seeds, and what did not finish. Statistics, units and sentences are the report's, so that both say the same.
import {
  accuracy,
  configurationsOf,
  describeConfiguration,
  varyingAxes,
  coversRuns,
  devicePeakBytes,
  accuracyDifference,
  exhaustionOf,
  exhaustionSentence,
  comparisonsOf,
  failuresOf,
  finished,
  formatPoints,
  formatPointsRange,
  formatRange,
  formatRatio,
  hostPeakBytes,
  knnAccuracy,
  linearProbeAccuracy,
  METHOD_TABLE_NOTE,
  methodTablesOf,
  methodTableText,
  plannedPeakBytes,
  ratioOf,
  statusName,
  stepSeconds,
  summaryOf,
  type BenchRecord,
  type Configuration,
  type Measure,
  PAPER_METHODS,
  controlsOf,
  controlTable,
  searchesOf,
  searchTable,
  teacherSetsOf,
  teacherSetTable,
} from '@embed-kd/records'
import { formatTable } from '@embed-kd/records/terminal'

/** Returns the tables and sentences; empty if no trial finished or failed. Trials of searches are no results. */
export function summaryTables(all: readonly BenchRecord[]): string {
  const records = all.filter(({ trial }) => trial.purpose === undefined)
  const configurations = configurationsOf(records)
  const done = configurations.filter((each) => finished(each).length > 0)
  return [
    configurationTable(done),
    comparisonTable(done),
    ...methodTables(done),
    ...experimentTables(done, all),
    ...failureLines(configurations, records.length),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

/** Columns of sweeps that judge embeddings too. */
const EMBEDDING_COLUMNS: readonly (readonly [string, Measure])[] = [
  ['k-NN', knnAccuracy],
  ['linear probe', linearProbeAccuracy],
]

function configurationTable(configurations: readonly Configuration[]): string {
  if (configurations.length === 0) return ''
  const name = namerOf(configurations)
  const judged = EMBEDDING_COLUMNS.filter(([, measure]) =>
    configurations.some((configuration) => summaryOf(configuration, measure)),
  )
  return formatTable(
    [
      'configuration',
      'runs',
      'accuracy',
      ...judged.map(([title]) => title),
      'step',
      'peak',
      'peak, planned',
    ],
    configurations.map((configuration) => [
      name(configuration),
      `${finished(configuration).length}`,
      meanOf(configuration, accuracy),
      ...judged.map(([, measure]) => meanOf(configuration, measure)),
      meanOf(configuration, stepSeconds),
      meanOf(configuration, peakOf(configuration)),
      meanOf(configuration, plannedPeakBytes),
    ]),
  )
}

/** Returns an empty text if no other method ran a setting of the basis. */
function comparisonTable(configurations: readonly Configuration[]): string {
  const bases = new Map(
    configurations
      .filter(({ method }) => method === PAPER_METHODS.replaced)
      .map((basis) => [basis.settingKey, basis]),
  )
  const name = namerOf(configurations)
  const rows = configurations.flatMap((configuration) => {
    const basis = bases.get(configuration.settingKey)
    if (!basis || configuration.method === PAPER_METHODS.replaced) return []
    return [
      [
        name(configuration),
        sayDifference(configuration, basis),
        sayRatio(configuration, basis, stepSeconds),
        sayRatio(configuration, basis, peakOf(configuration)),
      ],
    ]
  })
  if (rows.length === 0) return ''
  return formatTable(
    [`against ${PAPER_METHODS.replaced}, equal seeds`, 'accuracy', 'step', 'peak'],
    rows,
  )
}

/** Most tables of methods that a terminal shows. */
const MOST_TABLES = 3

/** Writes the methods' accuracies with their tests, as the report has them. */
function methodTables(configurations: readonly Configuration[]): string[] {
  const { tables, rest } = methodTablesOf(configurations, MOST_TABLES)
  if (tables.length === 0) return []
  const texts = tables.map((table) => {
    const { title, columns, rows } = methodTableText(table)
    return `${title}\n${formatTable(columns, rows)}`
  })
  const more = rest > 0 ? ` ${rest} more settings are in the report.` : ''
  return [...texts, METHOD_TABLE_NOTE + more]
}

/** Writes controls and searches, each with its title; nothing if the records have none. */
function experimentTables(
  configurations: readonly Configuration[],
  records: readonly BenchRecord[],
): string[] {
  const tables = [
    controlTable(controlsOf(configurations)),
    teacherSetTable(teacherSetsOf(configurations)),
    searchTable(searchesOf(configurations, records)),
  ]
  return tables
    .filter(({ rows }) => rows.length > 0)
    .map(({ title, columns, rows }) => `${title}\n${formatTable(columns, rows)}`)
}

/** Names configurations by what the table of axes says, and by every axis in which these differ. */
function namerOf(configurations: readonly Configuration[]): (item: Configuration) => string {
  const varying = varyingAxes(configurations.map(({ trial }) => trial))
  return ({ trial }) => describeConfiguration(trial, varying)
}

function failureLines(configurations: readonly Configuration[], trials: number): string[] {
  const failures = failuresOf(configurations)
  if (failures.length === 0) return []
  const exhaustion = exhaustionOf(comparisonsOf(configurations))
  const failed = failures.reduce((sum, failure) => sum + failure.trials, 0)
  const lines = failures.map(
    ({ status, reason, trials }) => `  ${trials} ${statusName(status)}: ${reason}`,
  )
  return [
    [`did not finish: ${failed} of ${trials} trials`, ...lines].join('\n'),
    exhaustion === undefined ? '' : exhaustionSentence(exhaustion),
  ]
}

const peakOf = (configuration: Configuration): Measure =>
  summaryOf(configuration, devicePeakBytes) ? devicePeakBytes : hostPeakBytes

/** Says the mean over runs, with its 95 % interval if it covers several. */
function meanOf(configuration: Configuration, measure: Measure): string {
  const summary = summaryOf(configuration, measure)
  if (!summary) return '-'
  const { mean, interval } = summary
  return interval
    ? `${measure.format(mean)} ± ${measure.format(interval[1] - mean)}`
    : measure.format(mean)
}

/** Says a ratio, with its interval over runs; an interval over the steps of one run says nothing about the next. */
function sayRatio(configuration: Configuration, basis: Configuration, measure: Measure): string {
  const ratio = ratioOf(configuration, basis, measure)
  if (!ratio) return '-'
  const { value, over, interval } = ratio
  return formatRatio(value) + (interval && coversRuns(over) ? ` (${formatRange(interval)})` : '')
}

function sayDifference(configuration: Configuration, basis: Configuration): string {
  const difference = accuracyDifference(configuration, basis)
  if (!difference) return '-'
  const { value, interval } = difference
  return formatPoints(value) + (interval ? ` (${formatPointsRange(interval)})` : '')
}
