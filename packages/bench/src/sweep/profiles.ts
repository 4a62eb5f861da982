// The sweeps that have a name. Each is a list of grids, as a configuration file would give them.
import { guess, UserError } from '@embed-kd/core'
import type { GridInput } from './grid.js'

interface Profile {
  readonly description: string
  readonly grids: readonly GridInput[]
}

const PUBLISHED = ['tiny', 'small', 'base', 'large'].flatMap((size) =>
  [16, 32].map((patch) => `vit-${size}-${patch}`),
)

export const profiles: Readonly<Record<string, Profile>> = {
  quick: {
    description:
      'MNIST on a CPU in minutes: 1 % of the labels and five seeds for accuracy, two published shapes for cost',
    grids: [
      // With all labels every method reaches 97 %, so that none can be better. The teacher learns from all of them.
      {
        method: ['supervised', 'logit-kd', 'teacher-kd', 'embed-kd', 'cached-logit-kd'],
        teacher: ['trained-m'],
        labels: ['1%'],
        centroidImages: 50,
        imagesSeen: 20_000,
        learningRate: 3e-3,
        dropout: 0,
        seeds: 5,
      },
      {
        method: ['teacher-kd', 'embed-kd'],
        teacher: ['vit-tiny-16', 'vit-base-32'],
        batch: [16],
        steps: 5,
      },
    ],
  },
  cost: {
    description: 'time and memory with teachers of all published shapes, random weights',
    grids: [
      {
        teacher: PUBLISHED,
        student: ['paper'],
        batch: [16, 64],
        method: ['supervised', 'logit-kd', 'teacher-kd', 'embed-kd', 'cached-kd'],
        steps: 5,
      },
    ],
  },
  paper: {
    description:
      "the paper's grid on CIFAR-100: 200 epochs, pretrained ViT-Base and ViT-Large, both presets (GPUs)",
    grids: [
      {
        dataset: ['cifar100:data/cifar-100-binary'],
        method: ['supervised', 'teacher-kd', 'embed-kd'],
        teacher: ['hf:models/vit-base-patch16-224', 'hf:models/vit-large-patch16-224'],
        student: ['paper', 'paper-64'],
        preset: ['paper', 'corrected'],
        epochs: 200,
        seeds: 3,
      },
    ],
  },
}

/** Finds a sweep by its name. @throws UserError if there is no such name. */
export function findProfile(name: string): Profile {
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined
  if (!profile)
    throw new UserError(
      `unknown profile "${name}"`,
      `${guess(name, Object.keys(profiles))}choose one of ${Object.keys(profiles).join(', ')}`,
    )
  return profile
}
