// `embed-kd report`: records to one HTML file.
import { resolve } from 'node:path'

import { renderReport } from '@embed-kd/records'
import { Command } from 'commander'

import { writeOutputFile } from '@embed-kd/distill/node'
import { mergeRecords } from '@embed-kd/bench'
import { readRecords } from '@embed-kd/bench'
import { reportPage } from '../report-page.js'

interface ReportOptions {
  readonly out: string
  readonly before?: string
  readonly title?: string
  readonly json?: boolean
}

export const reportCommand = (): Command =>
  new Command('report')
    .argument(
      '<records...>',
      'directories that bench wrote, files of JSON lines, or - for standard input',
    )
    .option('--out <file>', 'the HTML file', 'report.html')
    .option('--before <path>', 'earlier records, to show what became better and worse')
    .option('--title <text>', 'the heading')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Examples:
  embed-kd report results/quick
  embed-kd report results/cost results/paper --title "All we know" --out all.html
  ssh node17 cat results/quick/records.jsonl | embed-kd report - --out quick.html
  embed-kd report results/quick --before results/quick/earlier-2026-01-31T12-00-00-000Z.jsonl
`,
    )
    .action((paths: string[], { out, before, title, json }: ReportOptions) => {
      const records = mergeRecords(paths.map((path) => ({ path, records: readRecords(path) })))
      const html = renderReport(reportPage(), records, {
        ...(title === undefined ? {} : { title }),
        ...(before === undefined ? {} : { before: readRecords(before) }),
      })
      const file = resolve(out)
      writeOutputFile(file, html)
      process.stdout.write(
        json
          ? `${JSON.stringify({ report: file, records: records.length })}\n`
          : `report: ${file}\n`,
      )
    })
