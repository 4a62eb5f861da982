// Axes that read well: few round ticks inside the domain, and logarithms only if the values span enough for one.
import type { ScaleOptions } from '@observablehq/plot'
import { significant } from '@embed-kd/records'

/** Below this span, values of an amount are shown on a linear axis from zero. */
const LOG_SPAN = 4

/** Returns a logarithmic axis if positive values span enough for one, else a linear axis that starts at zero. */
export function amountAxis(
  values: readonly number[],
  label: string | null,
  width?: number,
): ScaleOptions {
  const low = Math.min(...values)
  const high = Math.max(...values)
  if (isLogarithmic(values)) return logAxis([low, high], label, width)
  // Labels of a narrow axis would touch.
  const ticks = width === undefined ? 5 : Math.max(2, Math.min(5, Math.floor(width / 70)))
  return { label, tickFormat: tickLabel, ticks, domain: [0, high * 1.08 || 1] }
}

/** Returns an axis for sizes that are given, not measured: it need not start at zero. */
export function sizeAxis(values: readonly number[], label: string): ScaleOptions {
  const low = Math.min(...values)
  const high = Math.max(...values)
  if (low > 0 && high / low >= LOG_SPAN)
    return logAxis([low, high], `${label.replace(' →', '')}, logarithmic →`)
  const room = (high - low) * 0.12 || high * 0.1
  return { label, tickFormat: tickLabel, ticks: 4, domain: [low - room, high + room] }
}

/** Returns a logarithmic axis for ratios, or a linear one around values too close together for round logarithmic ticks. */
export function ratioAxis(
  [low, high]: readonly [number, number],
  label: string | null,
  width?: number,
): ScaleOptions {
  if (high / low >= 2) return logAxis([low, high], label, width)
  const room = (high - low) * 0.12 || high * 0.1
  return { label, tickFormat: tickLabel, ticks: 4, domain: [low - room, high + room] }
}

function logAxis(
  [low, high]: readonly [number, number],
  label: string | null,
  width?: number,
): ScaleOptions {
  const room = (high / low) ** 0.05
  const domain = [low / room, high * room] as const
  return { label, tickFormat: tickLabel, type: 'log', domain, ticks: logTicks(...domain, width) }
}

export function isLogarithmic(values: readonly number[]): boolean {
  const low = Math.min(...values)
  return low > 0 && Math.max(...values) / low >= LOG_SPAN
}

/** Says after a title how its axis counts, so that no reader takes a logarithm for an amount. */
export function axisNote(values: readonly number[]): string {
  return values.length > 0 && isLogarithmic(values) ? ', logarithmic' : ''
}

const DIGITS = [
  [1],
  [1, 3],
  [1, 2, 5],
  [1, 1.5, 2, 3, 5, 7],
  [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9],
]

const MOST_TICKS = 6
/** Width of a digit of a tick's label, and the least gap between two labels with room for a unit, in pixels. */
const DIGIT = 6.4
const GAP = 16

/**
 * Returns round numbers inside the domain: as many digits of each power of ten as leave labels apart.
 * @param width pixels of a horizontal axis, whose labels stand beside each other.
 */
export function logTicks(low: number, high: number, width?: number): number[] {
  const powers: number[] = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    powers.push(power)
  const choices = DIGITS.map((digits) =>
    powers
      .flatMap((power) => digits.map((digit) => digit * 10 ** power))
      .filter((tick) => tick >= low && tick <= high),
  )
  const pixels = width === undefined ? undefined : width / Math.log(high / low)
  const fit = (ticks: readonly number[]) =>
    pixels === undefined ? ticks.length <= MOST_TICKS : areApart(ticks, pixels)
  const fitting = choices.findLast((ticks) => ticks.length > 1 && fit(ticks))
  if (fitting !== undefined) return fitting
  const fewest = choices.find(({ length }) => length > 1) ?? choices.at(-1)!
  let every = 2
  while (!fit(fewest.filter((_, at) => at % every === 0))) every += 1
  return fewest.filter((_, at) => at % every === 0)
}

/** Whether labels on an axis of so many pixels for a factor of e do not touch. */
function areApart(ticks: readonly number[], pixels: number): boolean {
  return ticks.slice(1).every((tick, at) => {
    const [left, right] = [tickLabel(ticks[at]!), tickLabel(tick)]
    const needed = ((left.length + right.length) / 2) * DIGIT + GAP
    return Math.log(tick / ticks[at]!) * pixels >= needed
  })
}

/** Writes a tick with as few digits as possible: 1, 0.05, 2,000. */
export function tickLabel(value: number): string {
  const text = significant(value, 4)
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}
