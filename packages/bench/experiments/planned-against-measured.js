// Prints, for each trial of some records, the peak of memory that its graph plans beside the one that was measured, largest
// plan first. Measured is what the process had over its baseline (runtime and data loaded), or what the device held.
//   node packages/bench/experiments/planned-against-measured.js RECORDS...
// RECORDS are directories that bench wrote, or files of JSON lines.
import { formatBytes, formatTable } from '../dist/format.js'
import { describeTrial } from '../dist/sweep/progress.js'
import { readRecords } from '../dist/sweep/store.js'

const rows = process.argv
  .slice(2)
  .flatMap(readRecords)
  .filter(({ status }) => status === 'ok')
  .map((record) => {
    const { devicePeakBytes, peakRssBytes, baselineRssBytes } = record.memory
    const baseline = devicePeakBytes === undefined ? baselineRssBytes : 0
    const measured = (devicePeakBytes ?? peakRssBytes) - baseline
    const planned = record.cost.planned.peakBytes
    return { trial: describeTrial(record), planned, baseline, measured }
  })
  .toSorted((a, b) => b.planned - a.planned)
if (rows.length === 0) throw new Error('give records with a trial that is ok')

console.log(
  formatTable(
    ['trial', 'baseline', 'planned', 'measured', 'measured / planned'],
    rows.map(({ trial, planned, baseline, measured }) => [
      trial,
      formatBytes(baseline),
      formatBytes(planned),
      formatBytes(measured),
      (measured / planned).toFixed(2),
    ]),
  ),
)
const ratios = rows.map(({ measured, planned }) => measured / planned)
console.log(
  `${rows.length} trials, measured / planned from ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`,
)
