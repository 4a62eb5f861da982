// The suite: all cases for a backend's capabilities, and running them one after another.
import type { Backend, Capabilities, Excuse } from '@embed-kd/core'
import { isComposite } from '@embed-kd/core'
import { lower } from '@embed-kd/core'
import type { CaseResult, ConformanceCase, NumericCase } from './case.js'
import { bufferCases } from './cases/buffers.js'
import { compositeCases } from './cases/composites.js'
import { contractCases } from './cases/contracts.js'
import type { NumericDefinition } from './cases/define.js'
import { donationCases } from './cases/donation.js'
import { elementwiseCases } from './cases/elementwise.js'
import { float16Cases, float16Procedures } from './cases/float16.js'
import { gradientCases } from './cases/gradients.js'
import { layoutCases } from './cases/layout.js'
import { programCases, programProcedures } from './cases/programs.js'
import { randomCases } from './cases/random.js'
import { reductionFamilies } from './cases/reductions.js'
import { runCases } from './cases/runs.js'
import { numericCase } from './numeric.js'
import { sampleGraphs } from './random-graph.js'
import { isExcused, runCase } from './run.js'

/** Number of random graphs in the suite. Property tests draw further ones. */
const SAMPLES = 60

const samples = (): NumericDefinition[] =>
  sampleGraphs(SAMPLES).map(({ graph, inputs }, i) => ({
    name: `random graph/${i}`,
    contract: 'B15',
    graph,
    inputs,
  }))

/** Returns a case, and a second one with its composites decomposed if the backend runs any of them natively. */
function bothWays(
  definition: NumericDefinition,
  { composites, ...device }: Capabilities,
): NumericCase[] {
  const asIs = numericCase(definition, device)
  const native = definition.graph.nodes.some(({ op }) => isComposite(op) && composites.includes(op))
  if (!native) return [asIs]
  const graph = lower(definition.graph)
  return [asIs, { ...asIs, name: `${asIs.name}, decomposed`, graph }]
}

/**
 * Returns every case for a backend of these capabilities: ops in the dtypes that it declares, procedures of the backend contract, and
 * whole programs.
 */
export function conformanceCases(capabilities: Capabilities): ConformanceCase[] {
  const has = ({ graph }: NumericDefinition) =>
    graph.types.every(({ dtype }) => capabilities.dtypes.includes(dtype))
  const inFloat32 = [
    ...layoutCases(),
    ...elementwiseCases(),
    ...reductionFamilies(),
    ...compositeCases(),
    ...gradientCases(),
    ...samples(),
  ]
  const ops = [...inFloat32, ...float16Cases(inFloat32)]
  return [
    ...contractCases(),
    ...bufferCases(),
    ...ops.filter(has).flatMap((definition) => bothWays(definition, capabilities)),
    ...float16Procedures(capabilities.dtypes.includes('float16')),
    ...donationCases(),
    ...runCases(),
    ...randomCases(),
    ...programCases()
      .filter(has)
      .map((definition) => numericCase(definition, capabilities)),
    ...programProcedures(),
  ]
}

/** Returns the excuses that no case of the whole suite has the name of. */
export const idleExcuses = ({ capabilities }: Backend): Excuse[] => {
  const names = conformanceCases(capabilities).map(({ name }) => name)
  return capabilities.excuses.filter((excuse) => !names.some((name) => isExcused(excuse, name)))
}

/** Runs the whole suite, or the given cases, one after another. With the whole suite, an excuse without a case fails too. */
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
