// Relational losses: they compare how the images of a batch relate to each other in the student and in the teacher, so that the
// two need no common width and no projection. Teacher embeddings of the batch enter as `anchors`.
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { l2Normalize } from '../nn/layers.js'
import type { LossInputs } from './method.js'

/** Weights of distances and angles, as published (Park 2019, section 4). */
const DISTANCE_WEIGHT = 25
const ANGLE_WEIGHT = 50

/** Weight of the difference of similarities, as published (Tung & Mori 2019, section 4.1). */
const SIMILARITY_WEIGHT = 3000

/** Squared distance that counts as zero: it bounds the gradient of a direction between two equal embeddings. */
const NO_DISTANCE = 1e-12

/**
 * Relational knowledge distillation (Park 2019): Huber losses of the distances of all pairs, each divided by the mean distance
 * of different images, and of the cosines of the angles of all triplets. Both are means over all pairs and triplets of the
 * batch, those of an image with itself included, as in the authors' code.
 */
export function relateDistancesAndAngles({ embedding, anchors }: LossInputs) {
  const [student, teacher] = [relationsOf(embedding), relationsOf(anchors)]
  return op.add(
    op.mul(huber(student.distances, teacher.distances), DISTANCE_WEIGHT),
    op.mul(huber(student.angles, teacher.angles), ANGLE_WEIGHT),
  )
}

/** Returns the relative distances [B,B], and the cosines [B,B,B] of the angles at the first image of each triplet. */
function relationsOf(rows: Tensor): { distances: Tensor; angles: Tensor } {
  const [batch, width] = rows.shape as [number, number]
  const differences = op.sub(
    op.reshape(rows, [1, batch, width]),
    op.reshape(rows, [batch, 1, width]),
  )
  const squared = op.sum(op.mul(differences, differences), { axes: [2], keepDims: true })
  // An image has no direction to itself; without this one, what rounding leaves of that distance would be one.
  const itself = op.reshape(op.oneHot(rows.tracer.iota(batch), batch), [batch, batch, 1])
  const lengths = op.add(op.add(squared, NO_DISTANCE), itself)
  const directions = op.mul(differences, op.rsqrt(lengths))
  const distances = op.sum(op.mul(differences, directions), { axes: [2] })
  const mean = op.mul(op.sum(distances), 1 / (batch * (batch - 1)))
  return {
    distances: op.div(distances, mean),
    angles: op.matmul(directions, directions, { transposeB: true }),
  }
}

/** Mean Huber loss of two tensors with threshold 1, as torch.nn.functional.smooth_l1_loss. */
function huber(a: Tensor, b: Tensor): Tensor {
  const difference = op.sub(a, b)
  const clipped = op.maximum(op.minimum(difference, 1), -1)
  return op.mean(op.mul(clipped, op.sub(difference, op.mul(clipped, 0.5))))
}

/**
 * Similarity-preserving distillation (Tung & Mori 2019): the mean squared difference of the batch's similarities, which are
 * scalar products of embeddings with each row scaled to length 1.
 */
export function preserveSimilarities({ embedding, anchors }: LossInputs) {
  const difference = op.sub(similaritiesOf(embedding), similaritiesOf(anchors))
  return op.mul(op.mean(op.mul(difference, difference)), SIMILARITY_WEIGHT)
}

const similaritiesOf = (rows: Tensor): Tensor =>
  l2Normalize(op.matmul(rows, rows, { transposeB: true }))
