// `embed-kd report`: records to one HTML file.
import { resolve } from 'node:path'

import { renderReport, type SkippedLine } from '@embed-kd/records'
import { Command } from 'commander'

import { writeOutputFile } from '@embed-kd/distill/node'
import { readRecordFiles } from '@embed-kd/bench'
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
      'directories that bench wrote, files of JSON lines (.gz too), or - for standard input',
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
    .action(async (paths: string[], { out, before, title, json }: ReportOptions) => {
      const { records, skipped } = await readRecordFiles(paths)
      const earlier = before === undefined ? undefined : await readRecordFiles([before])
      const html = renderReport(reportPage(), records, {
        ...(title === undefined ? {} : { title }),
        ...(earlier === undefined ? {} : { before: earlier.records }),
      })
      const file = resolve(out)
      writeOutputFile(file, html)
      const all = [...skipped, ...(earlier?.skipped ?? [])]
      warnOfSkipped(all)
      process.stdout.write(
        json
          ? `${JSON.stringify({ report: file, records: records.length, skipped: all })}\n`
          : `report: ${file}\n`,
      )
    })

/** Most skipped lines that are named one by one. */
const MOST_NAMED = 10

function warnOfSkipped(skipped: readonly SkippedLine[]): void {
  for (const { source, line, reason } of skipped.slice(0, MOST_NAMED))
    process.stderr.write(`skipped line ${line} of ${source}: ${reason}\n`)
  const rest = skipped.length - MOST_NAMED
  if (rest > 0) process.stderr.write(`skipped ${rest} more lines\n`)
}
