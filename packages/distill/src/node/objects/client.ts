// Opens the client of object stores that speak the S3 API. The AWS SDK is loaded only if an address of an object is used: it is an
// optional peer. Endpoint, region and credentials are those of the standard AWS variables and files.
import { createRequire } from 'node:module'
import { join } from 'node:path'

import type * as Sdk from '@aws-sdk/client-s3'
import { messageOf, UserError } from '@embed-kd/core'

import { formatAddress, type Address } from './address.js'

export type { Sdk }

const PACKAGE = '@aws-sdk/client-s3'

/** Places where the SDK may be installed: beside this package, or in the user's project. */
const places = (): string[] => [import.meta.url, join(process.cwd(), 'package.json')]

/** @throws UserError that says what to install. */
export function loadSdk(from: readonly string[] = places()): typeof Sdk {
  for (const place of from) {
    const require = createRequire(place)
    if (isInstalled(require)) return require(PACKAGE) as typeof Sdk
  }
  throw new UserError(
    `addresses that begin with s3:// need ${PACKAGE}, which is not installed`,
    `run npm install ${PACKAGE}`,
  )
}

function isInstalled(require: NodeJS.Require): boolean {
  try {
    require.resolve(PACKAGE)
    return true
  } catch {
    return false
  }
}

/** Returns the address of the store, if it is not that of AWS. */
export const endpointOf = (): string | undefined =>
  process.env['AWS_ENDPOINT_URL_S3'] || process.env['AWS_ENDPOINT_URL']

export function openClient({ S3Client }: typeof Sdk): Sdk.S3Client {
  const { AWS_REGION, AWS_DEFAULT_REGION } = process.env
  const hasEndpoint = endpointOf() !== undefined
  // Stores at an endpoint of their own seldom have a host name for each bucket, and seldom a region.
  const region = AWS_REGION || AWS_DEFAULT_REGION || (hasEndpoint ? 'us-east-1' : undefined)
  return new S3Client({ forcePathStyle: hasEndpoint, ...(region ? { region } : {}) })
}

/** Returns the HTTP status of an answer that the client throws. */
export const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode

/** Returns the error to throw if the store refuses or cannot be reached. */
export function requestFailure(address: Address, error: unknown): Error {
  const text = formatAddress(address)
  const { name } = error as Error
  const status = statusOf(error)
  if (error instanceof UserError || name === 'AbortError') return error as Error
  if (name === 'CredentialsProviderError')
    return new UserError(
      `${text}: there are no credentials (${messageOf(error)})`,
      'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE',
    )
  if (name === 'NoSuchBucket')
    return new UserError(`${text}: there is no such bucket`, 'check the address')
  if (status === 404) return new UserError(`${text}: there is no such object`, 'check the address')
  if (status === 403)
    return new UserError(
      `${text}: access is denied (${name})`,
      'check the credentials, and what they may do with the bucket',
    )
  if (status === 412)
    return new UserError(`${text}: it changed while it was read`, 'repeat the command')
  const reason = messageOf(error) || (error as NodeJS.ErrnoException).code || name
  return new UserError(
    `${text}: the store does not answer as it should (${reason})`,
    'check AWS_ENDPOINT_URL and AWS_REGION, then repeat the command',
  )
}
