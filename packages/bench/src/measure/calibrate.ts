// How fast a backend is here, for estimates of time before a sweep starts.
import { openBackend } from '../backends.js'
import type { CalibrateResult } from '../trial/protocol.js'
import { gemmRoofline } from './roofline.js'

export async function calibrate(spec: string): Promise<CalibrateResult> {
  const backend = await openBackend(spec)
  const { flopsPerSecond } = await gemmRoofline(backend)
  await backend.dispose()
  return { gemmFlopsPerSecond: flopsPerSecond }
}
