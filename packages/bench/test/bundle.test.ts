// Which packages a bundle takes along: those that a program needs and that run on this system.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'

import { packageClosure } from '../src/bundle/closure.js'

const root = mkdtempSync(join(tmpdir(), 'embed-kd-test-'))
afterAll(() => rmSync(root, { recursive: true }))

function install(directory: string, manifest: object): void {
  mkdirSync(join(root, directory), { recursive: true })
  writeFileSync(
    join(root, directory, 'package.json'),
    JSON.stringify({ version: '1.0.0', ...manifest }),
  )
}

it('leaves out packages for another C library, and those it is told to', () => {
  install('.', { name: 'program', optionalDependencies: { a: '1', b: '1', c: '1', d: '1' } })
  install('node_modules/a', { name: 'a' })
  install('node_modules/b', { name: 'b', libc: ['glibc', 'musl'] })
  install('node_modules/c', { name: 'c', libc: ['another'] })
  install('node_modules/d', { name: 'd' })
  const names = packageClosure(root, new Set(['d'])).map(({ name }) => name)
  expect(names).toEqual(['program', 'a', 'b'])
})
