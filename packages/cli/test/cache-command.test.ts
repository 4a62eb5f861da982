// The cache from the command line: what is listed, what is cleared, and what killed processes leave.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, expect, it } from 'vitest'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'cache-command-'))
  mkdirSync(join(home, 'embed-kd', 'cifar-10-binary'), { recursive: true })
  for (const name of ['decoded-1.bin', 'decoded-2.bin.1@host.tmp', 'cifar-10-binary/a.bin'])
    writeFileSync(join(home, 'embed-kd', name), Buffer.alloc(1000))
})
afterEach(() => rmSync(home, { recursive: true }))

const cli = new URL('../dist/cli.js', import.meta.url).pathname
const run = (...words: string[]) =>
  spawnSync(process.execPath, [cli, 'cache', ...words], {
    encoding: 'utf8',
    env: { ...process.env, XDG_CACHE_HOME: home },
  })

it('lists entries with their kinds', () => {
  const kinds = (JSON.parse(run('--json').stdout) as { kind: string }[]).map(({ kind }) => kind)
  expect(kinds.sort()).toEqual(['decoded images', 'download', 'unfinished'])
  expect(run().stdout).toMatch(/: 3 entries, 3 kB|: 3 entries, 3\.00 kB/)
})

it('clears decoded images, and downloads if asked to', () => {
  expect(run('clear').stdout).toMatch(/^cleared 2 entries/)
  expect(existsSync(join(home, 'embed-kd', 'cifar-10-binary'))).toBe(true)
  expect(run('clear', '--downloads').stdout).toMatch(/^cleared 1 entry/)
  expect(JSON.parse(run('--json').stdout)).toEqual([])
})
