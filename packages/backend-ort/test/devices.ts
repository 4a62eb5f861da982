// Which devices a test runs on here. One that cannot be used is printed with its reason, never left out in silence.
import { ortBackend } from '../src/index.js'

/** The devices that `probe` finds usable. */
export async function usableDevices(): Promise<string[]> {
  const usable: string[] = []
  for (const device of ortBackend.devices) {
    const found = await ortBackend.probe(device)
    if (found.available) usable.push(device)
    else console.warn(`skipped ort:${device}: ${found.reason}; ${found.remedy}`)
  }
  return usable
}
