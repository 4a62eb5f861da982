// `embed-kd bench --search` end to end, as built: the plan, the search, an interruption within it, the results, and running them again.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { parseRecords, type BenchRecord } from '@embed-kd/records'
import { describe, expect, it } from 'vitest'

import { tinyGrid, writeConfig, writeTinyDataset } from '../../distill/test/tiny.js'
import { runCli, startCli, temporaryDirectory } from './cli.js'

const directory = temporaryDirectory()
const dataset = writeTinyDataset(join(directory, 'data'))
const { learningRate: _searched, ...grid } = tinyGrid(dataset, {
  method: ['supervised', 'embed-kd'],
  student: 'vit:width=8,layers=1,heads=2,patch=4,image=8',
  epochs: 2,
}) as Record<string, unknown>
const out = join(directory, 'out')
const config = writeConfig(directory, grid)
const cache = join(directory, 'cache')
const where = ['--config', config, '--out', out, '--cache', cache]
const search = ['--search', 'learning-rate=1e-3,3e-2', '--search', 'kd-weight=1,5']
const sweep = ['bench', ...where, ...search]
const records = (): BenchRecord[] =>
  parseRecords(readFileSync(join(out, 'records.jsonl'), 'utf8')).records
const isSearch = ({ trial }: BenchRecord) => trial.purpose === 'search'

describe('a sweep with a search', { timeout: 300_000 }, () => {
  it('says both phases in its plan', async () => {
    const { stdout } = await runCli(...sweep, '--dry-run')
    expect(stdout).toContain(
      '6 trials of a search (seed 1000000), then 2 results with the best values, about',
    )
    expect(stdout).toMatch(/^after search +supervised, .*seed 0, best learning rate /m)
    expect(stdout).toMatch(/, best learning rate, best distillation weight /)
  })

  it('goes on after an interruption, and ends in results with the values that were best', async () => {
    const { child, result } = startCli(sweep)
    child.stderr!.on('data', (text: string) => {
      if (text.includes('[2/8]')) child.kill('SIGINT')
    })
    expect((await result).code).toBe(130)
    const before = records()
    expect(before.length).toBeGreaterThan(0)
    expect(before.every(isSearch)).toBe(true)

    const { code, stdout, stderr } = await runCli(...sweep, '--resume')
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('8 of 8 trials have a record: 8 ok')
    expect(stdout).toMatch(/^Results +Chosen +Held-out accuracy +Others +Tried +Expense$/m)
    expect(stderr).toMatch(/\[7\/8\] .*; about .* left/)
    const all = records()
    expect(all.slice(0, before.length)).toEqual(before)
    const [searches, results] = [all.filter(isSearch), all.filter((each) => !isSearch(each))]
    expect([searches.length, results.length]).toEqual([6, 2])
    for (const { accuracy, testResults, checkpoint, curves } of searches) {
      expect(accuracy ?? testResults).toBeUndefined()
      expect(checkpoint!.chosenOn).toBe('held-out')
      expect(curves!.epochs.every(({ testAccuracy }) => testAccuracy === undefined)).toBe(true)
    }
    for (const { trial, searched, accuracy } of results) {
      const tried = searches.filter((search) => search.trial.method === trial.method)
      expect(searched!.trials.map(({ id }) => id)).toEqual(tried.map(({ id }) => id))
      const best = tried.reduce((a, b) => (b.checkpoint!.accuracy > a.checkpoint!.accuracy ? b : a))
      expect(trial.learningRate).toBe(best.trial.learningRate)
      expect(trial.kdWeight).toBe(best.trial.kdWeight)
      expect(trial).toMatchObject({
        seed: 0,
        search: { learningRate: [1e-3, 3e-2], kdWeight: [1, 5] },
      })
      expect(accuracy).toBeDefined()
    }
  })

  it('has nothing left to run once it is complete', async () => {
    const { code, stdout } = await runCli(...sweep, '--resume', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ trials: 8, ran: 0, statuses: { ok: 8 } })
  })

  it('is verified as it ran, results and trials of the search alike', async () => {
    const [first] = records()
    const result = records().find((each) => !isSearch(each))
    for (const { id } of [first!, result!]) {
      const args = ['verify', out, '--id', id, '--cache', cache, '--json']
      const { stdout } = await runCli(...args)
      expect(JSON.parse(stdout)).toMatchObject({ agrees: true })
    }
  })

  it.each([
    ['learning-rate', '--search learning-rate cannot be ""; give a number'],
    ['rate=1', 'give one of learning-rate, weight-decay, dropout, kd-weight with its values'],
    ['kd-wieght=1', 'did you mean kd-weight?'],
    ['kd-weight=-1', '--search kd-weight cannot be "-1"; give a number from 0 on'],
  ])('complains of --search %s', async (words, message) => {
    const { code, stderr } = await runCli('bench', '--epochs', '1', '--search', words)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })
})
