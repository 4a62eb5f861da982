// Backends by the name a user gives: our own, or a plug-in from a file or a package. All are ES modules that export
// `backend: BackendFactory`, and are loaded only when named, so that no trial carries the memory of another's runtime.
import { fileURLToPath } from 'node:url'

import {
  describeValue,
  guess,
  messageOf,
  referenceBackend,
  UserError,
  type Backend,
  type BackendFactory,
  type DeviceOptions,
  type DType,
  type Precision,
} from '@embed-kd/core'
import {
  digestModule,
  importUserModule,
  isModulePath,
  specifierOf,
  type ModuleReference,
} from './files/user-module.js'
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
  /** The module of a plug-in. */
  readonly module?: ModuleReference
}

export const ownBackends: readonly string[] = Object.keys(OWN)

/**
 * Finds a backend by its specification: `ort:cpu`, `ort` (its first device), `./my-backend.js`, `./my-backend.js:gpu`, or
 * the name of an installed package.
 * @throws UserError if there is no such backend, or it has no such device.
 */
export async function resolveBackend(spec: string): Promise<ResolvedBackend> {
  const { prefix, device: given } = partsOf(spec)
  const { factory, module } = await loadFactory(spec, prefix)
  const device = given ?? factory.devices[0]!
  if (!factory.devices.includes(device))
    throw new UserError(
      `backend ${prefix} has no device "${device}"`,
      `${guess(device, factory.devices)}choose one of ${factory.devices.map((d) => `${prefix}:${d}`).join(', ')}`,
    )
  const name = `${factory.name}:${device}`
  return { factory: traceFactory(factory), device, name, ...(module && { module }) }
}

/** Returns a specification with the path of a plug-in as one from the working directory, as records keep it. */
export function backendSpec(spec: string): string {
  const { prefix, device } = partsOf(spec)
  if (!isModulePath(prefix)) return spec
  return `${specifierOf(prefix)}${device === undefined ? '' : `:${device}`}`
}

function partsOf(spec: string): { readonly prefix: string; readonly device?: string } {
  const colon = spec.lastIndexOf(':')
  return colon < 0
    ? { prefix: spec }
    : { prefix: spec.slice(0, colon), device: spec.slice(colon + 1) }
}

/** Opens a backend, which `await using` disposes of. @throws UserError with cause and remedy if the device cannot be used here, or cannot train in this precision. */
export async function openBackend(
  spec: string,
  precision: Precision = 'float32',
  options?: DeviceOptions,
): Promise<Backend & AsyncDisposable> {
  if (typeof spec !== 'string')
    throw new UserError(
      `the backend is ${describeValue(spec)}`,
      'give its name and device, such as ort:cpu',
    )
  const { factory, device, name } = await resolveBackend(spec)
  const availability = await factory.probe(device)
  if (!availability.available)
    throw new UserError(`${name} cannot be used here: ${availability.reason}`, availability.remedy)
  const backend = await factory.create(device, options)
  const complaint = complaintOf(name, backend.capabilities.dtypes, precision)
  if (!complaint) return Object.assign(backend, { [Symbol.asyncDispose]: () => backend.dispose() })
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

interface Loaded {
  readonly factory: BackendFactory
  readonly module?: ModuleReference
}

async function loadFactory(spec: string, prefix: string): Promise<Loaded> {
  const own = OWN[prefix]
  if (own) return { factory: factoryIn(await load(spec, own), spec) }
  const { exports, ...module } = isModulePath(prefix)
    ? await importUserModule(prefix, 'backend')
    : await importPackage(spec, prefix)
  const factory = factoryIn(exports, spec)
  if (factory.name in OWN)
    throw new UserError(
      `backend "${spec}" calls itself "${factory.name}", and records would take it for the backend of that name`,
      `give it a name of its own; ${ownBackends.join(', ')} are reserved`,
    )
  return { factory, module }
}

async function load(spec: string, run: () => Promise<unknown>): Promise<unknown> {
  try {
    return await run()
  } catch (error) {
    throw new UserError(
      `backend "${spec}" cannot be loaded: ${messageOf(error)}`,
      'check that its package is installed whole: npm install',
    )
  }
}

/** Imports a plug-in that is installed as a package. */
async function importPackage(spec: string, name: string) {
  let url: string
  try {
    url = import.meta.resolve(name)
  } catch {
    throw new UserError(
      `unknown backend "${spec}"`,
      `${guess(name, ownBackends)}choose one of ${ownBackends.join(', ')} (embed-kd doctor lists their devices), ` +
        'or give a plug-in as ./path.js or as the name of an installed package',
    )
  }
  const exports = await load(spec, () => importModule(url))
  return { exports, specifier: name, digest: digestModule(fileURLToPath(url)) }
}

function factoryIn(module: unknown, spec: string): BackendFactory {
  const { backend } = module as { backend?: unknown }
  if (!isFactory(backend))
    throw new UserError(
      `backend "${spec}" is a module without a backend in it`,
      'it must export { backend } with name, devices, probe and create (BackendFactory of @embed-kd/core)',
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
