// Numbers and names as readers see them. Decimal prefixes (1 MB = 10^6 bytes), as in the paper.
import { isMethod, methods } from '@embed-kd/core'

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** Three significant digits, without an exponent. */
export function significant(value: number, digits = 3): string {
  if (value === 0) return '0'
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))))
  return decimals === 0 ? WHOLE.format(value) : value.toFixed(Math.min(decimals, 6))
}

function scaled(value: number, steps: readonly (readonly [number, string])[]): string {
  const [unit, name] = steps.find(([unit]) => Math.abs(value) >= unit) ?? steps.at(-1)!
  return `${significant(value / unit)} ${name}`
}

export function formatBytes(bytes: number): string {
  return scaled(bytes, [
    [1e12, 'TB'],
    [1e9, 'GB'],
    [1e6, 'MB'],
    [1e3, 'kB'],
    [1, 'B'],
  ])
}

export function formatSeconds(seconds: number): string {
  return scaled(seconds, [
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
    [1e-3, 'ms'],
    [1e-6, 'µs'],
  ])
}

export function formatFlops(flops: number): string {
  return scaled(flops, [
    [1e15, 'PFLOP'],
    [1e12, 'TFLOP'],
    [1e9, 'GFLOP'],
    [1e6, 'MFLOP'],
    [1, 'FLOP'],
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

/** A ratio with its sign: 64×, 9.3×, 1.28×, 0.016×. More digits are kept where it is close to 1. */
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

/** Singular or plural: `counted(3, 'run')` is `3 runs`. */
export function counted(count: number, noun: string): string {
  return `${WHOLE.format(count)} ${noun}${count === 1 ? '' : 's'}`
}

export function listed(items: readonly string[], conjunction = 'and'): string {
  if (items.length < 2) return items.join('')
  return `${items.slice(0, -1).join(', ')} ${conjunction} ${items.at(-1)}`
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
