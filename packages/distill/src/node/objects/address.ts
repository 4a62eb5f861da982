// Addresses of objects in a store: s3://bucket/key, and numbered ones such as s3://bucket/train-{000..010}.tar.
import { UserError } from '@embed-kd/core'

export interface Address {
  readonly bucket: string
  /** Name of an object, or the beginning of several names. */
  readonly key: string
}

const SCHEME = 's3://'

export const isObjectAddress = (path: string): boolean => path.startsWith(SCHEME)

export const formatAddress = ({ bucket, key }: Address): string => `${SCHEME}${bucket}/${key}`

/** @throws UserError if there is no bucket. */
export function parseAddress(text: string): Address {
  const rest = text.slice(SCHEME.length)
  const slash = rest.indexOf('/')
  const [bucket, key] = slash < 0 ? [rest, ''] : [rest.slice(0, slash), rest.slice(slash + 1)]
  if (!/^[a-z0-9][a-z0-9._-]+$/i.test(bucket))
    throw new UserError(`${text} names no bucket`, 'give an address such as s3://bucket/directory')
  return { bucket, key }
}

/** More objects than a data set has shards. */
const MOST_NUMBERS = 100_000

/**
 * Returns the addresses that a range of numbers stands for: `{000..010}` is 000, 001 … 010. Text without range stands for itself.
 * @throws UserError if a range is empty or too long.
 */
export function expandRanges(text: string): string[] {
  const [range, first, last] = /\{(\d+)\.\.(\d+)\}/.exec(text) ?? []
  if (range === undefined) return [text]
  const count = Number(last) - Number(first) + 1
  if (!(count >= 1 && count <= MOST_NUMBERS))
    throw new UserError(
      `${text}: ${range} stands for ${Math.max(count, 0)} objects`,
      'give a range such as {000..010}',
    )
  return Array.from({ length: count }, (_, i) =>
    text.replace(range, `${Number(first) + i}`.padStart(first!.length, '0')),
  ).flatMap(expandRanges)
}
