// Backends by name. Names are `backend:device` (`ort:cpu`); anyone can register more.
import type { Backend, BackendFactory } from './backend.js'

const factories = new Map<string, BackendFactory>()

/** Makes a backend known by its factory's name; a second one of that name replaces the first. */
export function registerBackend(factory: BackendFactory): void {
  factories.set(factory.name, factory)
}

export const registeredBackends = (): readonly BackendFactory[] => [...factories.values()]

/**
 * Finds the factory and device of `ort:cpu`; `ort` alone means its first device.
 * @throws where the name is unknown, listing those that are known.
 */
export function resolveBackend(name: string): { factory: BackendFactory; device: string } {
  const [prefix = '', device] = name.split(':')
  const factory = factories.get(prefix)
  const known = registeredBackends().flatMap((f) => f.devices.map((d) => `${f.name}:${d}`))
  if (!factory || (device !== undefined && !factory.devices.includes(device)))
    throw new Error(
      `unknown backend "${name}"; choose one of ${known.join(', ') || '(none registered)'}`,
    )
  return { factory, device: device ?? factory.devices[0]! }
}

/** Opens a device of a registered backend. */
export async function createBackend(name: string): Promise<Backend> {
  const { factory, device } = resolveBackend(name)
  return factory.create(device)
}
