// Part of the build: copies the report's page and the studio, which were built before, next to this package's compiled files.
// The studio's images stay out: the command serves those of packages/distill.
import { cpSync, rmSync } from 'node:fs'
import { basename } from 'node:path'

const pages = {
  '../../apps/report/dist/index.html': 'dist/report.html',
  '../../apps/studio/dist': 'dist/studio',
}
for (const [from, to] of Object.entries(pages)) {
  const target = new URL(to, import.meta.url)
  // Files of an earlier build have other names, and would stay.
  rmSync(target, { recursive: true, force: true })
  const filter = (path) => basename(path) !== 'mnist-small'
  cpSync(new URL(from, import.meta.url), target, { recursive: true, filter })
}
