// The suite: all cases for a backend's capabilities, and running them one after another.
import type { Backend, Capabilities, Excuse } from '../backend/backend.js'
import { isComposite } from '../graph/ops.js'
import { lower } from '../lower/lower.js'
import type { CaseResult, ConformanceCase } from './case.js'
import { bufferCases } from './cases/buffers.js'
import { compositeCases } from './cases/composites.js'
import { contractCases } from './cases/contracts.js'
import type { NumericDefinition } from './cases/define.js'
import { donationCases } from './cases/donation.js'
import { elementwiseCases } from './cases/elementwise.js'
import { gradientCases } from './cases/gradients.js'
import { layoutCases } from './cases/layout.js'
import { programCases, programProcedures } from './cases/programs.js'
import { randomCases } from './cases/random.js'
import { reductionFamilies } from './cases/reductions.js'
import { runCases } from './cases/runs.js'
import { numericCase } from './numeric.js'
import { sampleGraphs } from './random-graph.js'
import { isExcused, runCase } from './run.js'

/** How many random graphs the suite runs; a property test draws as many as it likes. */
const SAMPLES = 60

const samples = (): NumericDefinition[] =>
  sampleGraphs(SAMPLES).map(({ graph, inputs }, i) => ({
    name: `random graph/${i}`,
    contract: 'B15',
    graph,
    inputs,
  }))

/**
 * Every case for a backend of these capabilities: numeric cases of the dtypes it has; graphs with composites that it runs natively
 * a second time, decomposed; and the procedures of the backend contract.
 */
export function conformanceCases(capabilities: Capabilities): ConformanceCase[] {
  const { composites, dtypes } = capabilities
  const definitions = [
    ...layoutCases(),
    ...elementwiseCases(),
    ...reductionFamilies(),
    ...compositeCases(),
    ...gradientCases(),
    ...samples(),
    ...programCases(),
  ].filter(({ graph }) => graph.types.every(({ dtype }) => dtypes.includes(dtype)))
  const numeric = definitions.flatMap((definition) => {
    const asIs = numericCase(definition, capabilities)
    const native = definition.graph.nodes.some(
      ({ op }) => isComposite(op) && composites.includes(op),
    )
    if (!native) return [asIs]
    const graph = lower(definition.graph)
    return [asIs, { ...asIs, name: `${asIs.name}, decomposed`, graph }]
  })
  return [
    ...contractCases(),
    ...bufferCases(),
    ...numeric,
    ...donationCases(),
    ...runCases(),
    ...randomCases(),
    ...programProcedures(),
  ]
}

/** The excuses that no case of the whole suite answers to. */
export const idleExcuses = ({ capabilities }: Backend): Excuse[] => {
  const names = conformanceCases(capabilities).map(({ name }) => name)
  return capabilities.excuses.filter((excuse) => !names.some((name) => isExcused(excuse, name)))
}

/** Runs the whole suite, or some cases, one after another. With the whole suite, an excuse that no case answers to fails too. */
export async function* conform(
  backend: Backend,
  cases?: readonly ConformanceCase[],
): AsyncGenerator<CaseResult> {
  for (const testCase of cases ?? conformanceCases(backend.capabilities))
    yield await runCase(backend, testCase)
  if (cases) return
  for (const excuse of idleExcuses(backend))
    yield {
      name: `excuse/${excuse.case}`,
      contract: 'capabilities.excuses',
      milliseconds: 0,
      status: 'failed',
      failure: `no case is called ${excuse.case}: remove the excuse (${excuse.reason})`,
    }
}
