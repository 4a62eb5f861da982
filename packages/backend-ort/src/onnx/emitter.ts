// The form of an emitter: what translates one op to ONNX operators. The emitters themselves are in emitters.ts and devices/.
import type { AttrsOf, CompositeName, OpName, PrimitiveName, TensorType } from '@embed-kd/core'
import type { Factors } from './factors.js'
import type { ModelBuilder } from './model.js'

/** Composites that ONNX Runtime runs as one operator on some device. */
export const nativeComposites = [
  'bernoulli',
  'split',
  'mean',
  'softmax',
  'logSoftmax',
  'layerNorm',
  'gelu',
  'quickGelu',
  'linear',
] as const satisfies readonly CompositeName[]

/** One node while it is translated: names of its values in the model, and their types. */
export interface Application<K extends OpName = OpName> {
  readonly attrs: AttrsOf<K>
  /** Factors of a `matmul` or `linear`. */
  readonly factors: Factors
  readonly inputs: readonly string[]
  readonly inputTypes: readonly TensorType[]
  /** Names to define; empty if nothing reads that output. */
  readonly outputs: readonly string[]
  readonly outputTypes: readonly TensorType[]
}

export type Emitter<K extends OpName = OpName> = (
  model: ModelBuilder,
  application: Application<K>,
) => void

export type Emitters = {
  readonly [K in PrimitiveName | (typeof nativeComposites)[number]]: Emitter<K>
}
