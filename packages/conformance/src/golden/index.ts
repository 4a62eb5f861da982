// Tensors computed by PyTorch, kept in golden/ at the root of the repository, and the conformance cases made of them.
export { goldenConformance } from './cases.js'
export {
  goldenCases,
  goldenDirectory,
  goldenOperator,
  relativeError,
  type GoldenEntry,
  type OperatorEntry,
} from './golden.js'
