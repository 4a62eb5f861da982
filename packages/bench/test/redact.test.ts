// Secrets and home directories that are planted in a record must not be in what is stored.
import { mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { tinyGrid, writeTinyDataset } from '../../distill/test/tiny.js'
import { temporaryDirectory } from '../../distill/test/temporary.js'
import { captureEnvironment } from '../src/measure/environment.js'
import { redact } from '../src/measure/redact.js'
import { expandGrids, parseGrids } from '../src/sweep/grid.js'
import { makeRecord } from '../src/sweep/make-record.js'
import { planTrials } from '../src/sweep/plan.js'
import { parseRerun } from '../src/sweep/rerun.js'
import { RecordStore } from '../src/sweep/store.js'

const home = homedir()

describe('redaction', () => {
  it.each([
    ['HTTP 401 for hf_abcdEFGH1234', 'HTTP 401 for [redacted]'],
    ['Authorization: Bearer abc.def-ghi', 'Authorization: Bearer [redacted]'],
    ['{"authorization":"Basic dXNlcjpwYXNz"}', '{"authorization":"Basic [redacted]"}'],
    ['key AKIAABCDEFGHIJKLMNOP is wrong', 'key [redacted] is wrong'],
    ['AWS_SECRET_ACCESS_KEY=wJalrXUtn/K7MDENG', 'AWS_SECRET_ACCESS_KEY=[redacted]'],
    ['https://ann:pa55word@host/x', 'https://ann:[redacted]@host/x'],
    ['?token=abc123&x=1', '?token=[redacted]&x=1'],
    [`${home}/data/x.bin`, '~/data/x.bin'],
    [`file://${home}/data`, 'file://~/data'],
    [`${home}work/data`, `${home}work/data`],
    ['/home/ann/models and /Users/bob', '~/models and ~'],
    ['tokens per second: 12; the loss is NaN', 'tokens per second: 12; the loss is NaN'],
  ])('of %j', (text, clean) => {
    expect(redact(text)).toBe(clean)
  })

  it('knows secrets by the environment that holds them', () => {
    process.env['SOME_TOKEN'] = 'correct horse battery'
    expect(redact('it said: correct horse battery!')).toBe('it said: [redacted]!')
    delete process.env['SOME_TOKEN']
  })

  it('is of all that a store keeps, and leaves a command that can be run again', async () => {
    const secret = 'hf_PLANTEDplanted1234'
    const grid = tinyGrid(writeTinyDataset(temporaryDirectory()), { student: ['small'], steps: 1 })
    const [trial] = await planTrials(expandGrids(parseGrids({ grids: [grid] }, 'test')))
    const environment = {
      ...(await captureEnvironment()),
      commandLine: ['bench', `--cache=${home}/cache`, secret],
    }
    const outcome = {
      status: 'error',
      reason: `fetch with ${secret} failed in ${home}/models`,
      lastWords: `at file://${home}/x.js\nAuthorization: Bearer ${secret}`,
    } as const
    const made = makeRecord(trial!, outcome, {
      startedAt: new Date(0),
      wallSeconds: 1,
      environment,
    })
    const inHome = { ...made, rerunCommand: made.rerunCommand!.replace(/idx:\S+/, `idx:${home}/d`) }
    const directory = join(temporaryDirectory(), 'out')
    mkdirSync(directory, { recursive: true })
    const store = RecordStore.open(directory, { resume: false })
    store.append(inHome)
    store.close()
    const stored = readFileSync(store.file, 'utf8')
    expect(stored).not.toContain(secret)
    expect(stored).not.toContain(`${home}/`)
    const { rerunCommand } = store.records.get(made.id)!
    expect(rerunCommand).toContain('idx:$HOME/d')
    expect(parseRerun(rerunCommand!).dataset).toBe(`idx:${home}/d`)
  })
})
