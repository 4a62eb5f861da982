// `embed-kd merge`: the shards of a sweep to one file of records.
import { resolve } from 'node:path'

import { formatRecord } from '@embed-kd/records'
import { Command } from 'commander'

import { writeOutputFile } from '@embed-kd/distill/node'
import { mergeRecords } from '@embed-kd/bench'
import { readRecords } from '@embed-kd/bench'

export const mergeCommand = (): Command =>
  new Command('merge')
    .description('put the records of several shards or sweeps into one file')
    .argument('<records...>', 'directories that bench wrote, or files of JSON lines')
    .requiredOption('--out <file>', 'the file of JSON lines to write')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
A trial that two sources measured differently is a contradiction, and nothing is written.

Example:
  embed-kd merge shard-1 shard-2 shard-3 --out results/all/records.jsonl
`,
    )
    .action((paths: string[], { out, json }: { out: string; json?: boolean }) => {
      const records = mergeRecords(paths.map((path) => ({ path, records: readRecords(path) })))
      const sorted = records.toSorted((a, b) => (a.id < b.id ? -1 : 1))
      const file = resolve(out)
      writeOutputFile(file, sorted.map(formatRecord).join(''))
      process.stdout.write(
        json
          ? `${JSON.stringify({ records: file, trials: records.length })}\n`
          : `${records.length} records: ${file}\n`,
      )
    })
