// The cosine distance between a student's embeddings and the teacher's embeddings of the same images, and the projection it trains.
import * as op from '../graph/api.js'
import { l2Normalize } from '../nn/layers.js'
import { linearParameters } from '../nn/parameters.js'
import type { LossInputs, MethodShape } from './method.js'

/**
 * A projection of student embeddings to the teacher's width. The student is projected, since a projection of the teacher could
 * make the loss vanish without a student that learns.
 */
export const cosineParameters = ({ studentWidth, teacherWidth }: MethodShape) => ({
  student_proj: linearParameters(studentWidth, teacherWidth),
})

/** Returns the mean of 1 - cosine similarity over the images, and the cosine similarities [B]. */
export function cosineDistance({
  embedding,
  anchors,
  parameters: { student_proj },
}: LossInputs<ReturnType<typeof cosineParameters>>) {
  const projected = op.linear(embedding, student_proj.weight, student_proj.bias)
  const cosine = op.sum(op.mul(l2Normalize(projected), l2Normalize(anchors)), { axes: [1] })
  return { loss: op.sub(1, op.mean(cosine)), cosine }
}
