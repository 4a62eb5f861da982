// Backends by the name a user gives: our own, or a plug-in from a file or a package. All are ES modules that export
// `backend: BackendFactory`, and are loaded only when named, so that no trial carries the memory of another's runtime.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import {
  referenceBackend,
  type Backend,
  type BackendFactory,
  type DType,
  type Precision,
} from '@embed-kd/core'

import { UserError, guess, messageOf } from '@embed-kd/core'
import { traceFactory } from './traced-backend.js'

const OWN: Readonly<Record<string, () => Promise<unknown>>> = {
  ort: () => import('@embed-kd/backend-ort'),
  tfjs: () => importModule('@embed-kd/backend-tfjs'),
  reference: async () => ({ backend: referenceBackend }),
}

const importModule = (specifier: string): Promise<unknown> => import(specifier)

export interface ResolvedBackend {
  readonly factory: BackendFactory
  readonly device: string
  /** `ort:cpu` */
  readonly name: string
}

export const ownBackends: readonly string[] = Object.keys(OWN)

/**
 * Finds a backend by its specification: `ort:cpu`, `ort` (its first device), `./my-backend.js`, `./my-backend.js:gpu`, or
 * the name of an installed package.
 * @throws UserError if there is no such backend, or it has no such device.
 */
export async function resolveBackend(spec: string): Promise<ResolvedBackend> {
  const colon = spec.lastIndexOf(':')
  const [prefix, given] =
    colon < 0 ? [spec, undefined] : [spec.slice(0, colon), spec.slice(colon + 1)]
  const factory = await loadFactory(spec, prefix)
  const device = given ?? factory.devices[0]!
  if (!factory.devices.includes(device))
    throw new UserError(
      `backend ${prefix} has no device "${device}"`,
      `${guess(device, factory.devices)}choose one of ${factory.devices.map((d) => `${prefix}:${d}`).join(', ')}`,
    )
  return { factory: traceFactory(factory), device, name: `${factory.name}:${device}` }
}

/** Opens a backend. @throws UserError with cause and remedy if the device cannot be used here, or cannot train in this precision. */
export async function openBackend(
  spec: string,
  precision: Precision = 'float32',
): Promise<Backend> {
  const { factory, device, name } = await resolveBackend(spec)
  const availability = await factory.probe(device)
  if (!availability.available)
    throw new UserError(`${name} cannot be used here: ${availability.reason}`, availability.remedy)
  const backend = await factory.create(device)
  const complaint = complaintOf(name, backend.capabilities.dtypes, precision)
  if (!complaint) return backend
  await backend.dispose()
  throw new UserError(complaint.reason, complaint.remedy)
}

export interface Complaint {
  readonly reason: string
  readonly remedy: string
}

/** Returns why a backend of these dtypes cannot train in a precision; undefined if it can. */
export const complaintOf = (
  name: string,
  dtypes: readonly DType[],
  precision: Precision = 'float32',
): Complaint | undefined =>
  precision === 'float32' || dtypes.includes('float16')
    ? undefined
    : {
        reason: `${name} has no float16 here, which ${precision} computes in`,
        remedy: 'choose --precision float32, or a backend that embed-kd doctor shows with float16',
      }

async function loadFactory(spec: string, prefix: string): Promise<BackendFactory> {
  const isPath = /^\.{0,2}\//.test(prefix)
  const load =
    OWN[prefix] ?? (() => importModule(isPath ? pathToFileURL(resolve(prefix)).href : prefix))
  let module: unknown
  try {
    module = await load()
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (!isPath && !OWN[prefix] && code.endsWith('MODULE_NOT_FOUND'))
      throw new UserError(
        `unknown backend "${spec}"`,
        `${guess(prefix, ownBackends)}choose one of ${ownBackends.join(', ')} (embed-kd doctor lists their devices), ` +
          'or give a plug-in as ./path.js or as the name of an installed package',
      )
    throw new UserError(
      `backend "${spec}" cannot be loaded: ${messageOf(error)}`,
      'check that the module is there and runs by itself: node -e "import(\'…\')"',
    )
  }
  const { backend } = module as { backend?: unknown }
  if (!isFactory(backend))
    throw new UserError(
      `backend "${spec}" is a module without a backend in it`,
      'it must export { backend } with name, devices, probe and create (BackendFactory of @embed-kd/core)',
    )
  if (!OWN[prefix] && backend.name in OWN)
    throw new UserError(
      `backend "${spec}" calls itself "${backend.name}", and records would take it for the backend of that name`,
      `give it a name of its own; ${ownBackends.join(', ')} are reserved`,
    )
  return backend
}

const isFactory = (value: unknown): value is BackendFactory =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as BackendFactory).name === 'string' &&
  Array.isArray((value as BackendFactory).devices) &&
  typeof (value as BackendFactory).probe === 'function' &&
  typeof (value as BackendFactory).create === 'function'
