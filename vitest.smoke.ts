// The smoke suite, in seconds: graphs, records and batches, one training step on each backend that needs no GPU, and the command
// from a data set to a report. `npm run smoke` runs it once, `npm run watch` after every edit.
import { defineConfig, mergeConfig } from 'vitest/config'

import shared from './vitest.shared.js'

const config = mergeConfig(shared, defineConfig({ test: { root: import.meta.dirname } }))
config.test!.include = [
  'packages/*/test/smoke.test.ts',
  'packages/core/test/{graph,lower,random}.test.ts',
  'packages/records/test/record.test.ts',
  'packages/distill/test/data-batches.test.ts',
]
export default config
