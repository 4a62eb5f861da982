// Whether a backend works here, by using it: its own word for it first, then a matrix product that is timed.
import { resolveBackend } from '@embed-kd/distill/node'
import type { ProbeResult } from '../trial/protocol.js'
import { gemmRoofline } from './roofline.js'

export async function probe(spec: string): Promise<ProbeResult> {
  const { factory, device } = await resolveBackend(spec)
  const availability = await factory.probe(device)
  if (!availability.available) return availability
  const backend = await factory.create(device)
  const { flopsPerSecond } = await gemmRoofline(backend, 'float32')
  const { versions, capabilities } = backend
  await backend.dispose()
  const { dtypes } = capabilities
  return { ...availability, versions, dtypes, gemmFlopsPerSecond: flopsPerSecond }
}
