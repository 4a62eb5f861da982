// The suite: all cases for a backend's capabilities, and running them one after another.
import type { Backend, Capabilities } from '../backend/backend.js'
import { isComposite } from '../graph/ops.js'
import { lower } from '../lower/lower.js'
import { evaluate } from '../reference/evaluate.js'
import { widen, type ReferenceTensor } from '../reference/tensor.js'
import type { HostTensor } from '../tensor/tensor.js'
import { errorBounds, type Precision } from './bounds.js'
import {
  isExcused,
  runCase,
  type CaseResult,
  type ConformanceCase,
  type NumericCase,
} from './case.js'
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
import { expect, type Expected } from './compare.js'
import { sampleGraphs } from './random-graph.js'

/** How many random graphs the suite runs; a property test draws as many as it likes. */
const SAMPLES = 60

/**
 * A numeric case for a device: expected values from the reference, tolerances from the device's precision.
 * @param given expected outputs from elsewhere, computed in float32.
 */
export function numericCase(
  { name, contract, graph, inputs }: NumericDefinition,
  device: Precision,
  given?: Readonly<Record<string, HostTensor>>,
): NumericCase {
  const work = (): ReadonlyMap<string, Expected> => {
    const wide = Object.fromEntries(
      Object.entries(inputs).map(([input, tensor]) => [input, widen(tensor)]),
    )
    const exact: Record<string, ReferenceTensor> = given
      ? Object.fromEntries(Object.entries(given).map(([output, tensor]) => [output, widen(tensor)]))
      : evaluate(graph, wide)
    const bounds = errorBounds(graph, wide, device)
    const others = given && errorBounds(graph, wide, float32)
    return new Map(
      Object.entries(exact).map(([output, tensor]) => {
        const { error } = bounds.get(output)!
        const other = others?.get(output)?.error
        return [
          output,
          expect({ tensor, error: other ? error.map((e, i) => e + other[i]!) : error }),
        ]
      }),
    )
  }
  let known: ReadonlyMap<string, Expected> | undefined
  return { kind: 'numeric', name, contract, graph, inputs, expected: () => (known ??= work()) }
}

/** What is assumed of whoever computed expected values in float32. */
const float32: Precision = {
  precision: { arithmetic: 2 ** -24, transcendental: 2 ** -22 },
  denormals: true,
}

const samples = (): NumericDefinition[] =>
  sampleGraphs(SAMPLES).map(({ graph, inputs }, i) => ({
    name: `random graph/${i}`,
    contract: 'B10',
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

/** Runs cases one after another. An excuse that no case answers to fails too. */
export async function* conform(
  backend: Backend,
  cases: readonly ConformanceCase[] = conformanceCases(backend.capabilities),
): AsyncGenerator<CaseResult> {
  for (const testCase of cases) yield await runCase(backend, testCase)
  for (const excuse of backend.capabilities.excuses)
    if (!cases.some(({ name }) => isExcused(excuse, name)))
      yield {
        name: `excuse/${excuse.case}`,
        contract: 'capabilities.excuses',
        milliseconds: 0,
        status: 'failed',
        failure: `no case is called ${excuse.case}: remove the excuse (${excuse.reason})`,
      }
}
