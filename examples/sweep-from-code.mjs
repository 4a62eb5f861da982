// Shows a sweep without the command line: a grid of trials, each in a process of its own, and a table of the records they leave.
// Run it with: node examples/sweep-from-code.mjs mnist results/from-code
import { summaryTables, sweep } from '@embed-kd/bench'

const [dataset = 'mnist', out = 'results/from-code', steps = '5'] = process.argv.slice(2)

// Each combination of the values in lists is a trial. Trials that `out` has a record of are not run again.
const grid = {
  dataset,
  method: ['supervised', 'embed-kd'],
  batch: 32,
  steps: Number(steps),
}
const records = await sweep({ grids: [grid], out, tell: console.log })
console.log(summaryTables(records))
