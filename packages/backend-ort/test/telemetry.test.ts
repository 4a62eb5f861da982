import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { op, spec, trace } from '@embed-kd/core'
import { expect, test } from 'vitest'
import { ortBackend } from '../src/index.js'

// The log that its telemetry begins with, empty or not; in a process of its own, as each test file is.
const log = join(tmpdir(), `mat-debug-${process.pid}.log`)

test.runIf(process.platform === 'linux')('the runtime sends no telemetry', async () => {
  const backend = await ortBackend.create('cpu')
  await backend.compile(trace('a sum', { x: spec([2]) }, ({ x }) => ({ y: op.add(x, x) })))
  await backend.dispose()
  expect(existsSync(log)).toBe(false)
})
