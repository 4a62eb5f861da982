// The teachers a trial can have, by name: small ones that the sweep itself trains on the data set, and the published
// shapes with random weights, which cost what the published models cost and teach nothing.
import { publishedViT, vitShapes, type ClassifierConfig } from '@embed-kd/core'

import { UserError } from '../errors.js'

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
  /** Pixels along one side. */
  readonly size: number
}

export interface Teacher {
  readonly name: string
  readonly kind: 'trained' | 'random'
  model(data: TeacherData): ClassifierConfig
  /** How it becomes a teacher; absent where its weights stay random. */
  readonly training?: TeacherTraining
}

const TRAINING: TeacherTraining = { epochs: 2, batch: 128, learningRate: 3e-3, weightDecay: 0.05 }

const trained = (name: string, shape: TeacherShape): Teacher => ({
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

const trainedTeachers: readonly Teacher[] = [
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

/** @throws UserError where there is none of that name. */
export function findTeacher(name: string): Teacher {
  const teacher = teachers.find((candidate) => candidate.name === name)
  if (!teacher)
    throw new UserError(
      `unknown teacher "${name}"`,
      `choose one of ${teachers.map((t) => t.name).join(', ')}`,
    )
  return teacher
}
