// The tables of methods as text for terminals and papers, and as CSV with bare numbers. All say the same as the page.
import { finished } from './compare.js'
import { csv, type TextTable } from './export.js'
import { formatPercent, formatPoints, formatPointsRange, methodName } from './format.js'
import { BASELINES, type Baseline, type Cell, type MethodTable, type Test } from './method-table.js'
import type { SeedTest } from './paired-images.js'
import { scopeName } from './corpus.js'

/** Chance of an error that the tests accept. */
export const LEVEL = 0.05

/** Names a table by its teacher, its setting and its scope. */
export function methodTableTitle({ teacher, setting, scope }: MethodTable): string {
  return [`Test accuracy by method; teacher ${teacher}`, setting, scopeName(scope)]
    .filter((part) => part !== '')
    .join(' · ')
}

/** Explains the columns of a table; the sentence stands under it. */
export const METHOD_TABLE_NOTE =
  `Accuracy: mean over seeds ± half its 95 % interval. Differences are in percentage points over equal seeds, with 95 % intervals over seeds and test images. ` +
  `p is corrected (Holm) over the methods tested against the same baseline in the same column; * marks p < ${LEVEL}.`

/** Returns one row for each method and column of the table. */
export function methodTableText(table: MethodTable): TextTable {
  const present = BASELINES.filter((name) => cellsOf(table).some(({ against }) => against[name]))
  return {
    title: methodTableTitle(table),
    columns: [
      'Labels',
      'Method',
      'n',
      'Accuracy',
      ...present.flatMap((name) => [`against ${methodName(name)}`, 'p']),
    ],
    rows: table.columns.flatMap((column, at) =>
      table.rows.flatMap(({ name, cells }) => {
        const cell = cells[at]
        if (cell === undefined) return []
        const tests = present.flatMap((baseline) => sayTest(cell.against[baseline]))
        return [[column, name, String(cell.accuracy.n), sayAccuracy(cell), ...tests]]
      }),
    ),
  }
}

const cellsOf = ({ rows }: MethodTable): Cell[] =>
  rows.flatMap(({ cells }) => cells.filter((cell) => cell !== undefined))

/** Writes the mean and half its interval: `54.1 % ± 0.8`. */
export function sayAccuracy({ accuracy: { mean, interval } }: Pick<Cell, 'accuracy'>): string {
  const half = interval && ((interval[1] - interval[0]) * 50).toFixed(1)
  return formatPercent(mean) + (half === undefined ? '' : ` ± ${half}`)
}

function sayTest(test: Test | undefined): readonly [string, string] {
  if (test === undefined) return ['–', '–']
  return [sayDifference(test), sayP(test)]
}

/** Writes a difference in points with its interval: `+0.42 (−0.55 to +1.39)`. */
export function sayDifference({ difference: { value, interval } }: Test): string {
  const range = interval === undefined ? '' : ` (${formatPointsRange(interval)})`
  return `${formatPoints(value)}${range}`.replaceAll(' points', '')
}

/** Writes the corrected p-value, starred if it is below the level: `0.021*`. */
export function sayP({ corrected }: Test): string {
  if (corrected === undefined) return '–'
  const star = corrected < LEVEL ? '*' : ''
  return `${formatP(corrected)}${star}`
}

export function formatP(p: number): string {
  if (p < 0.001) return '< 0.001'
  return p.toFixed(p < 0.1 ? 3 : 2)
}

/** Counts the seeds in which McNemar's test finds a difference: `McNemar p < 0.05 in 3 of 5 seeds`. */
export function saySeeds(seeds: readonly SeedTest[]): string {
  const [first] = seeds
  if (seeds.length === 1) return `McNemar p ${formatP(first!.p)}`
  const found = seeds.filter(({ p }) => p < LEVEL).length
  return `McNemar p < ${LEVEL} in ${found} of ${seeds.length} seeds`
}

/** Writes one row for each method, column and table: bare shares and p-values. */
export function methodsCsv(tables: readonly MethodTable[]): string {
  const rows = tables.flatMap((table) =>
    table.columns.flatMap((column, at) =>
      table.rows.flatMap(({ name, cells }) => {
        const cell = cells[at]
        return cell === undefined ? [] : [csvRow(table, column, name, cell)]
      }),
    ),
  )
  const names = Object.keys(rows[0] ?? {})
  return csv([names, ...rows.map((row) => names.map((name) => row[name]))])
}

function csvRow(table: MethodTable, column: string, name: string, cell: Cell) {
  const { configuration, accuracy, against } = cell
  const { trial, scope } = configuration
  return {
    teacher: table.teacher,
    setting: table.setting,
    labels: column,
    labelsShare: trial.labels ?? 1,
    method: trial.method,
    methodName: name,
    seeds: accuracy.n,
    finishedRuns: finished(configuration).length,
    accuracyShare: accuracy.mean,
    accuracyShareLow: accuracy.interval?.[0],
    accuracyShareHigh: accuracy.interval?.[1],
    ...csvTest('Supervised', against, BASELINES[0]),
    ...csvTest('TeacherKd', against, BASELINES[1]),
    backend: scope.backend,
    dataset: scope.dataset,
    preset: scope.preset,
    student: scope.student,
    machine: scope.machine,
    version: scope.version,
  } as Readonly<Record<string, string | number | undefined>>
}

function csvTest(suffix: string, against: Cell['against'], baseline: Baseline) {
  const test = against[baseline]
  const seeds = test?.difference.seeds
  return {
    [`differenceTo${suffix}`]: test?.difference.value,
    [`differenceTo${suffix}Low`]: test?.difference.interval?.[0],
    [`differenceTo${suffix}High`]: test?.difference.interval?.[1],
    [`pTo${suffix}`]: test?.p,
    [`pTo${suffix}Holm`]: test?.corrected,
    [`pairedSeedsTo${suffix}`]: test?.difference.n,
    [`mcnemarSeedsTo${suffix}`]: seeds?.filter(({ p }) => p < LEVEL).length,
  }
}
