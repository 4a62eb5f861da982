// Shapes of known data sets and checkpoints that are missing here, so that a sweep for another machine can be estimated on this
// one. Nothing that is assumed here ever runs.
import { existsSync } from 'node:fs'
import { basename } from 'node:path'

import type { Dataset } from '@embed-kd/distill/node'
import { findTeacher, teacherWords } from '@embed-kd/distill/node'
import type { TrialConfig } from '../trial/config.js'

interface Facts {
  readonly classes: number
  readonly size: number
  readonly channels: number
  readonly train: number
  readonly test: number
}

const cifar = { size: 32, channels: 3, train: 50_000, test: 10_000 }
const known: Readonly<Record<string, Facts>> = {
  cifar10: { ...cifar, classes: 10 },
  cifar100: { ...cifar, classes: 100 },
}

/** Returns a known data set without its images if its directory is missing; undefined otherwise. */
export function assumeDataset(spec: string): Dataset | undefined {
  const [format = '', directory = ''] = spec.split(':')
  const facts = known[format]
  if (!facts || existsSync(directory)) return undefined
  const { classes, size, channels } = facts
  const split = (count: number) => ({
    count,
    images: new Uint8Array(),
    labels: Int32Array.from({ length: count }, (_, i) => i % classes),
  })
  const name = `${format} (not here)`
  const shape = { channels, height: size, width: size }
  const splits = { train: split(facts.train), test: split(facts.test) }
  const statistics = { mean: [], std: [] }
  return { name, classes, ...shape, ...splits, statistics, digest: name }
}

/** Returns a configuration with the published shape that a checkpoint's name tells, if the checkpoint is missing. */
export function assumeTeacher(config: TrialConfig): TrialConfig {
  const { teacher } = config
  if (teacher === undefined || existsSync(teacher.replace(/^hf:/, ''))) return config
  const words = teacherWords(teacher)
  if (words.length > 0) {
    const assumed = words.map(({ word, weight }) => {
      const { teacher: shape } = assumeTeacher({ ...config, teacher: word })
      return `${shape}@${weight}`
    })
    return { ...config, teacher: assumed.join('+') }
  }
  const [, size, patch] = /vit-(tiny|small|base|large)-patch(16|32)/.exec(basename(teacher)) ?? []
  return size === undefined
    ? config
    : { ...config, teacher: findTeacher(`vit-${size}-${patch}`).name }
}
