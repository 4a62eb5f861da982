// Distillation by class probabilities (Hinton 2015): the student's scores at a temperature are to give the teacher's probabilities.
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { crossEntropy } from '../nn/layers.js'
import type { LossInputs } from './method.js'

/** Returns the probabilities [B, classes] of class scores at a temperature. */
export const probabilitiesOf = (scores: Tensor, temperature: number): Tensor =>
  op.softmax(op.mul(scores, 1 / temperature))

/**
 * Returns the cross entropy of the student's probabilities under the teacher's, both at the settings' temperature T, times T².
 * The factor keeps the gradient's size independent of the temperature (Hinton 2015, section 2).
 */
export const matchProbabilities = ({
  logits,
  probabilities,
  settings: { temperature },
}: LossInputs): Tensor =>
  op.mul(crossEntropy(op.mul(logits, 1 / temperature), probabilities), temperature ** 2)
