// `embed-kd verify`: runs one trial of a set of records again and tells whether the result is the same.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { describeTrial, type BenchRecord } from '@embed-kd/records'
import { Command } from 'commander'

import { UserError } from '@embed-kd/core'
import { formatTable } from '@embed-kd/records/terminal'
import { compareRecords } from '@embed-kd/bench'
import { planTrials, type TrialConfig } from '@embed-kd/bench'
import { loadMethods } from '@embed-kd/bench'
import { parseRerun } from '@embed-kd/bench'
import { runSweep } from '@embed-kd/bench'
import { readRecords, RecordStore } from '@embed-kd/bench'
import { observeData } from './data-options.js'
import { addLimitOptions, limitsOf, type LimitOptions } from './options.js'
import { localRecords } from './result-files.js'
import { ProgressDisplay } from '../progress.js'

interface VerifyOptions extends LimitOptions {
  readonly id?: string
  readonly cache?: string
  readonly teacher?: string
  readonly json?: boolean
}

export const verifyCommand = (): Command =>
  addLimitOptions(
    new Command('verify')
      .argument(
        '<records>',
        'directory that bench wrote, also s3://BUCKET/DIR, or file of JSON lines',
      )
      .option(
        '--id <id>',
        'beginning of the id of the trial to run (default: the first trial that is ok)',
      )
      .option('--cache <dir>', 'directory with trained teachers (default: train them again)')
      .option(
        '--teacher <path>',
        "path of the record's teacher on this machine (default: as in the record)",
      )
      .option('--json', 'print both records and the comparison as JSON'),
  )
    .addHelpText(
      'after',
      `
Data, graph and the first losses must agree, and the accuracy within 1 percentage point. Time and memory are shown, not judged.
Versions of the code may compute different graphs: a record is verified by the commit that made it, which the record names.
The exit code is 1 if something does not agree.

Examples:
  embed-kd verify results/quick
  embed-kd verify results/quick --id 3fa9 --cache results/quick/cache
`,
    )
    .action(verify)

async function verify(path: string, options: VerifyOptions): Promise<void> {
  const before = choose(readRecords(await localRecords(path)), path, options.id)
  if (before.rerunCommand === undefined)
    throw new UserError(
      `record ${before.id} has no command: only a configuration file can describe its trial`,
      'run the file again with embed-kd bench --config, and compare the records with embed-kd report --before',
    )
  const { methodModule } = before.trial
  if (methodModule) await loadMethods([methodModule.specifier])
  const { search, purpose } = before.trial
  const config = withTeacher(parseRerun(before.rerunCommand), before, options.teacher)
  const configs = [{ ...config, ...(search ? { search } : {}), ...(purpose ? { purpose } : {}) }]
  const display = new ProgressDisplay()
  const trials = await observeData(display, 'reading data', (data) =>
    planTrials(configs, { data, tell: (line) => display.line(line) }),
  )
  const directory = mkdtempSync(join(tmpdir(), 'embed-kd-verify-'))
  const store = RecordStore.open(directory, { resume: false })
  try {
    await runSweep({
      trials,
      store,
      cacheDirectory: resolve(options.cache ?? join(directory, 'cache')),
      limits: limitsOf(options),
      listener: display,
    })
    const after = [...store.records.values()][0]!
    show(before, after, options.json ?? false)
  } finally {
    store.close()
    rmSync(directory, { recursive: true })
  }
}

/** Returns the trial with the teacher where it lies here. @throws UserError if a teacher that was brought along is not there. */
function withTeacher(
  config: TrialConfig,
  { trial }: BenchRecord,
  given: string | undefined,
): TrialConfig {
  if (trial.teacher === undefined || config.teacher === undefined) return config
  const { name, kind, digest } = trial.teacher
  const teacher = given ?? config.teacher
  const isPath = kind === 'embeddings' || (kind === 'pretrained' && name !== teacher)
  if (isPath && !existsSync(teacher.replace(/^hf:/, '')))
    throw new UserError(
      `the record needs the teacher ${name} (SHA-256 ${digest}), and there is no ${teacher}`,
      'give its file or directory with --teacher',
    )
  return { ...config, teacher }
}

function choose(
  records: readonly BenchRecord[],
  path: string,
  id: string | undefined,
): BenchRecord {
  const found = records.filter((record) =>
    id === undefined ? record.status === 'ok' : record.id.startsWith(id),
  )
  // Repeats of a trial share its id; the first that finished stands for them.
  const trials = new Set(found.map((record) => record.id)).size
  if (trials === 0 || (id !== undefined && trials > 1))
    throw new UserError(
      `${path} has ${trials === 0 ? 'no' : trials} trials ${id === undefined ? 'that are ok' : `whose id begins with "${id}"`}`,
      `give --id; there are ${records
        .slice(0, 5)
        .map((record) => `${record.id} (${describeTrial(record.trial)})`)
        .join(', ')}${records.length > 5 ? ', …' : ''}`,
    )
  return found.find(({ status }) => status === 'ok') ?? found[0]!
}

/** Tells which version of the code made a record, if this is another one. */
function otherVersion(before: BenchRecord, after: BenchRecord): string {
  const [made, now] = [before, after].map(({ environment }) => environment.commit)
  return made === undefined || made === now
    ? ''
    : `: commit ${made} made the record, and another version may compute another graph; verify it there`
}

function show(before: BenchRecord, after: BenchRecord, json: boolean): void {
  const rows = compareRecords(before, after)
  const agrees = rows.every((row) => row.agrees !== false)
  if (json) process.stdout.write(`${JSON.stringify({ agrees, rows, before, after })}\n`)
  else
    process.stdout.write(
      `${describeTrial(before.trial)}\n${formatTable(
        ['', 'recorded', 'now', ''],
        rows.map((row) => [
          row.what,
          row.before,
          row.after,
          row.agrees === undefined ? '' : row.agrees ? 'agrees' : 'DIFFERS',
        ]),
      )}\n${agrees ? 'reproduced' : `not reproduced${otherVersion(before, after)}`}\n`,
    )
  if (!agrees) process.exitCode = 1
}
