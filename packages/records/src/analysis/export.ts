// Tables for other programs and for papers: CSV with one row a trial or one row a configuration, Markdown and LaTeX.
import { axisNames, type Trial } from '../axes.js'
import type { BenchRecord } from '../schema.js'
import { stepCount } from '../summary.js'
import { finished, intervalOf, summaryOf } from './compare.js'
import { type Configuration, lengthName, studentName, teacherName } from './corpus.js'
import { methodName } from './format.js'
import { type Measure, MEASURES } from './measures.js'
import { machineName, versionName } from './source.js'

type Cell = string | number | boolean | undefined

/** Names a measure with its unit, as a column: `stepSeconds`, `hostPeakBytes`, `accuracyShare`. */
function columnName({ id, unit }: Measure): string {
  return unit === 'share' && !id.endsWith('Share') ? `${id}Share` : id
}

/** Writes one row a trial, every axis and every measure a column; an empty field was not measured or does not apply. */
export function tidyCsv(records: readonly BenchRecord[]): string {
  const rows = records.map((record) => ({
    id: record.id,
    status: record.status,
    ...axisColumns(record.trial),
    costOnly: record.costOnly,
    ...Object.fromEntries(MEASURES.map((measure) => [columnName(measure), measure.of(record)])),
    unexplainedPeakBytes: record.memory?.unexplainedBytes,
    timedSteps: record.time && stepCount(record.time),
    embeddingSeconds: record.embeddings?.seconds,
    embeddingImages: record.embeddings?.images,
    embeddingBytes: record.embeddings?.bytes,
    embeddingRelativeError: record.embeddings?.relativeError,
    machine: machineName(record),
    version: versionName(record),
    benchmarkVersion: record.benchmarkVersion,
    node: record.environment.node,
    browser: record.environment.browser,
    system: record.environment.os,
    startedAt: record.startedAt,
    wallSeconds: record.wallSeconds,
    reason: record.reason,
  }))
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  return csv([
    columns,
    ...rows.map((row: Readonly<Record<string, Cell>>) => columns.map((name) => row[name])),
  ])
}

/** Writes every axis by its name; axes that are descriptions become one column a field: `teacherParameterCount`. */
function axisColumns(trial: Trial): Record<string, Cell> {
  const columns: Record<string, Cell> = {}
  for (const name of axisNames) {
    const value: unknown = trial[name]
    if (typeof value !== 'object' || value === null) {
      columns[name] = value as Cell
      continue
    }
    for (const [field, part] of Object.entries(value)) {
      const column = field === 'name' ? name : `${name}${field[0]!.toUpperCase()}${field.slice(1)}`
      // Each of several teachers is a description of its own.
      columns[column] = (typeof part === 'object' ? JSON.stringify(part) : part) as Cell
    }
  }
  return columns
}

/** Writes one row a configuration: means over runs in bare units, each with its 95 % interval. */
export function wideCsv(configurations: readonly Configuration[]): string {
  const names: readonly (readonly [string, (item: Configuration) => Cell])[] = [
    ['method', ({ method }) => method],
    ['teacher', ({ trial }) => teacherName(trial)],
    ['batch', ({ trial }) => trial.batch],
    ['length', ({ trial }) => lengthName(trial)],
    ['backend', ({ scope }) => scope.backend],
    ['precision', ({ scope }) => scope.precision],
    ['dataset', ({ scope }) => scope.dataset],
    ['preset', ({ scope }) => scope.preset],
    ['student', ({ trial }) => studentName(trial)],
    ['machine', ({ scope }) => scope.machine],
    ['version', ({ scope }) => scope.version],
    ['runs', ({ runs }) => runs.length],
    ['finishedRuns', (item) => finished(item).length],
  ]
  const head = [
    ...names.map(([name]) => name),
    ...MEASURES.flatMap((measure) => {
      const name = columnName(measure)
      return [name, `${name}Low`, `${name}High`]
    }),
  ]
  const lines = configurations.map((item) => [
    ...names.map(([, of]) => of(item)),
    ...MEASURES.flatMap((measure) => {
      const interval = intervalOf(item, measure)
      return [summaryOf(item, measure)?.mean, interval?.[0], interval?.[1]]
    }),
  ])
  return csv([head, ...lines])
}

export function csv(rows: readonly (readonly Cell[])[]): string {
  return rows.map((cells) => `${cells.map(csvField).join(',')}\r\n`).join('')
}

/** Quotes a field if it must be. A text that a spreadsheet would run as a formula gets an apostrophe before it. */
function csvField(value: Cell): string {
  if (value === undefined) return ''
  if (typeof value !== 'string') return String(value)
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

export interface TextTable {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export function markdownTable({ columns, rows }: TextTable): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`).replaceAll(/[\r\n]+/g, ' ')).join(' | ')} |`
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line), ''].join('\n')
}

/** Writes a table for the packages booktabs and textcomp. */
export function latexTable({ title, columns, rows }: TextTable): string {
  const line = (cells: readonly string[]) => `  ${cells.map(latexText).join(' & ')} \\\\`
  return [
    String.raw`\begin{table}`,
    String.raw`  \centering`,
    `  \\caption{${latexText(title)}}`,
    `  \\begin{tabular}{l${'r'.repeat(Math.max(0, columns.length - 1))}}`,
    String.raw`  \toprule`,
    line(columns),
    String.raw`  \midrule`,
    ...rows.map(line),
    String.raw`  \bottomrule`,
    String.raw`  \end{tabular}`,
    String.raw`\end{table}`,
    '',
  ].join('\n')
}

const LATEX: Readonly<Record<string, string>> = {
  '\\': String.raw`\textbackslash{}`,
  '{': String.raw`\{`,
  '}': String.raw`\}`,
  '&': String.raw`\&`,
  '%': String.raw`\%`,
  $: String.raw`\$`,
  '#': String.raw`\#`,
  _: String.raw`\_`,
  '~': String.raw`\textasciitilde{}`,
  '^': String.raw`\textasciicircum{}`,
  '×': String.raw`$\times$`,
  '−': '$-$',
  '–': '--',
  '±': String.raw`$\pm$`,
  µ: String.raw`\textmu{}`,
  '→': String.raw`$\to$`,
  '·': String.raw`$\cdot$`,
}

function latexText(text: string): string {
  return [...text.replaceAll(/[\r\n]+/g, ' ')].map((sign) => LATEX[sign] ?? sign).join('')
}

/** Returns the table of configurations as texts, for papers: value and half the interval. */
export function configurationTable(configurations: readonly Configuration[]): TextTable {
  const measures = MEASURES.filter((measure) =>
    configurations.some((item) => summaryOf(item, measure) !== undefined),
  )
  return {
    title: 'Means over runs with 95 % intervals',
    columns: ['Method', 'Teacher', 'Batch', 'Runs', ...measures.map(({ short }) => short)],
    rows: configurations.map((item) => [
      methodName(item.method),
      teacherName(item.trial),
      String(item.trial.batch),
      String(finished(item).length),
      ...measures.map((measure) => {
        const summary = summaryOf(item, measure)
        if (summary === undefined) return '–'
        const { mean, interval } = summary
        const half = interval === undefined ? '' : ` ± ${measure.format(interval[1] - mean)}`
        return measure.format(mean) + half
      }),
    ]),
  }
}
