// The type of a reference kernel. The kernels are in the files beside this one, grouped by kind of op.
import type { AttrsOf, OpName } from '../graph/ops.js'
import type { TensorType } from '../tensor/tensor.js'
import type { ReferenceData, ReferenceTensor } from './tensor.js'

/** Computes the elements of a node's outputs from its inputs, attributes and output types. A kernel never writes to its inputs. */
export type Kernel<K extends OpName> = (
  inputs: readonly ReferenceTensor[],
  attrs: AttrsOf<K>,
  outputs: readonly TensorType[],
) => ReferenceData[]

export type Kernels<K extends OpName> = { readonly [P in K]: Kernel<P> }
