// The contrastive loss of CLIP between student embeddings and anchors, as the paper's methods use it: the parameters it trains,
// the targets of images and of class centroids, and the loss.
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { crossEntropy, l2Normalize } from '../nn/layers.js'
import { linearParameters, undecayed } from '../nn/parameters.js'
import type { LossInputs, MethodShape } from './method.js'

/** CLIP's logit scale: its initial value 1/0.07 and its bound 100 (Radford 2021, section 2.5). */
const INITIAL_LOGIT_SCALE = Math.log(1 / 0.07)
const MAX_LOGIT_SCALE = 100

/** A projection of teacher embeddings to the student's width and, if learned, the logarithm of the logit scale. */
export const contrastiveParameters = (shape: MethodShape) => ({
  teacher_proj: linearParameters(shape.teacherWidth, shape.studentWidth),
  logit_scale: logitScaleParameter(shape),
})

/** The logarithm of the logit scale, if the settings have it learned. */
export const logitScaleParameter = ({ settings }: MethodShape) =>
  settings.logitScale === 'learned' ? undecayed([], INITIAL_LOGIT_SCALE) : undefined

export type ContrastiveInputs = LossInputs<ReturnType<typeof contrastiveParameters>>

/** Contrasts each image with the teacher's embeddings of all images in its batch. */
export const contrastSamples = (inputs: ContrastiveInputs) =>
  contrast(inputs, inputs.anchors, () => sampleTargets(inputs))

/** Contrasts each image with the centroids of all classes. */
export const contrastCentroids = (inputs: ContrastiveInputs) =>
  contrast(inputs, inputs.anchors, () => centroidTargets(inputs))

/**
 * Returns the cross entropy over the anchors of the scaled cosine similarities [B, anchors] with `targets` [B, anchors], whose
 * rows sum to 1; and the cosine similarities.
 */
export function contrast(
  { embedding, parameters: { teacher_proj, logit_scale } }: ContrastiveInputs,
  anchors: Tensor,
  targets: () => Tensor,
) {
  const projected = op.linear(anchors, teacher_proj.weight, teacher_proj.bias)
  const wanted = targets()
  const cosine = op.matmul(l2Normalize(embedding), l2Normalize(projected), { transposeB: true })
  return { loss: crossEntropy(scaleLogits(cosine, logit_scale), wanted), cosine }
}

/** Multiplies cosine similarities by the logit scale, if there is one. @param logitScale its logarithm. */
export const scaleLogits = (cosine: Tensor, logitScale: Tensor | undefined): Tensor =>
  logitScale ? op.mul(cosine, bounded(op.exp(logitScale))) : cosine

/** Clips a logit scale as torch.clamp does: beyond the bound its gradient is zero. */
const bounded = (scale: Tensor): Tensor =>
  op.select(op.lessEqual(scale, MAX_LOGIT_SCALE), scale, MAX_LOGIT_SCALE)

/**
 * Targets [rows, B] of images contrasted with all of a batch: each image with itself, or with every image of its class. Without
 * labels, each image is a class of its own.
 */
function sampleTargets(inputs: ContrastiveInputs): Tensor {
  const { embedding, anchors, settings } = inputs
  const [rows, batch] = [embedding.shape[0]!, anchors.shape[0]!]
  if (settings.sameClass === 'negative' || !inputs.labelled)
    return op.oneHot(inputs.anchorRows, batch)
  const { labels, anchorLabels } = inputs
  const matches = op.cast(
    op.equal(op.reshape(labels, [rows, 1]), op.reshape(anchorLabels, [1, batch])),
    'float32',
  )
  return op.div(matches, op.sum(matches, { axes: [1], keepDims: true }))
}

/** Targets [B, anchors] of images contrasted with centroids: all centroids of an image's class share the target equally. */
function centroidTargets({ labels, scores, anchors }: ContrastiveInputs): Tensor {
  const [batch, classes] = scores.shape as [number, number]
  const targets = op.oneHot(labels, classes)
  const prototypes = anchors.shape[0]! / classes
  if (prototypes === 1) return targets
  const each = op.reshape(op.mul(targets, 1 / prototypes), [batch, classes, 1])
  return op.reshape(op.broadcastTo(each, [batch, classes, prototypes]), [batch, anchors.shape[0]!])
}
