// Axes that read well: few round ticks inside the domain, and logarithms only where the values span enough for one.
import type { ScaleOptions } from '@observablehq/plot'
import { significant } from '@embed-kd/records'

/** Below this span a logarithmic axis would have no round ticks left. */
const LOG_SPAN = 2.5

/** A logarithmic axis over positive values, or a linear one where they lie close together. */
export function amountAxis(values: readonly number[], label: string | null): ScaleOptions {
  const low = Math.min(...values)
  const high = Math.max(...values)
  const shared = { label, tickFormat: tickLabel }
  if (high / low < LOG_SPAN) {
    const room = (high - low) * 0.12 || high * 0.1
    return { ...shared, ticks: 5, domain: [Math.max(0, low - room), high + room] }
  }
  const room = (high / low) ** 0.05
  const domain = [low / room, high * room] as const
  return { ...shared, type: 'log', domain, ticks: logTicks(...domain) }
}

const DIGITS = [[1], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9]]

/** Round numbers inside the domain: few digits of each power of ten, more where that leaves under three ticks. */
export function logTicks(low: number, high: number): number[] {
  const powers: number[] = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    powers.push(power)
  const choices = DIGITS.map((digits) =>
    powers
      .flatMap((power) => digits.map((digit) => digit * 10 ** power))
      .filter((tick) => tick >= low && tick <= high),
  )
  return choices.find((ticks) => ticks.length >= 3) ?? choices.at(-1)!
}

/** As few digits as say it: 1, 0.05, 2,000. */
export function tickLabel(value: number): string {
  const text = significant(value, 4)
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}
