// `embed-kd report`: records to one HTML file.
import { MOST_TEXT, reportPieces, type SkippedLine } from '@embed-kd/records'
import { Command } from 'commander'

import { readRecordFiles } from '@embed-kd/bench'
import { localRecords, writeResult } from './result-files.js'
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
      'directories that bench wrote, also s3://BUCKET/DIR, files of JSON lines (.gz too), or - for standard input',
    )
    .option('--out <file>', 'the HTML file, or s3://BUCKET/FILE', 'report.html')
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
      const read = async (places: readonly string[]) =>
        readRecordFiles(await Promise.all(places.map(localRecords)))
      const { records, skipped, summarized } = await read(paths)
      const earlier = before === undefined ? undefined : await read([before])
      const html = reportPieces(reportPage(), records, {
        ...(title === undefined ? {} : { title }),
        ...(earlier === undefined ? {} : { before: earlier.records }),
      })
      const file = await writeResult(out, html)
      const all = [...skipped, ...(earlier?.skipped ?? [])]
      warnOfSkipped(all)
      if (summarized || earlier?.summarized === true) process.stderr.write(SUMMARIES)
      process.stdout.write(
        json
          ? `${JSON.stringify({ report: file, records: records.length, summarized, skipped: all })}\n`
          : `report: ${file}\n`,
      )
    })

const SUMMARIES = `more than ${MOST_TEXT / 1e6} MB of records: the report has the summary of each trial, without step times, curves, graph and results of single images\n`

/** Most skipped lines that are named one by one. */
const MOST_NAMED = 10

function warnOfSkipped(skipped: readonly SkippedLine[]): void {
  for (const { source, line, reason } of skipped.slice(0, MOST_NAMED))
    process.stderr.write(`skipped line ${line} of ${source}: ${reason}\n`)
  const rest = skipped.length - MOST_NAMED
  if (rest > 0) process.stderr.write(`skipped ${rest} more lines\n`)
}
