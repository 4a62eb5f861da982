// Records and table as files, made in the page.
import {
  type BenchRecord,
  type Configuration,
  MEASURES,
  summaryOf,
  teacherName,
} from '@embed-kd/records'
import { element } from './dom.js'

export function downloadRecords(records: readonly BenchRecord[], name = 'records.jsonl'): void {
  download(
    name,
    records.map((record) => `${JSON.stringify(record)}\n`).join(''),
    'application/jsonl',
  )
}

export function downloadTable(configurations: readonly Configuration[]): void {
  download('configurations.csv', csv(configurations), 'text/csv')
}

/** One line a configuration, means over runs in bare units; an empty field was not measured. */
function csv(configurations: readonly Configuration[]): string {
  const columns: (readonly [name: string, of: (item: Configuration) => string | number])[] = [
    ['method', ({ method }) => method],
    ['teacher', ({ trial }) => teacherName(trial)],
    ['batch', ({ trial }) => trial.batch],
    ['backend', ({ scope }) => scope.backend],
    ['precision', ({ scope }) => scope.precision],
    ['dataset', ({ scope }) => scope.dataset],
    ['preset', ({ scope }) => scope.preset],
    ['student', ({ scope }) => scope.student],
    ['machine', ({ scope }) => scope.machine],
    ['runs', ({ runs }) => runs.length],
  ]
  const head = [
    ...columns.map(([name]) => name),
    ...MEASURES.flatMap(({ id, unit }) => [`${id} (${unit})`, `${id} low`, `${id} high`]),
  ]
  const lines = configurations.map((item) => [
    ...columns.map(([, of]) => of(item)),
    ...MEASURES.flatMap((measure) => {
      const summary = summaryOf(item, measure)
      return [summary?.mean, summary?.interval?.[0], summary?.interval?.[1]]
    }),
  ])
  return [head, ...lines].map((cells) => `${cells.map(csvField).join(',')}\r\n`).join('')
}

/** Quoted where it must be; a text that a spreadsheet would run as a formula is made plain text. */
function csvField(value: string | number | undefined): string {
  if (value === undefined) return ''
  if (typeof value === 'number') return String(value)
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

function download(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  element('a', { href: url, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
