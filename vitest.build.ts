// Builds before tests run, and again before they run anew in watch mode: children and workers run built code, which would
// otherwise be older than the sources under test. Takes a second if nothing changed; turbo has built already.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { TestProject } from 'vitest/node'

const root = fileURLToPath(new URL('.', import.meta.url))
const tsc = join(root, 'node_modules/typescript/bin/tsc')

/** The package that is tested, or all of them. */
function projects(directory: string): string[] {
  if (existsSync(join(directory, 'tsconfig.json'))) return [directory]
  const packages = join(root, 'packages')
  return readdirSync(packages).map((name) => join(packages, name))
}

export default function setup(project: TestProject): void {
  const build = () =>
    void execFileSync(process.execPath, [tsc, '-b', ...projects(project.config.root)], {
      stdio: 'inherit',
    })
  if (process.env['TURBO_HASH'] === undefined) build()
  project.onTestsRerun(build)
}
