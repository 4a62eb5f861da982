// Prints, for each trial of some records, the peak of memory that its graph plans beside the one that was measured, largest
// plan first. Measured is what the process had over its baseline (runtime and data loaded), or what the device held.
//   node packages/bench/experiments/planned-against-measured.js RECORDS...
// RECORDS are directories that bench wrote, or files of JSON lines.
import { formatBytes, formatTable } from '../dist/format.js'
import { readRecords } from '../dist/sweep/store.js'

const rows = process.argv
  .slice(2)
  .flatMap(readRecords)
  .filter(({ status }) => status === 'ok')
  .map(({ trial, cost, memory }) => {
    const { devicePeakBytes, peakRssBytes, baselineRssBytes } = memory
    const baseline = devicePeakBytes === undefined ? baselineRssBytes : 0
    const measured = (devicePeakBytes ?? peakRssBytes) - baseline
    return { trial, planned: cost.planned.peakBytes, baseline, measured }
  })
  .toSorted((a, b) => b.planned - a.planned)
if (rows.length === 0) throw new Error('give records with a trial that is ok')

console.log(
  formatTable(
    ['method', 'teacher', 'student', 'batch', 'backend', 'baseline', 'planned', 'measured', 'm/p'],
    rows.map(({ trial, planned, baseline, measured }) => [
      trial.method,
      trial.teacher?.name ?? '-',
      trial.student.name,
      `${trial.batch}`,
      trial.backend,
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
