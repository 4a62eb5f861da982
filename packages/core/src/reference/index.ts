// The parts of the reference interpreter, for backends built from its kernels and for tests that break a kernel on purpose.
export { byKernels, interpret, evaluate } from './evaluate.js'
export { erf } from './erf.js'
export { sigmoid, binary, unary } from './elementwise.js'
export { type Kernel, type Kernels } from './kernel.js'
export { kernels } from './kernels.js'
export {
  broadcast,
  referenceTensor,
  type ReferenceTensor,
  widen,
  type ReferenceData,
} from './tensor.js'
export { ReferenceBackend } from './reference.js'
