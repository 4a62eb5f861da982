import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { parseRecords, type BenchRecord } from '@embed-kd/records'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { students } from '@embed-kd/distill'
import { teachers } from '@embed-kd/distill/node'
import { formatRerun, parseRerun } from '@embed-kd/bench'
import type { TrialConfig } from '@embed-kd/bench'
import { runCli, temporaryDirectory } from './cli.js'
import { writeTinyDataset } from '../../distill/test/tiny.js'

const count = fc.integer({ min: 1, max: 1e6 })
const positive = fc.double({ min: 1e-6, max: 1, noNaN: true })
const path = fc.stringMatching(/^[\w '"$\\;:=-]{1,12}$/)
const config: fc.Arbitrary<TrialConfig> = fc
  .record(
    {
      backend: fc.oneof(
        fc.constant('ort:cpu'),
        path.map((name) => `./${name}.js`),
      ),
      method: fc.constantFrom('supervised' as const, 'embed-kd' as const, 'cached-kd' as const),
      preset: fc.constantFrom('paper' as const, 'corrected' as const),
      teacher: fc.constantFrom(...teachers.map(({ name }) => name)),
      student: fc.constantFrom(...students),
      dataset: fc.oneof(
        fc.constant('mnist'),
        path.map((name) => `idx:${name}`),
      ),
      batch: count,
      epochs: count,
      steps: count,
      seed: fc.nat(1000),
      learningRate: positive,
      weightDecay: positive,
      kdWeight: positive,
      dropout: fc.double({ min: 0, max: 0.9, noNaN: true }),
      trainImages: count,
      testImages: count,
      centroidImages: count,
    },
    {
      requiredKeys: [
        ...(['backend', 'method', 'preset', 'teacher', 'student', 'dataset', 'batch'] as const),
        ...(['epochs', 'steps', 'seed', 'learningRate', 'weightDecay'] as const),
        ...(['dropout', 'centroidImages'] as const),
      ],
    },
  )
  .chain(({ epochs, steps, teacher, kdWeight, ...rest }) =>
    fc.boolean().map((trains) => ({
      ...rest,
      ...(trains ? { epochs } : { steps }),
      ...(rest.method === 'supervised' ? {} : { teacher, ...(kdWeight ? { kdWeight } : {}) }),
    })),
  )

describe('the command in a record', () => {
  it('says the whole trial', () => {
    fc.assert(
      fc.property(config, (trial) => {
        expect(parseRerun(formatRerun(trial)!)).toEqual({ ...trial, dropout: trial.dropout + 0 })
      }),
    )
  })

  it('is no other command', () => {
    expect(() => parseRerun('rm -rf /')).toThrow('is no "embed-kd bench …"')
  })
})

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
    const other = join(directory, 'other.jsonl')
    writeFileSync(other, `${JSON.stringify(record)}\n`)
    const bad = await runCli('verify', other, '--id', record.id.slice(0, 6))
    expect(bad.stdout).toMatch(/loss at step 1 .* DIFFERS\n/)
    expect(bad.code).toBe(1)

    const none = await runCli('verify', out, '--id', 'zzz')
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining(record.id) })
  })
})
