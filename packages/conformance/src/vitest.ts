// Registers the suite with a test runner, one test for each case. The runner's functions are arguments, so no runner is imported.
import type { Backend } from '@embed-kd/core'
import type { ConformanceCase } from './case.js'
import { runCase } from './run.js'
import { conformanceCases, idleExcuses } from './suite.js'

/** The functions of a test runner that are needed. vitest and other runners have them. */
export interface TestRunner {
  describe(name: string, body: () => void): void
  it(name: string, body: (context: { skip(note?: string): void }) => Promise<void>): void
}

/**
 * Registers the whole suite, or the given cases, as tests. An excused case is skipped with its reason.
 *
 * @example
 * import { describe, it } from 'vitest'
 * describeConformance({ describe, it }, await myBackend.create('cpu'))
 */
export function describeConformance(
  { describe, it }: TestRunner,
  backend: Backend,
  cases?: readonly ConformanceCase[],
): void {
  describe(`${backend.name} conforms`, () => {
    for (const testCase of cases ?? conformanceCases(backend.capabilities))
      it(`${testCase.name} (${testCase.contract})`, async (context) => {
        const result = await runCase(backend, testCase)
        if (result.status === 'excused') context.skip(result.reason)
        if (result.status === 'failed') throw new Error(result.failure)
      })
    if (cases) return
    it('every excuse answers to a case', async () => {
      const idle = idleExcuses(backend).map((excuse) => excuse.case)
      if (idle.length > 0) throw new Error(`no case is called ${idle.join(', ')}`)
    })
  })
}
