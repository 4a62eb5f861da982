// Directories that are gone when the tests of a file have ended.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll } from 'vitest'

const root = mkdtempSync(join(tmpdir(), 'embed-kd-test-'))
afterAll(() => rmSync(root, { recursive: true }))

/** Makes an empty directory, removed when the tests of the file have ended. */
export const temporaryDirectory = (): string => mkdtempSync(join(root, 'directory-'))
