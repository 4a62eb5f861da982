// The driver for Ray clusters, with a stand-in for Ray: which commands it runs, and what it does if shards fail.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, it } from 'vitest'

import { temporaryDirectory } from './cli.js'

const python = process.env['PYTHON'] ?? 'python3'
const lacking = spawnSync(python, ['--version']).status === 0 ? '' : `skipped: no ${python} is here`
if (lacking) console.warn(lacking)

const fixtures = fileURLToPath(new URL('fixtures/ray', import.meta.url))
const driver = fileURLToPath(new URL('../cluster/ray_shards.py', import.meta.url))

function run(failures: number, ...command: string[]) {
  const calls = join(temporaryDirectory(), 'calls')
  writeFileSync(calls, '')
  const program = [process.execPath, join(fixtures, 'command.js'), ...command]
  const { status, stdout, stderr } = spawnSync(
    python,
    [driver, '--shards', '3', '--retries', '2', '--', ...program],
    {
      encoding: 'utf8',
      env: {
        ...process.env,
        PYTHONPATH: fixtures,
        PYTHONDONTWRITEBYTECODE: '1',
        CALLS: calls,
        FAILURES: `${failures}`,
      },
    },
  )
  return { status, stdout, stderr, calls: readFileSync(calls, 'utf8').trim().split('\n') }
}

describe.skipIf(lacking)('the driver for Ray', () => {
  it('runs each shard, tries one that failed again, and reports the sweep', () => {
    const { status, stdout, calls } = run(2, 'bench', '--out', 'o', '--cache', 'c-{shard}')
    expect(stdout).toContain('shard 3/3: done, 0 to go')
    expect(calls).toEqual([
      'bench --out o --cache c-1 --shard 1/3',
      ...Array<string>(3).fill('bench --out o --cache c-2 --shard 2/3'),
      'bench --out o --cache c-3 --shard 3/3',
      'merge o --out o/all.jsonl',
      'report o/all.jsonl --out o/report.html',
    ])
    expect(status).toBe(0)
  })

  it('finishes the other shards if one fails for good, and says why', () => {
    const { status, stderr, calls } = run(3, 'bench', '--out', 'o')
    expect(stderr).toContain('shard 2/3 failed: exit code 1\nthe disk is full\n')
    expect(stderr).toContain('1 of 3 shards failed; the same call goes on with them')
    expect(calls.at(-1)).toBe('bench --out o --shard 3/3')
    expect(status).toBe(1)
  })

  it('merges nothing of embeddings, whose shards are read as they are', () => {
    const { status, calls } = run(0, 'embed', '--out', 's3://runs/e.safetensors')
    expect(calls).toHaveLength(3)
    expect(status).toBe(0)
  })

  it('refuses other commands', () => {
    expect(run(0, 'distill', '--out', 'o')).toMatchObject({ status: 2, calls: [''] })
  })
})
