// The teachers that a trial can have, by name: small ones that the sweep itself trains on the data set, the published shapes with
// random weights, which cost what the published models cost and teach nothing, encoders of others, and files of embeddings.
import {
  guess,
  publishedViT,
  UserError,
  type ClassifierConfig,
  type ViTConfig,
} from '@embed-kd/core'

import { parseHubId } from './hf-hub.js'
import { describeHfTeacher } from './hf.js'
import {
  resolveKnownTeacher,
  shapeNames,
  teacherPaths,
  trainedNames,
  type ResolvedTeacher,
} from './resolve.js'
import { parseTeacherSet, type TeacherWord } from './teacher-set.js'

/** How a teacher is trained: supervised, with AdamW, warm-up and cosine. */
export interface TeacherTraining {
  readonly epochs: number
  /** Images in a step; at most the whole training split. */
  readonly batch: number
  readonly learningRate: number
  readonly weightDecay: number
}

interface TeacherShape {
  readonly patch: number
  readonly width: number
  readonly layers: number
  readonly heads: number
}

/** The facts of a data set that a teacher's model depends on. */
export interface TeacherData {
  readonly channels: number
  readonly classes: number
  /** Names of the classes, in whose order a pretrained teacher scores them. */
  readonly classNames?: readonly string[]
  /** Pixels along one side. */
  readonly size: number
}

/**
 * A teacher of a trial. Models that run in the training graph see the student's pixels; an encoder runs beside the graph, on images that
 * are prepared as it wants them; of a file of embeddings nothing runs. From several teachers a student learns at once.
 */
export type NamedTeacher = SingleTeacher | SeveralTeachers
export type SingleTeacher = GraphModel | ModelBeside | StoredTeacher

interface GraphModel {
  /** As a user names it. */
  readonly name: string
  readonly place: 'graph'
  readonly kind: 'trained' | 'random' | 'pretrained'
  model(data: TeacherData): ViTConfig | ClassifierConfig
  /** How a sweep makes a teacher of kind `trained`. */
  readonly training?: TeacherTraining
  /** Directory of the checkpoint of a teacher of kind `pretrained`. */
  readonly directory?: string
}

interface ModelBeside {
  readonly name: string
  readonly place: 'beside'
  readonly kind: 'pretrained'
  readonly source: Extract<ResolvedTeacher, { kind: 'onnx' | 'checkpoint' }>
}

interface StoredTeacher {
  readonly name: string
  readonly place: 'file'
  readonly kind: 'embeddings'
  readonly file: string
}

interface SeveralTeachers {
  readonly name: string
  readonly place: 'stored'
  readonly kind: 'several'
  readonly members: readonly (TeacherWord & { readonly teacher: SingleTeacher })[]
}

export interface TrainedTeacher extends GraphModel {
  readonly training: TeacherTraining
  model(data: TeacherData): ClassifierConfig
}

const TRAINING: TeacherTraining = { epochs: 2, batch: 128, learningRate: 3e-3, weightDecay: 0.05 }

const trained = (name: string, shape: TeacherShape): TrainedTeacher => ({
  name,
  place: 'graph',
  kind: 'trained',
  training: TRAINING,
  model({ channels, classes, size }) {
    const { patch, width, layers, heads } = shape
    return {
      // Images that are not whole patches are resized up to them.
      imageSize: Math.ceil(size / patch) * patch,
      patchSize: patch,
      channels,
      width,
      layers,
      heads,
      classes,
      activation: 'gelu',
      preNorm: false,
      epsilon: 1e-6,
      attentionDropout: 0,
    }
  },
})

const trainedShapes: Readonly<Record<(typeof trainedNames)[number], TeacherShape>> = {
  'trained-s': { patch: 14, width: 64, layers: 4, heads: 4 },
  'trained-m': { patch: 14, width: 128, layers: 4, heads: 4 },
}
const trainedTeachers = trainedNames.map((name) => trained(name, trainedShapes[name]))

