// What a conformance case is, and running one on a backend. No test runner is tied in: a case ends in a CaseResult.
import type { Backend, DeviceBuffer, Excuse } from '../backend/backend.js'
import type { Graph } from '../graph/graph.js'
import { print } from '../graph/print.js'
import { verify } from '../graph/verify.js'
import type { HostTensor } from '../tensor/tensor.js'
import { compare, type Expected } from './compare.js'

interface CaseBase {
  /** `family/subject/variant`, unique in the suite. */
  readonly name: string
  /** What it holds the backend to: an op's constraint (`matmul C3`), an op's meaning (`matmul`), or a BackendRule (`B8`). */
  readonly contract: string
}

/** One run of a graph: right where every output is within its tolerance of what is expected. */
export interface NumericCase extends CaseBase {
  readonly kind: 'numeric'
  readonly graph: Graph
  readonly inputs: Readonly<Record<string, HostTensor>>
  /** By output; worked out when first asked for. */
  readonly expected: () => ReadonlyMap<string, Expected>
}

/** What takes more than one run: throws where the backend breaks the contract. */
export interface ProcedureCase extends CaseBase {
  readonly kind: 'procedure'
  readonly run: (backend: Backend) => Promise<void>
}

export type ConformanceCase = NumericCase | ProcedureCase

export type CaseResult = {
  readonly name: string
  readonly contract: string
  readonly milliseconds: number
  /** Of a numeric case: the greatest error seen, as a share of what was allowed. */
  readonly worstShare?: number
} & (
  | { readonly status: 'passed' }
  | { readonly status: 'failed'; readonly failure: string }
  | { readonly status: 'excused'; readonly reason: string; readonly failure: string }
)

export const isExcused = (excuse: Excuse, name: string): boolean =>
  excuse.case.endsWith('*') ? name.startsWith(excuse.case.slice(0, -1)) : name === excuse.case

/**
 * Runs a case. A failure that the backend's excuses declare is `excused`; a pass that they declare a failure is `failed`, so that
 * no excuse outlives its reason. Never throws.
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

/** Runs a case and sees that it left nothing behind. */
async function attempt(backend: Backend, testCase: ConformanceCase): Promise<Outcome> {
  const shown = (failure: string): Outcome => ({
    failure: testCase.kind === 'numeric' ? `${failure}\n${print(testCase.graph)}` : failure,
  })
  try {
    const before = backend.memory()
    const outcome =
      testCase.kind === 'numeric'
        ? await runNumeric(backend, testCase)
        : await testCase.run(backend)
    if (outcome?.failure) return shown(outcome.failure)
    const { buffers, bytes } = backend.memory()
    if (buffers !== before.buffers || bytes !== before.bytes)
      return shown(
        `B3: ${before.buffers} buffers of ${before.bytes} bytes were alive before, and ${buffers} of ${bytes} ` +
          'after all that the case made was disposed',
      )
    return outcome ?? {}
  } catch (error) {
    return shown((error as Error).message)
  }
}

async function runNumeric(
  backend: Backend,
  { graph, inputs, expected }: NumericCase,
): Promise<Outcome> {
  const executable = await backend.compile(graph)
  const held: DeviceBuffer[] = []
  try {
    checkInterface(executable.graph, graph)
    const feeds: Record<string, DeviceBuffer> = {}
    for (const [name, tensor] of Object.entries(inputs)) {
      feeds[name] = await backend.upload(tensor)
      held.push(feeds[name])
    }
    const outputs = await executable.run(feeds)
    held.push(...Object.values(outputs))
    let worstShare = 0
    for (const [name, wanted] of expected()) {
      const buffer = outputs[name]
      if (!buffer) return { failure: `output ${name} is missing` }
      const comparison = compare(name, await backend.read(buffer), wanted)
      if (comparison.failure) return comparison
      worstShare = Math.max(worstShare, comparison.worstShare)
    }
    return { worstShare }
  } finally {
    for (const buffer of held) buffer.dispose()
    await executable.dispose()
  }
}

/** B14. */
function checkInterface(made: Graph, asked: Graph): void {
  verify(made)
  const names = (list: readonly { readonly name: string }[]) =>
    list.map(({ name }) => name).join(', ')
  for (const side of ['inputs', 'outputs'] as const)
    if (names(made[side]) !== names(asked[side]))
      throw new Error(
        `B14: the executable's ${side} are ${names(made[side])}, the graph's ${names(asked[side])}`,
      )
}
