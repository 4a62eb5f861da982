// Runs for which no space is left. A sweep: the records so far stay whole, the summary is printed, and the error says what is full.
// A limit of the size of files stands in for a full disk, since any user may set one.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { parseRecords } from '@embed-kd/records'
import { expect, it } from 'vitest'

import { tinyGrid, writeConfig, writeTinyDataset } from '../../distill/test/tiny.js'
import { runCli, temporaryDirectory } from './cli.js'

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const TRIALS = 3

/** Runs the command with a limit of its files' sizes, in kibibytes. */
function runWithin(kibibytes: number, ...args: string[]) {
  const limited = `trap '' XFSZ; ulimit -f ${kibibytes}; exec "$@"`
  const command = ['-c', limited, 'bash', process.execPath, CLI, ...args]
  return spawnSync('bash', command, { encoding: 'utf8' })
}

it.runIf(process.platform === 'linux')('is named by a training run without room', () => {
  const directory = temporaryDirectory()
  const dataset = writeTinyDataset(join(directory, 'data'))
  const out = join(directory, 'run')
  const args = ['--method', 'supervised', '--dataset', dataset, '--student', 'small', '--out', out]
  const { status, stderr } = runWithin(1, 'distill', ...args)
  expect(stderr).toMatch(
    /^error: no space is left to write .*run \(EFBIG.*then run the same command with --resume$/m,
  )
  expect(status).toBe(1)
})

it.runIf(process.platform === 'linux')(
  'keeps what is whole, says what is full, and goes on',
  { timeout: 180_000 },
  async () => {
    const directory = temporaryDirectory()
    const dataset = writeTinyDataset(join(directory, 'data'))
    const config = writeConfig(directory, tinyGrid(dataset, { steps: 1 }))
    const out = join(directory, 'out')
    const sweep = ['bench', '--config', config, '--resume', '--out']
    const bench = [...sweep, out, '--seeds', `${TRIALS}`]
    const one = await runCli(...sweep, join(directory, 'one'))
    const bytes = readFileSync(join(directory, 'one/records.jsonl')).length
    // In blocks of a kibibyte: one record has room.
    const limit = Math.ceil((1.5 * bytes) / 1024)
    const full = runWithin(limit, ...bench)
    expect(one.code).toBe(0)
    expect(full.stderr).toMatch(
      /^error: no space is left to write .*records\.jsonl \(EFBIG.*; free some space, then run the same command with --resume$/m,
    )
    expect(full.stderr).not.toMatch(/^\s+at /m)
    expect(full.status).toBe(1)
    const { records, tornLine } = parseRecords(readFileSync(join(out, 'records.jsonl'), 'utf8'))
    expect(tornLine).toBeUndefined()
    expect(records.length).toBeGreaterThan(0)
    expect(records.length).toBeLessThan(TRIALS)
    expect(full.stdout).toContain(`${records.length} of ${TRIALS} trials have a record`)
    expect(readdirSync(out).filter((name) => /lock|tmp/.test(name))).toEqual([])

    const resumed = await runCli(...bench)
    expect(resumed.stdout).toContain(`${TRIALS} of ${TRIALS} trials have a record: ${TRIALS} ok`)
  },
)
