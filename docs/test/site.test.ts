// The documentation site builds, with every link inside it leading somewhere.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { expect, it } from 'vitest'

it('builds without a warning', { timeout: 300_000 }, () => {
  const docs = join(import.meta.dirname, '..')
  execFileSync(join(docs, 'node_modules/.bin/typedoc'), { cwd: docs, stdio: 'pipe' })
  expect(existsSync(join(docs, 'site/index.html'))).toBe(true)
})
