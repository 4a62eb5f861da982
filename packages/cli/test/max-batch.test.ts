import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { searchLargestBatch } from '@embed-kd/bench'
import { runCli, temporaryDirectory } from './cli.js'
import { writeTinyDataset } from '../../distill/test/tiny.js'

describe('the search for the largest batch', () => {
  it('finds it to one part in sixteen, from any guess, in few attempts', async () => {
    const cases = fc.record({
      limit: fc.integer({ min: 0, max: 5000 }),
      guess: fc.double({ min: -100, max: 1e4, noNaN: true }),
      largest: fc.integer({ min: 1, max: 4000 }),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ limit, guess, largest }) => {
        const { batch, attempts } = await searchLargestBatch(
          guess,
          largest,
          async (candidate) => candidate <= limit,
        )
        const best = Math.min(limit, largest)
        if (best === 0) expect(batch).toBeUndefined()
        else {
          expect(batch).toBeLessThanOrEqual(best)
          expect(batch! + Math.max(1, batch! / 16)).toBeGreaterThanOrEqual(best)
        }
        expect(attempts.every(({ batch: tried, fits }) => fits === tried <= limit)).toBe(true)
        expect(attempts.length).toBeLessThanOrEqual(20)
      }),
    )
  })

  it.runIf(process.platform === 'linux')(
    'runs against a memory limit',
    { timeout: 120_000 },
    async () => {
      const dataset = writeTinyDataset(temporaryDirectory())
      const args = ['--find-max-batch', '--method', 'supervised', '--dataset', dataset, '--json']
      const limited = await runCli('bench', ...args, '--steps', '1', '--memory-limit', '1G')
      const { configurations } = JSON.parse(limited.stdout) as {
        configurations: { maxBatch: number; attempts: object[] }[]
      }
      // All of the tiny training split fits.
      expect(configurations).toMatchObject([{ maxBatch: 120 }])
      const unlimited = await runCli('bench', ...args, '--steps', '1')
      expect(unlimited).toMatchObject({
        code: 1,
        stdout: expect.stringContaining('--memory-limit'),
      })
    },
  )
})
