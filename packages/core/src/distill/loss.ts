// The loss of a student: a class loss and a method's distillation loss, and the parameters that they train.
import { UserError } from '../errors.js'
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { isTensor } from '../graph/trace.js'
import { crossEntropy } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import {
  classifierParameters,
  classScores,
  embeddingWidth,
  type ClassifierConfig,
} from '../nn/vit.js'
import { formatType, sameType, type TensorType } from '../tensor/tensor.js'
import type { LossInputs, MethodDefinition } from './method.js'
import { methodName } from './methods.js'
import type { LossSettings } from './settings.js'

/** A teacher's output for a batch; the fields are those of LossInputs. */
export interface TeacherSignal {
  readonly anchors?: Tensor
  readonly probabilities?: Tensor
  /** Given if the loss is of some images of the batch only. Default: the images are the whole batch. */
  readonly among?: { readonly labels: Tensor | undefined; readonly rows: Tensor }
}

/**
 * Returns the specifications of a student's parameters: its vision transformer's, its classifier's, then the method's own.
 * @param teacherWidth width of the teacher's embeddings, if there is a teacher.
 */
export function studentParameters(
  student: ClassifierConfig,
  method: MethodDefinition,
  teacherWidth: number | undefined,
  settings: LossSettings,
) {
  const own = method.parameters?.({
    studentWidth: embeddingWidth(student),
    settings,
    get teacherWidth() {
      if (teacherWidth !== undefined) return teacherWidth
      throw new Error(
        `${methodName(method)} needs a teacher: the width of its embeddings is missing`,
      )
    },
  })
  const specs = classifierParameters(student)
  const taken = Object.keys(own ?? {}).find((name) => name in specs)
  if (taken !== undefined)
    throw new UserError(
      `${methodName(method)}: a parameter of the student is already called ${taken}`,
      'choose another name',
    )
  return { ...specs, ...(own as object) }
}

export type StudentSpecs = ReturnType<typeof studentParameters>
export type StudentParameters = Parameters<StudentSpecs>

const scalar: TensorType = { dtype: 'float32', shape: [] }

/** Tensors of a student on a batch: class scores [B, classes], and float scalars of the loss. */
export interface StudentLoss {
  /** classLoss + kdWeight · kdLoss, or kdLoss alone if the method takes no class labels. */
  readonly loss: Tensor
  /** Absent if the method takes no class labels. */
  readonly classLoss: Tensor | undefined
  /** Unweighted; absent if the method has no loss of its own. */
  readonly kdLoss: Tensor | undefined
  /** Class scores before any softmax. */
  readonly scores: Tensor
  /** Cosine similarities of student embeddings and anchors, [B, anchors], if the method reports them. */
  readonly cosine: Tensor | undefined
}

/**
 * Returns the loss of a batch.
 * @param embedding student embeddings [B, D].
 * @param labels int32[B]; absent if the method takes no class labels.
 */
export function studentLoss(
  parameters: StudentParameters,
  embedding: Tensor,
  labels: Tensor | undefined,
  signal: TeacherSignal,
  method: MethodDefinition,
  settings: LossSettings,
): StudentLoss {
  const scores = classScores(parameters, embedding)
  // Traced before the softmax, which the class loss and the method may share.
  const targets = labels && op.oneHot(labels, scores.shape[1]!)
  const logits = settings.classScores === 'probabilities' ? op.softmax(scores) : scores
  const classLoss = targets && crossEntropy(logits, targets)
  const found = method.loss?.(
    lossInputs(method, { embedding, scores, logits, labels, parameters, settings }, signal),
  )
  const { loss: kdLoss, cosine } = isTensor(found) ? { loss: found } : (found ?? {})
  if (method.loss && !(isTensor(kdLoss) && sameType(kdLoss.type, scalar)))
    throw new UserError(
      `${methodName(method)}: the loss must be a float32 scalar, got ${isTensor(kdLoss) ? formatType(kdLoss.type) : String(found)}`,
      'reduce it to its mean over the images, with op.mean',
    )
  const loss =
    classLoss && kdLoss
      ? op.add(classLoss, op.mul(kdLoss, settings.kdWeight))
      : (classLoss ?? kdLoss)
  if (!loss) throw new Error(`${methodName(method)} has neither a class loss nor a loss of its own`)
  return { loss, classLoss, kdLoss, scores, cosine }
}

interface OwnInputs {
  readonly embedding: Tensor
  readonly scores: Tensor
  readonly logits: Tensor
  readonly labels: Tensor | undefined
  readonly parameters: object
  readonly settings: LossSettings
}

/** Inputs of a method's loss; those that the method said it does not need throw when they are read. */
function lossInputs(
  method: MethodDefinition,
  { labels, parameters, ...own }: OwnInputs,
  { anchors, probabilities, among }: TeacherSignal,
): LossInputs {
  const given = (value: Tensor | undefined, name: keyof LossInputs, needs: string): Tensor => {
    if (value) return value
    throw new UserError(
      `${methodName(method)}: its loss reads ${name}, which only methods with ${needs} are given`,
      'change the definition of the method',
    )
  }
  return {
    ...own,
    op,
    parameters: parameters as LossInputs['parameters'],
    get labels() {
      return given(labels, 'labels', 'needsLabels')
    },
    get anchors() {
      return given(anchors, 'anchors', "takes: 'embeddings'")
    },
    get probabilities() {
      return given(probabilities, 'probabilities', "takes: 'probabilities'")
    },
    get anchorLabels() {
      return given(among ? among.labels : labels, 'anchorLabels', 'needsLabels')
    },
    get anchorRows() {
      const { tracer, shape } = own.embedding
      return among ? among.rows : tracer.iota(shape[0]!)
    },
  }
}
