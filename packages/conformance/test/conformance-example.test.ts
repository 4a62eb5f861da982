// The example backend passes the suite it is written to show, and docs/write-a-backend.md quotes what is there and what happens.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  conformanceCases,
  describeConformance,
  formatResults,
  runCase,
  type CaseResult,
} from '../src/index.js'
import type { BackendFactory } from '@embed-kd/core'
import { ReferenceBackend } from '@embed-kd/core/reference'
import { brokenKernels } from './broken-kernels.js'

const read = (path: string) => readFileSync(resolve(import.meta.dirname, '../../..', path), 'utf8')
const example = resolve(import.meta.dirname, '../../../examples/float32-backend.js')
const { backend } = (await import(example)) as { backend: BackendFactory }
const device = await backend.create('js')
describeConformance({ describe, it }, device)

describe('docs/write-a-backend.md', () => {
  const page = read('docs/write-a-backend.md')
  const quotes = (language: string) =>
    [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, kind, text]) =>
      kind === language ? [text!] : [],
    )
  const [failure, table] = quotes('text') as [string, string]

  it('quotes the example as it is', () => {
    const source = read('examples/float32-backend.js')
    expect(quotes('js').length).toBeGreaterThan(5)
    for (const quote of quotes('js')) expect(source).toContain(quote)
    expect(page).toContain(`${source.trimEnd().split('\n').length}\nlines`)
  })

  it('shows a failure as it looks', async () => {
    const broken = new ReferenceBackend(brokenKernels['softmax along the last axis'])
    const found = conformanceCases(broken.capabilities).find(
      ({ name }) => name === 'composite/softmax/[3,4] along 0',
    )!
    const text = formatResults(broken.name, [await runCase(broken, found)])
    expect(text.slice(text.indexOf('failed:'))).toBe(failure.trimEnd())
  })

  it('shows the table with the cases there are', () => {
    const results = conformanceCases(device.capabilities).map(({ name, contract }): CaseResult => ({
      name,
      contract,
      milliseconds: 0,
      status: 'passed',
    }))
    // Times and errors are those of one machine.
    const family = (line: string) =>
      line
        .split(/\s{2,}/)
        .slice(0, 5)
        .join(' ')
    expect(table.trim().split('\n').map(family)).toEqual(
      formatResults(device.name, results).split('\n').map(family),
    )
  })
})
