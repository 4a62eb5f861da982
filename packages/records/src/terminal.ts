// Tables and durations for the terminal. Numbers are written by the same functions as on the page, so that both name a
// quantity alike.
import type { BenchRecord } from './schema.js'

export {
  formatBytes,
  formatFlops,
  formatPercent as formatShare,
  formatSeconds,
} from './analysis/format.js'

/** Writes a time to wait: `45 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`. */
export function formatDuration(seconds: number): string {
  const s = Math.round(seconds)
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${`${s % 60}`.padStart(2, '0')} s`
  if (s < 86_400)
    return `${Math.floor(s / 3600)} h ${`${Math.floor((s % 3600) / 60)}`.padStart(2, '0')} min`
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`
}

/** Writes the loss scale after a training in mixed precision: `65536 (steps skipped: 2)`. */
export function formatLossScale({
  last,
  skippedSteps,
}: NonNullable<BenchRecord['lossScale']>): string {
  return `${last} (steps skipped: ${skippedSteps})`
}

/** Writes rows under a header. Columns are as wide as their widest cell, and columns of numbers stand to the right. */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  )
  const toTheRight = header.map((_, column) => rows.every((row) => /^[\d-]/.test(row[column]!)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        toTheRight[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd()
  return [line(header), ...rows.map(line)].join('\n')
}
