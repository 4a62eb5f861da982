// A suite is worth what it catches: backends with one mistake each, all of which must be caught. Most are the reference with one
// kernel changed; the others keep the kernels and break a rule of the backend contract.
import { afterAll, describe, expect, it } from 'vitest'
import { conformanceCases, runCase } from '../src/index.js'
import type { Backend, Capabilities } from '@embed-kd/core'
import { ReferenceBackend } from '@embed-kd/core/reference'
import { brokenBackends, wrapped } from './broken-backends.js'
import { brokenKernels } from './broken-kernels.js'

/** What a device with float32 arithmetic declares: mistakes must show through tolerances as wide as that. */
const capabilities: Capabilities = {
  ...new ReferenceBackend().capabilities,
  precision: { arithmetic: 2 ** -24, transcendental: 2 ** -22 },
}

const cases = conformanceCases(capabilities).filter(
  // What takes long is left to those who test a backend; nothing here needs it.
  ({ name }) =>
    !name.startsWith('program/') && !name.includes('million') && !/\d\d\d,\d\d\d/.test(name),
)

/** Names of the cases that fail. */
async function caughtBy(open: () => Backend): Promise<string[]> {
  const caught: string[] = []
  for (const testCase of cases) {
    // A broken backend may be left in any state by a case: each gets a new one.
    const { status } = await runCase(wrapped(open(), { capabilities }), testCase)
    if (status === 'failed') caught.push(testCase.name)
  }
  return caught
}

const table: string[] = []
afterAll(() => console.log(`mutation: cases that fail, the first of them\n${table.join('\n')}`))

describe('every mutation is caught', () => {
  it('and the unbroken backend is not', async () => {
    expect(await caughtBy(() => new ReferenceBackend())).toEqual([])
  })

  const mutations = [
    ...Object.entries(brokenKernels).map(
      ([name, kernels]) => [name, () => new ReferenceBackend(kernels)] as const,
    ),
    ...Object.entries(brokenBackends).map(
      ([name, breaks]) => [name, () => breaks(new ReferenceBackend())] as const,
    ),
  ]
  it.each(mutations)('%s', async (name, open) => {
    const caught = await caughtBy(open)
    table.push(`  ${name}: ${caught.length}, ${caught[0]}`)
    expect(caught.length, `${name} passes the suite`).toBeGreaterThan(0)
  })
})
