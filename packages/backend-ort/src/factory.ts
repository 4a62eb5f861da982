// Makes a backend factory of a set of devices. index.ts gives it those of Node, browser.ts those of a browser.
import { UserError, guess, messageOf, type Availability, type BackendFactory } from '@embed-kd/core'
import { OrtBackend } from './backend.js'
import type { Device } from './devices/device.js'

/** Returns ONNX Runtime as a backend on the given devices. Each device loads its runtime when it is first asked for. */
export function ortFactory(devices: readonly Device[]): BackendFactory {
  const names = devices.map(({ name }) => name)

  async function probe(name: string): Promise<Availability> {
    const device = devices.find((device) => device.name === name)
    if (!device)
      return {
        available: false,
        reason: `ort has no device "${name}" here`,
        remedy: `${guess(name, names)}choose one of ${names.join(', ')}`,
      }
    try {
      return await device.probe(await device.runtime.load())
    } catch (error) {
      return { available: false, reason: messageOf(error), remedy: device.runtime.remedy }
    }
  }

  return {
    name: 'ort',
    devices: names,
    probe,
    async create(name, options) {
      const availability = await probe(name)
      if (!availability.available)
        throw new UserError(
          `ort:${name} cannot be used: ${availability.reason}`,
          availability.remedy,
        )
      return OrtBackend.open(
        devices.find((device) => device.name === name)!,
        options,
      )
    },
  }
}
