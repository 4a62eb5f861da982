// The type of a reference kernel. The kernels are in the files beside this one, by kind of op.
import type { AttrsOf, OpName } from '../graph/ops.js'
import type { TensorType } from '../tensor/tensor.js'
import type { ReferenceData, ReferenceTensor } from './tensor.js'

/** Elements of the outputs from inputs, attributes, and the types of the outputs. Inputs are never written to. */
export type Kernel<K extends OpName> = (
  inputs: readonly ReferenceTensor[],
  attrs: AttrsOf<K>,
  outputs: readonly TensorType[],
) => ReferenceData[]

export type Kernels<K extends OpName> = { readonly [P in K]: Kernel<P> }
