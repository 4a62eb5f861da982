// The teachers a trial can have, by name: small ones that the sweep itself trains on the data set, the published shapes
// with random weights, which cost what the published models cost and teach nothing, and Hugging Face checkpoints.
import { publishedViT, vitShapes, type ClassifierConfig, type ViTConfig } from '@embed-kd/core'

import { guess, UserError } from '@embed-kd/core'
import { cachedModel, parseHubId } from './hf-hub.js'
import { describeInput } from './hf-preprocessing.js'
import { describeHfTeacher } from './hf.js'
import { resolveLocalTeacher } from './resolve.js'

/** How a teacher is trained: supervised, AdamW, warm-up and cosine. */
export interface TeacherTraining {
  readonly epochs: number
  /** Or the whole training split, where that is less. */
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

/** What a teacher's model depends on of the data set. */
export interface TeacherData {
  readonly channels: number
  readonly classes: number
  /** Names of the classes, in whose order a pretrained teacher scores them. */
  readonly classNames?: readonly string[]
  /** Pixels along one side. */
  readonly size: number
}

export interface Teacher {
  readonly name: string
  readonly kind: 'trained' | 'random' | 'pretrained'
  model(data: TeacherData): ViTConfig | ClassifierConfig
  /** How the sweep makes it, of kind `trained`. */
  readonly training?: TeacherTraining
  /** Where its checkpoint is, of kind `pretrained`. */
  readonly directory?: string
}

export interface TrainedTeacher extends Teacher {
  readonly training: TeacherTraining
  model(data: TeacherData): ClassifierConfig
}

const TRAINING: TeacherTraining = { epochs: 2, batch: 128, learningRate: 3e-3, weightDecay: 0.05 }

const trained = (name: string, shape: TeacherShape): TrainedTeacher => ({
  name,
  kind: 'trained',
  training: TRAINING,
  model({ channels, classes, size }) {
    const { patch, width, layers, heads } = shape
    return {
      // Resized up to whole patches where the images are not.
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

const trainedTeachers: readonly TrainedTeacher[] = [
  trained('trained-s', { patch: 14, width: 64, layers: 4, heads: 4 }),
  trained('trained-m', { patch: 14, width: 128, layers: 4, heads: 4 }),
]

const publishedTeachers: readonly Teacher[] = Object.keys(vitShapes).flatMap((shape) =>
  [16, 32].map((patch): Teacher => {
    const name = `${shape}-${patch}`
    return {
      name,
      kind: 'random',
      model: ({ classes }) => ({ ...publishedViT(name)!, classes }),
    }
  }),
)

export const teachers: readonly Teacher[] = [...trainedTeachers, ...publishedTeachers]

/** What `findTeacher` understands, for help texts. */
export const teacherSpecs: readonly string[] = [
  ...teachers.map(({ name }) => name),
  'the directory of a checkpoint',
  'namespace/name on the hub',
]

/**
 * A teacher the sweep trains.
 * @throws UserError where there is none of that name.
 */
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
 * A teacher that runs in the graph of a trial: one of the table, a checkpoint, or a model of the hub that is in the cache.
 * @throws UserError if there is none of that name, or it cannot be part of a graph.
 */
export function findTeacher(name: string): Teacher {
  const teacher = teachers.find((candidate) => candidate.name === name)
  if (teacher) return teacher
  const hub = parseHubId(name)
  const found = resolveLocalTeacher(name)
  const directory = found?.kind === 'checkpoint' ? found.directory : hub && cachedModel(hub)
  if (directory !== undefined) return pretrained(name, directory)
  if (found)
    throw new UserError(
      `${name} is ${found.kind === 'onnx' ? 'an ONNX model' : 'a file of embeddings'}, which cannot be part of a trial's graph`,
      found.kind === 'onnx'
        ? 'give a checkpoint with safetensors, or embed with the ONNX model by embed-kd embed'
        : 'give the file to embed-kd distill with --embeddings',
    )
  throw new UserError(
    hub
      ? `the teacher ${name} is neither here nor in the hub's cache`
      : `unknown teacher "${name}"`,
    `${guess(name, teacherSpecs)}choose one of ${teacherSpecs.join(', ')}`,
  )
}

function pretrained(name: string, directory: string): Teacher {
  const { model, input } = describeHfTeacher(directory)
  // A trial's teacher sees the student's pixels, resized in the graph.
  const differs =
    input.fit !== 'resize' ||
    input.shorterSide !== undefined ||
    input.stretchedTo !== undefined ||
    input.flippedChannels ||
    (input.interpolation ?? 'bilinear') !== 'bilinear'
  if (differs)
    throw new UserError(
      `${directory} prepares its images otherwise than by bilinear resizing (${describeInput(input)}), which a sweep does not`,
      'use embed-kd distill, which gives each teacher its own preprocessing',
    )
  return { name, kind: 'pretrained', directory, model: () => model }
}
