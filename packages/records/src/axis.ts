// The type of an entry in the table of axes, with the schemas and keys that several entries share. The table is axes.ts.
import { z } from 'zod'

import type { datasetSchema, moduleSchema, studentSchema, teacherSchema } from './trial-parts.js'

/**
 * How trials that differ in an axis stand to each other.
 * - `scope`: they never share a figure, as in another backend or data set.
 * - `setting`: they share a figure, but methods are compared only at equal values, as in another batch.
 * - `variant`: they are what is compared, as in another method.
 * - `repetition`: they are one configuration run again, and are averaged.
 */
export type AxisRole = 'scope' | 'setting' | 'variant' | 'repetition'

export interface Axis<Schema extends z.ZodType = z.ZodType> {
  /** Name in tables and reports. */
  readonly label: string
  /** Schema of the value in a record's trial. Its messages say what to give instead. */
  readonly schema: Schema
  readonly role: AxisRole
  /** Value that a user gives to trials that leave the axis out. */
  readonly absent?: string
  /** Words for trials that leave the axis out (default: `absent`). */
  readonly absentWords?: string
  /** Teacher's signal of the built-in methods that have the axis. Trials of other methods say nothing about it. */
  readonly signal?: 'centroids' | 'samples'
  /** Whether the name of a trial always says the value, or only if trials listed together differ in it. */
  readonly named: 'always' | 'if it varies'
  /** Value that the name of a trial says only if trials listed together differ in it. */
  readonly usual?: string
  /** Value in the name of a trial (default: the label and the value). */
  words?(value: NonNullable<z.output<Schema>>): string
  /** Returns the key by which trials differ in this axis (default: the value). */
  key?(trial: Described): unknown
}

/** The parts of a trial that its keys depend on. */
interface Described {
  readonly teacher?: z.output<typeof teacherSchema> | undefined
  readonly student: z.output<typeof studentSchema>
  readonly dataset: z.output<typeof datasetSchema>
  readonly purpose?: 'search' | undefined
  readonly search?: SearchSpace | undefined
  readonly method: string
  readonly methodModule?: z.output<typeof moduleSchema> | undefined
  readonly backend: string
  readonly backendModule?: z.output<typeof moduleSchema> | undefined
}

/** The hyperparameters that a sweep can search for each method. */
export const SEARCHED_AXES = ['learningRate', 'weightDecay', 'dropout', 'kdWeight'] as const
export type SearchedAxis = (typeof SEARCHED_AXES)[number]
export const SEARCHED_LABELS = {
  learningRate: 'learning rate',
  weightDecay: 'weight decay',
  dropout: 'dropout',
  kdWeight: 'distillation weight',
} satisfies Record<SearchedAxis, string>
export const searchSpaceSchema = z.partialRecord(z.enum(SEARCHED_AXES), z.array(z.number()).min(1))
/** The values among which a sweep chooses, by axis. */
export type SearchSpace = z.output<typeof searchSpaceSchema>

export const axis = <Schema extends z.ZodType>(entry: Axis<Schema>): Axis<Schema> => entry

export const text = z.string('give a name').min(1, 'give a name')
export const fromOne = 'give a whole number from 1 on'
export const count = z.int(fromOne).positive(fromOne)
export const oneOf = <const T extends readonly string[]>(values: T) =>
  z.enum(values, `give one of ${values.join(', ')}`)
/** Numbers from 0 on. */
export const amount = z.number('give a number').nonnegative('give a number from 0 on')
/** A probability below 1. */
export const probability = z
  .number('give a number')
  .min(0, 'give a number from 0 to 0.99')
  .max(0.99, 'give a number from 0 to 0.99')

/** Digest of what a user brought along; a sweep makes its own teachers anew. */
const givenDigest = ({ kind, digest }: DescribedTeacher): string | undefined =>
  kind === 'pretrained' || kind === 'embeddings' ? digest : undefined

type DescribedTeacher = Pick<
  z.output<typeof teacherSchema>,
  'name' | 'kind' | 'imageSize' | 'digest'
>

/** Returns what tells a teacher, or one of several, from others. */
export const teacherKey = (teacher: DescribedTeacher): readonly unknown[] => [
  teacher.name,
  teacher.kind,
  teacher.imageSize,
  givenDigest(teacher),
]

/**
 * Returns the key of a hyperparameter. Values that were chosen by the same search are alike: methods that were tuned in the same
 * way are compared, each with its own values.
 */
export const searchedKey =
  (name: SearchedAxis) =>
  (trial: Described & { readonly [Name in SearchedAxis]?: unknown }): unknown =>
    trial.purpose === undefined && trial.search?.[name] ? 'searched' : trial[name]
