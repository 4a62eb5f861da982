// The loss of a student: a class loss and a method's distillation loss, and the parameters that they train.
import { UserError } from '../errors.js'
import * as op from '../graph/api.js'
import type { Tensor } from '../graph/trace.js'
import { isTensor } from '../graph/trace.js'
import { crossEntropy } from '../nn/layers.js'
import type { Parameters } from '../nn/parameters.js'
import {
  classScores,
  embeddingWidth,
  modelParameters,
  type ClassifierConfig,
  type ViTConfig,
} from '../nn/vit.js'
import { formatType, sameType, type TensorType } from '../tensor/tensor.js'
import type { LossInputs, MethodDefinition, MethodParameters } from './method.js'
import { methodName } from './methods.js'
import type { LossSettings } from './settings.js'
import type { PerTeacher, TeacherSignal } from './teachers.js'

/** Name under which the parameters of several teachers are, by the teacher's name. */
const TEACHERS = 'teachers'

/**
 * Returns the specifications of a student's parameters: its vision transformer's, its classifier's if it has one, then the
 * method's own, of which each of several teachers has a set.
 * @param teachers name and width of the embeddings of each teacher; one without either if the method has no teacher.
 */
export function studentParameters(
  student: ViTConfig | ClassifierConfig,
  method: MethodDefinition,
  teachers: readonly { readonly name?: string; readonly width?: number }[],
  settings: LossSettings,
) {
  const ownOf = (width: number | undefined) =>
    method.parameters?.({
      studentWidth: embeddingWidth(student),
      settings,
      get teacherWidth() {
        if (width !== undefined) return width
        throw new Error(
          `${methodName(method)} needs a teacher: the width of its embeddings is missing`,
        )
      },
    })
  const own: MethodParameters | undefined =
    teachers[0]?.name === undefined
      ? ownOf(teachers[0]?.width)
      : { [TEACHERS]: Object.fromEntries(teachers.map(({ name, width }) => [name, ownOf(width)])) }
  const specs = modelParameters(student)
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
  /** classLoss + kdWeight · kdLoss, or kdLoss alone if the student has no classifier. */
  readonly loss: Tensor
  /** Absent if the student has no classifier. */
  readonly classLoss: Tensor | undefined
  /** Mean of the teachers' losses by their weights; absent if the method has no loss of its own. */
  readonly kdLoss: Tensor | undefined
  /** Class scores before any softmax; absent if the student has no classifier. */
  readonly scores: Tensor | undefined
  /** Cosine similarities of student embeddings and anchors, [B, anchors], if the method reports them. */
  readonly cosine: PerTeacher<Tensor | undefined>
}

/**
 * Returns the loss of a batch.
 * @param embedding student embeddings [B, D].
 * @param labels int32[B]; absent if the student has no classifier.
 * @param signals one of each teacher; an empty one if there is no teacher.
 */
export function studentLoss(
  parameters: StudentParameters,
  embedding: Tensor,
  labels: Tensor | undefined,
  signals: readonly TeacherSignal[],
  method: MethodDefinition,
  settings: LossSettings,
): StudentLoss {
  const { classifier } = parameters
  const scores = classifier && classScores({ classifier }, embedding)
  // Traced before the softmax, which the class loss and the method may share.
  const targets = labels && scores && op.oneHot(labels, scores.shape[1]!)
  const logits = scores && settings.classScores === 'probabilities' ? op.softmax(scores) : scores
  const classLoss = logits && targets && crossEntropy(logits, targets)
  const student = { embedding, scores, logits, labels, parameters, settings }
  const { kdLoss, cosine } = distillationLoss(method, student, signals)
  const loss =
    classLoss && kdLoss
      ? op.add(classLoss, op.mul(kdLoss, settings.kdWeight))
      : (classLoss ?? kdLoss)
  if (!loss) throw new Error(`${methodName(method)} has neither a class loss nor a loss of its own`)
  return { loss, classLoss, kdLoss, scores, cosine }
}

/** Returns the mean of the teachers' losses by their weights, and the cosine similarities that the method reports. */
function distillationLoss(
  method: MethodDefinition,
  student: OwnInputs,
  signals: readonly TeacherSignal[],
): Pick<StudentLoss, 'kdLoss' | 'cosine'> {
  const { parameters } = student
  const ofTeachers = (parameters as { [TEACHERS]?: Readonly<Record<string, object>> })[TEACHERS]
  const found = signals.map(({ name, weight = 1, ...signal }) => {
    const own = name === undefined ? parameters : (ofTeachers?.[name] ?? {})
    return { name, weight, ...methodLoss(method, { ...student, parameters: own }, signal) }
  })
  const [first] = found
  if (first?.name === undefined) return { kdLoss: first?.loss, cosine: first?.cosine }
  const total = found.reduce((sum, { weight }) => sum + weight, 0)
  const parts = found.flatMap(({ loss, weight }) => (loss ? [op.mul(loss, weight / total)] : []))
  return {
    kdLoss: parts.length === 0 ? undefined : parts.reduce((sum, part) => op.add(sum, part)),
    cosine: Object.fromEntries(found.map(({ name, cosine }) => [name, cosine])),
  }
}

/** Returns a method's loss by one teacher. @throws UserError if the loss is no scalar. */
function methodLoss(
  method: MethodDefinition,
  student: OwnInputs,
  signal: TeacherSignal,
): { readonly loss?: Tensor | undefined; readonly cosine?: Tensor | undefined } {
  const found = method.loss?.(lossInputs(method, student, signal))
  const { loss, cosine } = isTensor(found) ? { loss: found } : (found ?? {})
  if (method.loss && !(isTensor(loss) && sameType(loss.type, scalar)))
    throw new UserError(
      `${methodName(method)}: the loss must be a float32 scalar, got ${isTensor(loss) ? formatType(loss.type) : String(found)}`,
      'reduce it to its mean over the images, with op.mean',
    )
  return { loss, cosine }
}

interface OwnInputs {
  readonly embedding: Tensor
  readonly scores: Tensor | undefined
  readonly logits: Tensor | undefined
  readonly labels: Tensor | undefined
  readonly parameters: object
  readonly settings: LossSettings
}

/** Inputs of a method's loss; those that the method said it does not need throw when they are read. */
function lossInputs(
  method: MethodDefinition,
  { labels, scores, logits, parameters, ...own }: OwnInputs,
  { anchors, probabilities, queue, statistics, among }: TeacherSignal,
): LossInputs {
  const given = <T>(value: T | undefined, name: keyof LossInputs, needs: string): T => {
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
    labelled: labels !== undefined,
    get scores() {
      return given(scores, 'scores', 'needsLabels')
    },
    get logits() {
      return given(logits, 'logits', 'needsLabels')
    },
    get labels() {
      return given(labels, 'labels', 'needsLabels')
    },
    get queue() {
      return given(queue, 'queue', 'a queue')
    },
    get statistics() {
      return given(statistics, 'statistics', 'statistics')
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
