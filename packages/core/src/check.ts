// Checks of the arguments of public functions. A broken check is a UserError that names the argument, what was expected, and the
// value that was given.
import { guess, UserError } from './errors.js'

/** Throws a UserError. */
export function fail(cause: string, remedy?: string): never {
  throw new UserError(cause, remedy)
}

/** Returns a value as an error message shows it. */
export const describeValue = (value: unknown): string =>
  typeof value === 'string'
    ? JSON.stringify(value)
    : typeof value === 'object' && value !== null
      ? `an object of type ${value.constructor?.name ?? 'Object'}`
      : String(value)

/** @throws UserError unless a value is a whole number from `least` to `most`. @param what the argument, as a subject. */
export function checkInteger(
  what: string,
  value: unknown,
  least = 1,
  most = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return
  const range =
    most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  fail(`${what} must be a whole number ${range}, got ${describeValue(value)}`)
}

/** An interval of numbers; each bound is part of it unless `open` names the bound. */
export interface Interval {
  readonly least?: number
  readonly most?: number
  readonly open?: 'least' | 'most' | 'both'
}

/** @throws UserError unless a value is a finite number in an interval. */
export function checkNumber(
  what: string,
  value: unknown,
  { least = -Infinity, most = Infinity, open }: Interval = {},
): void {
  const above = (x: number) => (open === 'least' || open === 'both' ? x > least : x >= least)
  const below = (x: number) => (open === 'most' || open === 'both' ? x < most : x <= most)
  if (typeof value === 'number' && Number.isFinite(value) && above(value) && below(value)) return
  const bounds = [
    least === -Infinity
      ? ''
      : open === 'least' || open === 'both'
        ? `above ${least}`
        : `of at least ${least}`,
    most === Infinity
      ? ''
      : open === 'most' || open === 'both'
        ? `below ${most}`
        : `of at most ${most}`,
  ].filter(Boolean)
  const range = bounds.length === 0 ? '' : ` ${bounds.join(' and ')}`
  fail(`${what} must be a finite number${range}, got ${describeValue(value)}`)
}

/** @throws UserError unless a value is one of some names. */
export function checkName(what: string, value: unknown, names: readonly string[]): void {
  if (names.includes(value as string)) return
  const hint = typeof value === 'string' ? guess(value, names) : ''
  fail(
    `${what} must be one of ${names.join(', ')}, got ${describeValue(value)}`,
    hint.trim() || undefined,
  )
}
