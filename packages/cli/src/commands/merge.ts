// `embed-kd merge`: puts the records of several shards or sweeps into one file.
import { formatRecord } from '@embed-kd/records'
import { Command } from 'commander'

import { mergeRecords } from '@embed-kd/bench'
import { readRecords } from '@embed-kd/bench'
import { localRecords, writeResult } from './result-files.js'

export const mergeCommand = (): Command =>
  new Command('merge')
    .argument(
      '<records...>',
      'directories that bench wrote, also s3://BUCKET/DIR, files of JSON lines, or - for standard input',
    )
    .requiredOption('--out <file>', 'file of JSON lines to write, or s3://BUCKET/FILE')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
A trial that was run again, or on another machine, keeps all of its records. If two sources tell the same run differently, nothing is written.

Examples:
  embed-kd merge shard-1 shard-2 shard-3 --out results/all/records.jsonl
  cat shard-*/records-*.jsonl | embed-kd merge - --out results/all/records.jsonl
`,
    )
    .action(async (paths: string[], { out, json }: { out: string; json?: boolean }) => {
      const sources = await Promise.all(
        paths.map(async (path) => ({ path, records: readRecords(await localRecords(path)) })),
      )
      const records = mergeRecords(sources)
      const repeats = records.length - new Set(records.map(({ id }) => id)).size
      const file = await writeResult(out, records.map(formatRecord).join(''))
      process.stdout.write(
        json
          ? `${JSON.stringify({ records: file, trials: records.length, repeats })}\n`
          : `${records.length} records: ${file}${repeats > 0 ? ` (${repeats} of them repeat a trial)` : ''}\n`,
      )
    })
