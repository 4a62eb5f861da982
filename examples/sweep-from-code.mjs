// Shows a sweep without the command line: a grid of trials, each in a process of its own, and a table of the records they leave.
// Run it with: node examples/sweep-from-code.mjs mnist results/from-code
import { join } from 'node:path'

import {
  expandGrids,
  parseGrids,
  planTrials,
  RecordStore,
  runSweep,
  summaryTables,
} from '@embed-kd/bench'

const [dataset = 'mnist', directory = 'results/from-code', steps = '5'] = process.argv.slice(2)

// Axes are lists: every combination is a trial.
const grids = parseGrids(
  {
    grids: [
      {
        dataset: [dataset],
        method: ['supervised', 'embed-kd'],
        batch: [16, 32],
        steps: Number(steps),
      },
    ],
  },
  'this example',
)
const trials = await planTrials(expandGrids(grids))
// Hears what the sweep does; here only the line that each trial ends with is shown.
const listener = { begin() {}, update() {}, line: (text) => console.log(text), end() {} }
const store = RecordStore.open(directory, { resume: true })
try {
  const cacheDirectory = join(directory, 'cache')
  await runSweep({ trials, store, cacheDirectory, limits: { timeoutSeconds: 600 }, listener })
} finally {
  store.close()
}
console.log(summaryTables([...store.records.values()]))
