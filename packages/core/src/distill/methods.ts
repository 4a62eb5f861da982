// The methods that come with the library, one entry each. Everything that depends on a method reads this table: the graphs,
// the command line, records and reports. Adding a method is one entry here.
import * as op from '../graph/api.js'
import { UserError } from '../errors.js'
import { crossEntropy } from '../nn/layers.js'
import { contrastCentroids, contrastiveParameters, contrastSamples } from './contrastive.js'
import { cosineDistance, cosineParameters } from './cosine.js'
import type { MethodDefinition, MethodParameters, TeacherNeed } from './method.js'

export const methods = {
  supervised: {
    label: 'Supervised',
    description: 'learns from class labels alone',
    teacher: 'none',
    takes: 'none',
    needsLabels: true,
    wholeBatch: false,
  },
  'logit-kd': {
    label: 'Logit-KD',
    description: "matches a live teacher's class probabilities (Hinton 2015)",
    teacher: 'live',
    takes: 'probabilities',
    needsLabels: true,
    wholeBatch: false,
    // The factor T² keeps the gradient's size independent of the temperature (Hinton 2015, section 2).
    loss: ({ logits, probabilities, settings: { temperature } }) =>
      op.mul(crossEntropy(op.mul(logits, 1 / temperature), probabilities), temperature ** 2),
  },
  'teacher-kd': {
    label: 'Teacher-KD',
    description: "contrasts images with a live teacher's embeddings of the batch (CLIP-Teacher-KD)",
    teacher: 'live',
    takes: 'embeddings',
    needsLabels: true,
    wholeBatch: true,
    parameters: contrastiveParameters,
    loss: contrastSamples,
  },
  'embed-kd': {
    label: 'Embed-KD',
    description: 'contrasts images with pre-computed class centroids (CLIP-Embed-KD)',
    teacher: 'centroids',
    takes: 'embeddings',
    needsLabels: true,
    wholeBatch: false,
    parameters: contrastiveParameters,
    loss: contrastCentroids,
  },
  'cached-kd': {
    label: 'Cached-KD',
    description: "contrasts images with the teacher's pre-computed embeddings of the batch",
    teacher: 'samples',
    takes: 'embeddings',
    needsLabels: true,
    wholeBatch: true,
    parameters: contrastiveParameters,
    loss: contrastSamples,
  },
  'cosine-kd': {
    label: 'Cosine-KD',
    description: "turns each embedding towards the teacher's pre-computed embedding of the image",
    teacher: 'samples',
    takes: 'embeddings',
    needsLabels: true,
    wholeBatch: false,
    parameters: cosineParameters,
    loss: cosineDistance,
  },
} as const satisfies Record<string, MethodDefinition>

/** Name of a method that comes with the library. */
export type Method = keyof typeof methods

/** The names of all methods, in the order in which commands list them. */
export const methodNames = Object.keys(methods) as [Method, ...Method[]]

/** Whether a name is that of a method that comes with the library. */
export const isMethod = (name: string): name is Method => Object.hasOwn(methods, name)

/** Returns the definition of a method given by name or as a definition. @throws UserError if there is no method of that name. */
export function methodDefinition(method: string | MethodDefinition): MethodDefinition {
  if (typeof method !== 'string') return method
  if (isMethod(method)) return methods[method]
  throw new UserError(`there is no method "${method}"`, `choose one of ${methodNames.join(', ')}`)
}

/** Returns a method's name in graphs and files: `embed-kd` for the label `Embed-KD`. */
export const methodName = (method: string | MethodDefinition): string =>
  typeof method === 'string' ? method : method.label.toLowerCase().replaceAll(' ', '-')

/**
 * Makes a method of your own, which can be given wherever a method's name can.
 *
 * @example
 * const featureKd = defineMethod({
 *   label: 'Feature-KD',
 *   description: 'matches the direction of stored embeddings',
 *   teacher: 'samples',
 *   parameters: ({ studentWidth, teacherWidth }) => ({ proj: linearParameters(studentWidth, teacherWidth) }),
 *   loss: ({ embedding, anchors, parameters: { proj }, op }) => {
 *     const difference = op.sub(op.linear(embedding, proj.weight, proj.bias), anchors)
 *     return op.mean(op.mul(difference, difference))
 *   },
 * })
 * @throws UserError if the label is empty or a built-in method's, or the fields contradict each other.
 */
export function defineMethod<T extends TeacherNeed, P extends MethodParameters = {}>(
  definition: CustomMethod<T, P>,
): MethodDefinition<T, P> {
  const { label, teacher } = definition
  const takes = (teacher === 'none' ? 'none' : 'embeddings') as MethodDefinition<T, P>['takes']
  const method = { takes, needsLabels: true, wholeBatch: false, ...definition }
  const fail = (message: string, remedy: string): never => {
    throw new UserError(`method ${JSON.stringify(label)}: ${message}`, remedy)
  }
  if (typeof label !== 'string' || !/^[a-z][a-z0-9]*(?:[ -][a-z0-9]+)*$/i.test(label))
    fail('the label is not usable as a name', 'use letters, digits, single spaces and dashes')
  if (isMethod(methodName(method))) fail('a built-in method has this name', 'choose another label')
  if (typeof method.loss !== 'function')
    fail(`loss must be a function, got ${typeof method.loss}`, 'give one that returns a scalar')
  if (!teacherNeeds.includes(teacher))
    fail(`teacher must be one of ${teacherNeeds.join(', ')}, got ${teacher}`, 'choose one of them')
  if ((teacher === 'none') !== (method.takes === 'none'))
    fail(`teacher "${teacher}" cannot go with takes "${method.takes}"`, 'leave out takes')
  if (teacher === 'centroids' && method.takes === 'probabilities')
    fail('centroids are embeddings, not probabilities', 'leave out takes')
  if (method.wholeBatch && (method.takes !== 'embeddings' || teacher === 'centroids'))
    fail('wholeBatch needs an embedding of each image', "use teacher 'live' or 'samples'")
  return method
}

const teacherNeeds: readonly TeacherNeed[] = ['none', 'live', 'centroids', 'samples']

/** A definition as `defineMethod` takes it: the defaults are embeddings of the teacher, class labels, and no other images. */
export type CustomMethod<T extends TeacherNeed, P extends MethodParameters> = Pick<
  MethodDefinition<T, P>,
  'label' | 'description' | 'teacher' | 'parameters'
> &
  Partial<Pick<MethodDefinition<T, P>, 'takes' | 'needsLabels' | 'wholeBatch'>> &
  Required<Pick<MethodDefinition<T, P>, 'loss'>>

/** The graph input that holds what was computed with a method's teacher outside the graph; undefined if it needs none. */
export function teacherInput(
  method: string | MethodDefinition,
): 'teacher.centroids' | 'batch.teacher_embeddings' | 'batch.teacher_probabilities' | undefined {
  const { teacher, takes } = methodDefinition(method)
  if (teacher === 'none') return undefined
  if (teacher === 'centroids') return 'teacher.centroids'
  return takes === 'probabilities' ? 'batch.teacher_probabilities' : 'batch.teacher_embeddings'
}