const publishedTeachers: readonly GraphModel[] = shapeNames.map((name) => ({
  name,
  place: 'graph',
  kind: 'random',
  model: ({ classes }) => ({ ...publishedViT(name)!, classes }),
}))

/** Teachers that have a name of their own. */
const teachers: readonly GraphModel[] = [...trainedTeachers, ...publishedTeachers]

/** Whether a teacher has a name of its own, so that nothing is looked for on disk or on the hub. */
export const isNamed = (name: string): boolean => teacherNames.includes(name)

/** Their names. */
export const teacherNames: readonly string[] = teachers.map(({ name }) => name)

/** What a sweep takes as a teacher, for help texts. */
export const teacherSpecs: readonly string[] = [
  ...teacherNames,
  ...teacherPaths,
  'several at once, such as a.onnx+b.onnx@0.5',
]

/** Returns a teacher that has a name of its own, as a shape. @throws UserError if there is none of that name. */
export function findShape(name: string): GraphModel {
  const teacher = teachers.find((candidate) => candidate.name === name)
  if (teacher) return teacher
  throw new UserError(
    `there is no shape "${name}"`,
    `${guess(name, teacherNames)}choose one of ${teacherNames.join(', ')}`,
  )
}

/** Returns a teacher that a sweep trains. @throws UserError if there is none of that name. */
export function findTrainedTeacher(name: string): TrainedTeacher {
  const teacher = trainedTeachers.find((candidate) => candidate.name === name)
  if (!teacher)
    throw new UserError(
      `"${name}" is no teacher that a sweep trains`,
      `choose one of ${trainedTeachers.map((t) => t.name).join(', ')}`,
    )
  return teacher
}

/**
 * Finds the teacher of a trial on this machine, or several teachers: names with a `+` between them, each with a weight after an @
 * if it is not 1. Models on the hub are looked for in its cache, where `resolveTeacher` puts them.
 * @throws UserError if there is none of that name.
 */
export function findTeacher(name: string): NamedTeacher {
  const words = teacherWords(name)
  if (words.length === 0) return findSingle(name)
  const members = words.map((word) => ({ ...word, teacher: findSingle(word.word) }))
  return { name, place: 'stored', kind: 'several', members }
}

/** Returns the words of several teachers; none if the name is that of one. */
export const teacherWords = (name: string): readonly TeacherWord[] => parseTeacherSet(name, '+')

function findSingle(name: string): SingleTeacher {
  const teacher = teachers.find((candidate) => candidate.name === name)
  if (teacher) return teacher
  const found = resolveKnownTeacher(name)
  switch (found?.kind) {
    case 'checkpoint':
      return pretrained(name, found)
    case 'onnx':
      return { name, place: 'beside', kind: 'pretrained', source: found }
    case 'embeddings':
      return { name, place: 'file', kind: 'embeddings', file: found.file }
  }
  throw new UserError(
    parseHubId(name)
      ? `the teacher ${name} is neither here nor in the hub's cache`
      : `unknown teacher "${name}"`,
    `${guess(name, teacherSpecs)}choose one of ${teacherSpecs.join(', ')}`,
  )
}

/** A checkpoint runs in the graph if the graph can prepare its images: by bilinear resizing of the student's pixels. */
function pretrained(
  name: string,
  source: Extract<ResolvedTeacher, { kind: 'checkpoint' }>,
): SingleTeacher {
  const { directory } = source
  const { model, input } = describeHfTeacher(directory)
  const differs =
    input.fit !== 'resize' ||
    input.shorterSide !== undefined ||
    input.stretchedTo !== undefined ||
    input.flippedChannels ||
    (input.interpolation ?? 'bilinear') !== 'bilinear'
  return differs
    ? { name, place: 'beside', kind: 'pretrained', source }
    : { name, place: 'graph', kind: 'pretrained', directory, model: () => model }
}
