// Methods that users define: the defaults of a definition, and the checks that it makes sense.
import { UserError } from '../errors.js'
import type { MethodDefinition, MethodParameters, TeacherNeed } from './method.js'
import { isMethod, methodName } from './methods.js'

/** A definition as `defineMethod` takes it. */
export type CustomMethod<T extends TeacherNeed, P extends MethodParameters> = Pick<
  MethodDefinition<T, P>,
  'label' | 'description' | 'teacher' | 'parameters'
> &
  Partial<
    Pick<
      MethodDefinition<T, P>,
      'takes' | 'needsLabels' | 'wholeBatch' | 'relational' | 'statistics' | 'queue'
    >
  > &
  Required<Pick<MethodDefinition<T, P>, 'loss'>>

/**
 * Makes a method of your own, which can be given wherever a method's name can. Unless told otherwise the method takes the
 * teacher's embeddings, needs class labels, and sees the embeddings of its own images only.
 *
 * @example
 * const featureKd = defineMethod({
 *   label: 'Feature-KD',
 *   description: 'matches the stored embedding of each image',
 *   teacher: 'samples',
 *   parameters: ({ studentWidth, teacherWidth }) => ({ proj: linearParameters(studentWidth, teacherWidth) }),
 *   loss: ({ embedding, anchors, parameters: { proj }, op }) => {
 *     const difference = op.sub(op.linear(embedding, proj.weight, proj.bias), anchors)
 *     return op.mean(op.mul(difference, difference))
 *   },
 * })
 * @throws UserError if a field is missing, misspelt or of the wrong kind, if the label is a built-in method's, or if the
 * fields contradict each other.
 */
// oxlint-disable-next-line typescript/ban-types -- a method without parameters of its own
export function defineMethod<T extends TeacherNeed, P extends MethodParameters = {}>(
  definition: CustomMethod<T, P>,
): MethodDefinition<T, P> {
  const { label, teacher } = definition
  const takes = (teacher === 'none' ? 'none' : 'embeddings') as MethodDefinition<T, P>['takes']
  const method = { takes, needsLabels: true, wholeBatch: false, ...definition }
  for (const [field, value] of Object.entries(method)) {
    const kind = kinds[field as keyof MethodDefinition]
    if (!kind)
      throw new UserError(
        `method ${JSON.stringify(label)}: there is no field ${JSON.stringify(field)}`,
        `the fields are ${Object.keys(kinds).join(', ')}`,
      )
    if (!kind.accepts(value))
      throw new UserError(
        `method ${JSON.stringify(label)}: ${field} must be ${kind.expected}, got ${describe(value)}`,
        `change ${field}`,
      )
  }
  for (const { broken, message, remedy } of rules)
    if (broken(method))
      throw new UserError(`method ${JSON.stringify(label)}: ${message(method)}`, remedy)
  return method
}

const describe = (value: unknown): string =>
  typeof value === 'object' || typeof value === 'function'
    ? typeof value
    : (JSON.stringify(value) ?? String(value))

interface Kind {
  readonly expected: string
  accepts(value: unknown): boolean
}
const oneOf = (...values: readonly string[]): Kind => ({
  expected: `one of ${values.join(', ')}`,
  accepts: (value) => values.includes(value as string),
})
const line: Kind = {
  expected: 'one line of text',
  accepts: (value) => typeof value === 'string' && value.trim() !== '' && !value.includes('\n'),
}
const flag: Kind = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' }
const func: Kind = { expected: 'a function', accepts: (value) => typeof value === 'function' }

const kinds: Readonly<Record<keyof MethodDefinition, Kind>> = {
  label: line,
  description: line,
  teacher: oneOf('none', 'live', 'centroids', 'samples'),
  takes: oneOf('none', 'embeddings', 'probabilities'),
  needsLabels: flag,
  wholeBatch: flag,
  relational: flag,
  statistics: {
    expected: 'an object with rows, shapes and compute',
    accepts: (value) =>
      typeof value === 'object' &&
      value !== null &&
      ['rows', 'shapes', 'compute'].every((field) => field in value),
  },
  queue: {
    expected: 'a whole number from 1 on',
    accepts: (value) => Number.isInteger(value) && (value as number) > 0,
  },
  parameters: func,
  loss: func,
}

interface Rule {
  broken(method: MethodDefinition): boolean
  message(method: MethodDefinition): string
  readonly remedy: string
}
const rules: readonly Rule[] = [
  {
    broken: ({ description }) => description === undefined,
    message: () => 'it has no description',
    remedy: 'give one line that says what the method teaches the student with',
  },
  {
    broken: ({ loss }) => loss === undefined,
    message: () => 'it has no loss',
    remedy: 'give a function that returns a float scalar',
  },
  {
    broken: ({ label }) => !/^[a-z][a-z0-9]*(?:[ -][a-z0-9]+)*$/i.test(label),
    message: () => 'the label cannot be a name',
    remedy: 'use letters and digits, with single spaces or dashes between them',
  },
  {
    broken: (method) => isMethod(methodName(method)),
    message: () => 'a built-in method has this name',
    remedy: 'choose another label',
  },
  {
    broken: ({ teacher, takes }) => (teacher === 'none') !== (takes === 'none'),
    message: ({ teacher, takes }) => `teacher "${teacher}" cannot go with takes "${takes}"`,
    remedy: 'leave out takes',
  },
  {
    broken: ({ teacher, takes }) => teacher === 'centroids' && takes === 'probabilities',
    message: () => 'centroids are embeddings, not probabilities',
    remedy: 'leave out takes',
  },
  {
    broken: ({ wholeBatch, takes, teacher }) =>
      wholeBatch && (takes !== 'embeddings' || teacher === 'centroids'),
    message: () => 'wholeBatch needs an embedding of each image',
    remedy: "use teacher 'live' or 'samples' with takes 'embeddings'",
  },
  {
    broken: ({ relational = false, wholeBatch }) => relational && !wholeBatch,
    message: () => 'a relational loss needs the whole batch',
    remedy: 'set wholeBatch to true',
  },
  {
    broken: ({ statistics, queue, teacher, takes }) =>
      (statistics !== undefined || queue !== undefined) &&
      (teacher !== 'samples' || takes !== 'embeddings'),
    message: ({ queue }) =>
      `${queue === undefined ? 'statistics need' : 'a queue needs'} an embedding of each image`,
    remedy: "use teacher 'samples' with takes 'embeddings'",
  },
  {
    broken: ({ queue, wholeBatch }) => queue !== undefined && !wholeBatch,
    message: () => 'a queue needs the embeddings of the whole batch',
    remedy: 'set wholeBatch to true',
  },
]
