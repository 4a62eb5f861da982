// The page's half of browser tests: what a test may ask of the backend that the page was bundled with.
import { conform } from '@embed-kd/conformance'
import type { Backend, BackendFactory } from '@embed-kd/core'
import { losses } from './training.js'

export interface Training {
  readonly losses: readonly number[]
  readonly versions: Readonly<Record<string, string>>
  /** Number of buffers left at the end. */
  readonly buffers: number
}

export interface Conformance {
  /** Number of cases of each status. */
  readonly counts: Readonly<Record<string, number>>
  readonly failures: readonly string[]
}

/** The functions that a test may call, beside those of its own page. */
export interface OnPage {
  /** Trains a small student. */
  train(device: string, steps: number): Promise<Training>
  /** Runs the conformance suite. */
  conform(device: string): Promise<Conformance>
  /** Returns why each device cannot be used; undefined for those that can. */
  reasons(): Promise<Record<string, string | undefined>>
}

/** Lets tests call functions of this page. */
export function offer(factory: BackendFactory, others: object = {}): void {
  const using = async <T>(device: string, work: (backend: Backend) => Promise<T>): Promise<T> => {
    const backend = await factory.create(device)
    try {
      return await work(backend)
    } finally {
      await backend.dispose()
    }
  }
  const functions: OnPage = {
    train: (device, steps) =>
      using(device, async (backend) => ({
        losses: await losses(backend, steps),
        versions: backend.versions,
        buffers: backend.memory().buffers,
      })),
    conform: (device) =>
      using(device, async (backend) => {
        const counts: Record<string, number> = {}
        const failures: string[] = []
        for await (const result of conform(backend)) {
          counts[result.status] = (counts[result.status] ?? 0) + 1
          if (result.status === 'failed') failures.push(`${result.name}: ${result.failure}`)
        }
        return { counts, failures }
      }),
    async reasons() {
      const reasons: Record<string, string | undefined> = {}
      for (const device of factory.devices) {
        const found = await factory.probe(device)
        reasons[device] = found.available ? undefined : found.reason
      }
      return reasons
    },
  }
  Object.assign(globalThis, { onPage: { ...functions, ...others } })
}
