// Part of the build: copies the report's page, which apps/report built before, next to this package's compiled files.
import { copyFileSync } from 'node:fs'

copyFileSync(
  new URL('../../apps/report/dist/index.html', import.meta.url),
  new URL('dist/report.html', import.meta.url),
)
