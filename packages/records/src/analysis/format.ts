// Numbers and names as readers see them, the same in the terminal, in tables and on the page. Prefixes are decimal
// (1 MB = 10^6 bytes): the paper counts so, log axes have round ticks in them, and GPU makers' data sheets use them.
import { isMethod, methods } from '@embed-kd/core'

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** Returns three significant digits, without an exponent. */
export function significant(value: number, digits = 3): string {
  if (value === 0) return '0'
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))))
  return decimals === 0 ? WHOLE.format(value) : value.toFixed(Math.min(decimals, 6))
}

type Units = readonly (readonly [size: number, name: string])[]

/** Writes the value in the largest unit that it reaches after rounding: 999.9 kB is 1.00 MB. */
function scaled(value: number, units: Units): string {
  const rounded = Math.abs(Number(value.toPrecision(3)))
  const [size, name] = units.find(([size]) => rounded >= size) ?? units.at(-1)!
  return `${significant(value / size)} ${name}`
}

const BYTES: Units = [
  [1e12, 'TB'],
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'kB'],
  [1, 'B'],
]

const SECONDS: Units = [
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
  [1e-3, 'ms'],
  [1e-6, 'µs'],
]

const FLOPS: Units = [
  [1e18, 'EFLOP'],
  [1e15, 'PFLOP'],
  [1e12, 'TFLOP'],
  [1e9, 'GFLOP'],
  [1e6, 'MFLOP'],
  [1e3, 'kFLOP'],
  [1, 'FLOP'],
]

export function formatBytes(bytes: number): string {
  return scaled(bytes, BYTES)
}

export function formatSeconds(seconds: number): string {
  return scaled(seconds, SECONDS)
}

export function formatFlops(flops: number): string {
  return scaled(flops, FLOPS)
}

export function formatJoules(joules: number): string {
  return scaled(joules, [
    [1e3, 'kJ'],
    [1, 'J'],
    [1e-3, 'mJ'],
  ])
}

export function formatCount(value: number): string {
  return value >= 1e6 ? `${significant(value / 1e6)} M` : WHOLE.format(value)
}

export function formatPercent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

export function formatRate(perSecond: number): string {
  return significant(perSecond)
}

/** Writes a difference of shares in percentage points with its sign: `+0.42 points`. */
export function formatPoints(difference: number): string {
  return `${signed(difference)} points`
}

/** Writes an interval of such a difference: `−0.55 to +0.37 points`. */
export function formatPointsRange([low, high]: readonly [number, number]): string {
  return `${signed(low)} to ${signed(high)} points`
}

function signed(share: number): string {
  const digits = (Math.abs(share) * 100).toFixed(2)
  if (Number(digits) === 0) return '0.00'
  return `${share < 0 ? '−' : '+'}${digits}`
}

/** Writes a ratio with its sign: 64×, 9.3×, 1.28×, 0.016×. Values close to 1 keep more digits. */
export function formatRatio(ratio: number): string {
  const close = Math.abs(Math.log(ratio)) < 0.05
  if (close) return `${ratio.toFixed(3)}×`
  if (ratio < 1) return `${significant(ratio, 2)}×`
  if (ratio >= 10) return `${WHOLE.format(ratio)}×`
  return `${ratio.toFixed(ratio >= 2 ? 1 : 2)}×`
}

export function formatRange([low, high]: readonly [number, number]): string {
  return `${formatRatio(low).slice(0, -1)}–${formatRatio(high)}`
}

/** Writes a number of things, singular or plural: `counted(3, 'run')` is `3 runs`. */
export function counted(count: number, noun: string): string {
  return `${WHOLE.format(count)} ${noun}${count === 1 ? '' : 's'}`
}

export function listed(items: readonly string[], conjunction = 'and'): string {
  if (items.length < 2) return items.join('')
  return `${items.slice(0, -1).join(', ')} ${conjunction} ${items.at(-1)}`
}

/** Lists the first few of many items and counts the rest. */
export function abridged(items: readonly string[], most = 4): string {
  return items.length > most + 1
    ? `${items.slice(0, most).join(', ')} and ${WHOLE.format(items.length - most)} more`
    : listed(items)
}

/** Returns a method's label (`Embed-KD`); a name that core does not know stands for itself. */
export function methodName(method: string): string {
  return isMethod(method) ? methods[method].label : method
}

const STATUS_NAMES: Readonly<Record<string, string>> = {
  ok: 'finished',
  oom: 'out of memory',
  timeout: 'timed out',
  error: 'failed',
  skipped: 'skipped',
}

export function statusName(status: string): string {
  return STATUS_NAMES[status] ?? status
}
