// Numbers as people read them, and tables for the terminal.

const scaled = (value: number, base: number, units: readonly string[]): string => {
  let power = 0
  while (value >= base && power < units.length - 1) {
    value /= base
    power++
  }
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${units[power]}`
}

/** `1.25 GiB` */
export const formatBytes = (bytes: number): string =>
  scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB'])

/** `3.40 GFLOP`; with `/s` after it for rates. */
export const formatFlops = (flops: number): string =>
  scaled(flops, 1000, ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP', 'PFLOP', 'EFLOP'])

/** A measured time: `24.1 ms`, `1.08 s`. */
export const formatSeconds = (seconds: number): string =>
  seconds < 1 ? scaled(seconds * 1e6, 1000, ['µs', 'ms']) : `${seconds.toPrecision(3)} s`

/** A time to wait: `45 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`. */
export function formatDuration(seconds: number): string {
  const s = Math.round(seconds)
  if (s < 60) return `${s} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${`${s % 60}`.padStart(2, '0')} s`
  if (s < 86_400)
    return `${Math.floor(s / 3600)} h ${`${Math.floor((s % 3600) / 60)}`.padStart(2, '0')} min`
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`
}

export const formatShare = (share: number): string => `${(100 * share).toFixed(1)} %`

/** What mixed precision did to a training: `65536 (steps skipped: 2)`. */
export const formatLossScale = ({
  last,
  skippedSteps,
}: {
  readonly last: number
  readonly skippedSteps: number
}): string => `${last} (steps skipped: ${skippedSteps})`

/** Rows under a header, columns as wide as their widest cell; numbers, which begin with a digit, to the right. */
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
