// InfoNCE between the student's and the teacher's embedding of the same image, with a queue of the teacher's embeddings of earlier
// images as further negatives: contrast against thousands of images with a batch of 64 (as MoCo's queue, He 2020).
import * as op from '../graph/api.js'
import { crossEntropy, l2Normalize } from '../nn/layers.js'
import { logitScaleParameter, scaleLogits } from './contrastive.js'
import { cosineParameters } from './cosine.js'
import type { LossInputs, MethodShape } from './method.js'

/** Cosine similarity of teacher embeddings above which two images count as the same one, and not as a negative. */
const SAME_IMAGE = 0.999

/** Score of what is no negative: its probability is zero. */
const IMPOSSIBLE = -1e4

export const queueParameters = (shape: MethodShape) => ({
  ...cosineParameters(shape),
  logit_scale: logitScaleParameter(shape),
})

/**
 * Returns the cross entropy of picking the teacher's embedding of an image among those of the batch and of the queue. Empty rows
 * of the queue are no negatives, nor are other embeddings of the same image: the queue may hold that of the epoch before.
 */
export function contrastQueue(inputs: LossInputs<ReturnType<typeof queueParameters>>) {
  const { embedding, anchors, anchorRows, queue } = inputs
  const { student_proj, logit_scale } = inputs.parameters
  const [rows, batch, past] = [embedding.shape[0]!, anchors.shape[0]!, queue.shape[0]!]
  const keys = l2Normalize(op.concat([anchors, queue], 0))
  const own = op.oneHot(anchorRows, batch + past)
  const projected = op.linear(embedding, student_proj.weight, student_proj.bias)
  const cosine = op.matmul(l2Normalize(projected), keys, { transposeB: true })
  const alike = op.matmul(op.matmul(own, keys), keys, { transposeB: true })
  const isCopy = op.and(op.less(SAME_IMAGE, alike), op.equal(own, 0))
  const length = op.sum(op.mul(keys, keys), { axes: [1] })
  const isEmpty = op.broadcastTo(op.equal(op.reshape(length, [1, batch + past]), 0), [
    rows,
    batch + past,
  ])
  const scores = scaleLogits(cosine, logit_scale)
  return crossEntropy(op.select(op.or(isCopy, isEmpty), IMPOSSIBLE, scores), own)
}
