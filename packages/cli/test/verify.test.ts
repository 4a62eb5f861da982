import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { parseRecords, type BenchRecord } from '@embed-kd/records'
import { describe, expect, it } from 'vitest'

import { runCli, temporaryDirectory } from './cli.js'
import { writeTinyDataset } from '../../distill/test/tiny.js'

describe('embed-kd verify', () => {
  const directory = temporaryDirectory()
  const dataset = writeTinyDataset(join(directory, 'data'))
  const out = join(directory, 'out')
  const bench = () =>
    runCli(
      'bench',
      '--method',
      'supervised',
      '--dataset',
      dataset,
      '--batch',
      '8',
      '--epochs',
      '2',
      '--out',
      out,
      '--learning-rate',
      '0.001',
      '--dropout',
      '0',
    )

  it('reproduces a trial, and notices what does not agree', { timeout: 120_000 }, async () => {
    expect(await bench()).toMatchObject({ code: 0 })
    const good = await runCli('verify', out)
    expect(good.stdout).toMatch(/loss at step 1 .* agrees\n/)
    expect(good.stdout).toMatch(/\nreproduced\n$/)
    expect(good.code).toBe(0)

    const file = join(out, 'records.jsonl')
    const [record] = parseRecords(readFileSync(file, 'utf8')).records as [BenchRecord]
    record.curves!.loss[0]![1] *= 1.01
    record.environment.commit = 'abc'
    const other = join(directory, 'other.jsonl')
    writeFileSync(other, `${JSON.stringify(record)}\n`)
    const bad = await runCli('verify', other, '--id', record.id.slice(0, 6))
    expect(bad.stdout).toMatch(/loss at step 1 .* DIFFERS\n/)
    expect(bad.stdout).toMatch(/\nnot reproduced: commit abc made the record, .*\n$/)
    expect(bad.code).toBe(1)

    const none = await runCli('verify', out, '--id', 'zzz')
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining(record.id) })
  })
})
