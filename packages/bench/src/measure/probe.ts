// Tells whether a backend works here: what the backend itself says first, then a matrix product that is timed.
import { resolveBackend } from '@embed-kd/distill/node'
import type { Availability, DType } from '@embed-kd/core'
import { gemmRoofline } from './roofline.js'

/** Whether a backend works here, and how fast it multiplies matrices. */
export type ProbeResult =
  | {
      readonly available: true
      readonly detail?: string
      readonly versions: Readonly<Record<string, string>>
      readonly dtypes: readonly DType[]
      /** Speed of large float32 matrix products. */
      readonly gemmFlopsPerSecond: number
    }
  | Extract<Availability, { available: false }>

/** Probes a backend. @throws UserError if there is no such backend. */
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
