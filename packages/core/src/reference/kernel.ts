// What a reference kernel is; the kernels themselves are filed by what they do to elements.
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
