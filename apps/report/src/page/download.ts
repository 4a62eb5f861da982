// Records, tables and figures as files, made in the page.
import {
  type BenchRecord,
  type Configuration,
  configurationTable,
  latexTable,
  markdownTable,
  tidyCsv,
  wideCsv,
} from '@embed-kd/records'
import { button, element } from './dom.js'

export function downloadRecords(records: readonly BenchRecord[], name = 'records.jsonl'): void {
  const text = records.map((record) => `${JSON.stringify(record)}\n`).join('')
  download(name, text, 'application/jsonl')
}

/** One row a trial, for statistics elsewhere. */
export function downloadTrials(records: readonly BenchRecord[]): void {
  download('trials.csv', tidyCsv(records), 'text/csv')
}

/** One row a configuration, with means and intervals. */
export function downloadConfigurations(configurations: readonly Configuration[]): void {
  download('configurations.csv', wideCsv(configurations), 'text/csv')
}

/** Rows that a table in a paper can hold. */
const MOST_ROWS = 200

/** Buttons that download the rows in sight as tables for papers. */
export function paperTables(rows: () => readonly Configuration[]): HTMLElement[] {
  const table = () => configurationTable(rows().slice(0, MOST_ROWS))
  return [
    button('LaTeX', () => download('configurations.tex', latexTable(table()), 'text/x-tex')),
    button('Markdown', () =>
      download('configurations.md', markdownTable(table()), 'text/markdown'),
    ),
  ]
}

export function download(name: string, content: string | Blob, type?: string): void {
  const blob = typeof content === 'string' ? new Blob([content], { type: type! }) : content
  const url = URL.createObjectURL(blob)
  element('a', { href: url, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
