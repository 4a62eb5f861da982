// Conformance cases of tensors that PyTorch computed. They are in golden/ at the root of the repository; GOLDEN_DIR names another copy.
export { goldenConformance } from './cases.js'
export {
  goldenCases,
  goldenDirectory,
  goldenOperator,
  relativeError,
  type GoldenEntry,
  type OperatorEntry,
} from './golden.js'
