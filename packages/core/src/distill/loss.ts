// The loss of a student: one class loss, one distillation loss. Methods differ only in where the anchors, or for
// logit-kd the teacher's probabilities, come from.
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { crossEntropy, l2Normalize } from '../nn/layers.js'
import {
  linearParameters,
  undecayed,
  type ParameterSpec,
  type Parameters,
} from '../nn/parameters.js'
import { classifierParameters, classScores, type ClassifierConfig } from '../nn/vit.js'
import type { LossSettings, Method } from './settings.js'

/** CLIP's logit scale: its first value 1/0.07 and its bound 100 (Radford 2021, section 2.5). */
const INITIAL_LOGIT_SCALE = Math.log(1 / 0.07)
const MAX_LOGIT_SCALE = 100

/** The place of images in the batch they are part of. */
interface Among {
  /** Of all images of the batch, int32[B]. */
  readonly labels: Tensor
  /** The images' own indices, int32[rows]. */
  readonly indices: Tensor
}

/** What a teacher gives for a batch (or, as centroids, for the whole data set). */
export type TeacherSignal =
  | { readonly kind: 'none' }
  /** Teacher probabilities of the classes, [B, classes], already at the settings' temperature. */
  | { readonly kind: 'probabilities'; readonly probabilities: Tensor }
  /** Embeddings of the batch's own images, [B, teacher width]. */
  | {
      readonly kind: 'samples'
      readonly anchors: Tensor
      /** Where the loss is of some of these images only. */
      readonly among?: Among
    }
  /** One or more embeddings for each class, [classes · prototypes, teacher width], class by class. */
  | { readonly kind: 'centroids'; readonly anchors: Tensor }

/** Whether a method contrasts student embeddings with anchors. */
export const hasAnchors = (method: Method): boolean =>
  method === 'teacher-kd' || method === 'embed-kd' || method === 'cached-kd'

/**
 * A student's parameters: its vision transformer, and with anchors a projection `teacher_proj` of teacher embeddings to
 * the student's width and, if learned, the logarithm of the logit scale.
 */
export function studentParameters(
  student: ClassifierConfig,
  method: Method,
  teacherWidth: number | undefined,
  { logitScale }: LossSettings,
) {
  const anchored = hasAnchors(method)
  if (anchored && teacherWidth === undefined)
    throw new Error(`${method} contrasts with teacher embeddings: their width must be given`)
  const scale: ParameterSpec | undefined =
    anchored && logitScale === 'learned' ? undecayed([], INITIAL_LOGIT_SCALE) : undefined
  return {
    ...classifierParameters(student),
    teacher_proj: anchored ? linearParameters(teacherWidth!, student.width) : undefined,
    logit_scale: scale,
  }
}

export type StudentSpecs = ReturnType<typeof studentParameters>
export type StudentParameters = Parameters<StudentSpecs>

export interface StudentLoss {
  /** classLoss + kdWeight · kdLoss, a float scalar. */
  readonly loss: Tensor
  readonly classLoss: Tensor
  /** Unweighted; absent for supervised. */
  readonly kdLoss: Tensor | undefined
  /** Class scores before any softmax, [B, classes]. */
  readonly scores: Tensor
  /** Cosine similarities of student embeddings and anchors, [B, anchors]; absent without anchors. */
  readonly cosine: Tensor | undefined
}

/**
 * CLIP-style contrast of student embeddings [B, D] with anchors [A, D]: cross entropy over the anchors of their scaled
 * cosine similarities with `targets` [B, A], whose rows sum to 1.
 */
export function contrastive(
  student: Tensor,
  anchors: Tensor,
  targets: Tensor,
  logitScale: Tensor | undefined,
): { loss: Tensor; cosine: Tensor } {
  const cosine = op.matmul(l2Normalize(student), l2Normalize(anchors), { transposeB: true })
  const scores = logitScale
    ? op.mul(cosine, op.minimum(op.exp(logitScale), MAX_LOGIT_SCALE))
    : cosine
  return { loss: crossEntropy(scores, targets), cosine }
}

/** The whole batch. */
const itself = (labels: Tensor): Among => ({
  labels,
  indices: labels.tracer.iota(labels.shape[0]!),
})

/** Targets [rows, B] of images contrasted with all of a batch: each with itself, or with all of its class. */
function sampleTargets(
  labels: Tensor,
  { labels: all, indices }: Among,
  sameClass: LossSettings['sameClass'],
): Tensor {
  const [rows, batch] = [labels.shape[0]!, all.shape[0]!]
  if (sameClass === 'negative') return op.oneHot(indices, batch)
  const matches = op.cast(
    op.equal(op.reshape(labels, [rows, 1]), op.reshape(all, [1, batch])),
    'float32',
  )
  return op.div(matches, op.sum(matches, { axes: [1], keepDims: true }))
}

/** Targets [B, anchors] of a batch contrasted with centroids: all of an image's class share it equally. */
function centroidTargets(targets: Tensor, anchors: number): Tensor {
  const [batch, classes] = targets.shape as [number, number]
  const prototypes = anchors / classes
  if (prototypes === 1) return targets
  const each = op.reshape(op.mul(targets, 1 / prototypes), [batch, classes, 1])
  return op.reshape(op.broadcastTo(each, [batch, classes, prototypes]), [batch, anchors])
}

/**
 * The loss of a batch.
 * @param embedding student embeddings [B, D]; @param labels int32[B].
 */
export function studentLoss(
  parameters: StudentParameters,
  embedding: Tensor,
  labels: Tensor,
  signal: TeacherSignal,
  settings: LossSettings,
): StudentLoss {
  const scores = classScores(parameters, embedding)
  const targets = op.oneHot(labels, scores.shape[1]!)
  const classInput = settings.classScores === 'probabilities' ? op.softmax(scores) : scores
  const classLoss = crossEntropy(classInput, targets)

  const distil = (): { loss?: Tensor; cosine?: Tensor } => {
    if (signal.kind === 'none') return {}
    if (signal.kind === 'probabilities') {
      const { temperature } = settings
      const softened = op.mul(classInput, 1 / temperature)
      // The factor T² keeps the gradient's size independent of the temperature (Hinton 2015, section 2).
      return { loss: op.mul(crossEntropy(softened, signal.probabilities), temperature ** 2) }
    }
    const { teacher_proj, logit_scale } = parameters
    if (!teacher_proj) throw new Error('studentLoss: anchors need the parameters of teacher_proj')
    return contrastive(
      embedding,
      op.linear(signal.anchors, teacher_proj.weight, teacher_proj.bias),
      signal.kind === 'centroids'
        ? centroidTargets(targets, signal.anchors.shape[0]!)
        : sampleTargets(labels, signal.among ?? itself(labels), settings.sameClass),
      logit_scale,
    )
  }
  const { loss: kdLoss, cosine } = distil()
  const loss = kdLoss ? op.add(classLoss, op.mul(kdLoss, settings.kdWeight)) : classLoss
  return { loss, classLoss, kdLoss, scores, cosine }
}
