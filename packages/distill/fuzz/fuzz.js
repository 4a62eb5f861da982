// The command behind `npm run fuzz`:
//   npm run fuzz -- [--count 10000] [--target NAME] [--seed 1]
// Prints a table of readers, and each finding with the number that repeats it. Exit code 1 if there is any.
import { parseArgs } from 'node:util'

import { formatTable } from '@embed-kd/records/terminal'

import { fuzz } from './run.js'
import { targets } from './targets.js'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '10000' },
    target: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
})
const names = Object.keys(targets)
if (values.target !== undefined && !names.includes(values.target)) {
  console.error(`unknown target "${values.target}"; choose one of ${names.join(', ')}`)
  process.exit(2)
}

const rows = []
let findings = 0
for (const name of values.target === undefined ? names : [values.target]) {
  const result = await fuzz(name, Number(values.count), Number(values.seed))
  for (const { kind, index, file, message } of result.findings)
    console.error(
      `${name} #${index} (${file}): ${kind} ${message.split('\n').slice(0, 4).join('\n  ')}`,
    )
  const of = (kind) => `${result.findings.filter((finding) => finding.kind === kind).length}`
  findings += result.findings.length
  rows.push([
    name,
    ...[result.tried, result.read, result.clear].map(String),
    ...['unclear', 'hang', 'crash', 'memory'].map(of),
    (result.addedBytes / 2 ** 20).toFixed(0),
  ])
}
console.log(
  formatTable(
    [
      'reader',
      'tried',
      'read',
      'clear error',
      'unclear',
      'hang',
      'crash',
      'memory',
      'most added MiB',
    ],
    rows,
  ),
)
console.log(`seed ${values.seed}`)
process.exitCode = findings === 0 ? 0 : 1
