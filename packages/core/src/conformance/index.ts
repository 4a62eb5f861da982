// What every backend must pass, as data and as functions that run it; no test runner is tied in.
export {
  runCase,
  type CaseResult,
  type ConformanceCase,
  type NumericCase,
  type ProcedureCase,
} from './case.js'
export type { Expected } from './compare.js'
export { backendContract, type BackendRule } from './contract.js'
export { graphFromChoices, type RandomGraph } from './random-graph.js'
export { conform, conformanceCases, numericCase } from './suite.js'
export { formatResults } from './table.js'
export { describeConformance, type TestRunner } from './vitest.js'
