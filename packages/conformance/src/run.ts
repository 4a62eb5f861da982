// Runs a case on a backend and never throws. The result says what is wrong, where the error begins, and whether it is excused.
import type { Backend, Excuse } from '@embed-kd/core'
import { print } from '@embed-kd/core'
import type { CaseResult, ConformanceCase, NumericCase } from './case.js'
import { locate } from './locate.js'
import { observe } from './numeric.js'

export const isExcused = (excuse: Excuse, name: string): boolean =>
  excuse.case.endsWith('*') ? name.startsWith(excuse.case.slice(0, -1)) : name === excuse.case

/**
 * Runs a case. A failure with an excuse is `excused`. A pass with an excuse is `failed`, so that no excuse outlives its reason.
 * Never throws.
 */
export async function runCase(backend: Backend, testCase: ConformanceCase): Promise<CaseResult> {
  const { name, contract } = testCase
  const start = Date.now()
  const { failure, worstShare } = await attempt(backend, testCase)
  const base = {
    name,
    contract,
    milliseconds: Date.now() - start,
    ...(worstShare !== undefined && { worstShare }),
  }
  const excuse = backend.capabilities.excuses.find((excuse) => isExcused(excuse, name))
  if (excuse && failure !== undefined)
    return { ...base, status: 'excused', reason: excuse.reason, failure }
  if (excuse)
    return {
      ...base,
      status: 'failed',
      failure: `passes, but ${excuse.case} is excused (${excuse.reason}): remove or narrow the excuse`,
    }
  return failure === undefined
    ? { ...base, status: 'passed' }
    : { ...base, status: 'failed', failure }
}

interface Outcome {
  readonly failure?: string
  readonly worstShare?: number
}

/** Runs a case and checks that no buffer is left. */
async function attempt(backend: Backend, testCase: ConformanceCase): Promise<Outcome> {
  try {
    const before = backend.memory()
    const outcome =
      testCase.kind === 'numeric'
        ? await runNumeric(backend, testCase)
        : ((await testCase.run(backend)) ?? {})
    const { buffers, bytes } = backend.memory()
    if (outcome.failure || (buffers === before.buffers && bytes === before.bytes)) return outcome
    return {
      failure:
        `B3: ${before.buffers} buffers of ${before.bytes} bytes were alive before, and ${buffers} of ${bytes} ` +
        'after all that the case made was disposed',
    }
  } catch (error) {
    return { failure: (error as Error).message }
  }
}

async function runNumeric(backend: Backend, testCase: NumericCase): Promise<Outcome> {
  try {
    const { failure, worstShare } = await observe(backend, testCase)
    if (!failure) return { worstShare }
    return { failure: [failure, await locate(backend, testCase), shown(testCase)].join('\n') }
  } catch (error) {
    return { failure: `${(error as Error).message}\n${shown(testCase)}` }
  }
}

/** Maximum number of lines of a graph in a failure. */
const LINES = 40

function shown({ graph }: NumericCase): string {
  const lines = print(graph).split('\n')
  if (lines.length <= LINES) return lines.join('\n')
  return [...lines.slice(0, LINES), `  … and ${lines.length - LINES} more lines`].join('\n')
}
