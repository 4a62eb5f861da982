// The page of the browser test: trains on tfjs:webgpu when the test asks.
import { tfjsBackend } from '@embed-kd/backend-tfjs'
import { losses } from './training.js'

export interface PageResult {
  readonly losses: readonly number[]
  readonly adapter: string
  /** Of each device, why it is not available, or nothing. */
  readonly reasons: Readonly<Record<string, string | undefined>>
  /** Buffers left at the end. */
  readonly buffers: number
}

async function train(steps: number): Promise<PageResult> {
  const reasons: Record<string, string | undefined> = {}
  for (const device of tfjsBackend.devices) {
    const found = await tfjsBackend.probe(device)
    reasons[device] = found.available ? undefined : found.reason
  }
  const backend = await tfjsBackend.create('webgpu')
  const result = {
    losses: await losses(backend, steps),
    adapter: backend.versions['adapter']!,
    reasons,
    buffers: backend.memory().buffers,
  }
  await backend.dispose()
  return result
}

Object.assign(globalThis, { train })
