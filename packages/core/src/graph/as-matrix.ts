// A tensor [..., n] as the matrix of its rows: a step of decompositions and gradients, no op of its own.
import { sizeOf } from '../tensor/tensor.js'
import { reshape } from './api.js'
import type { Tensor } from './trace.js'

/** Reshapes x [..., n] to [rows, n]. */
export const asMatrix = (x: Tensor): Tensor =>
  reshape(x, [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1)!])
