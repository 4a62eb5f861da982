// What a plan needs to know of data and checkpoints that are not here, so that a sweep for another machine can be estimated on
// this one. Only for estimates: nothing that is assumed here ever runs.
import { existsSync } from 'node:fs'
import { basename } from 'node:path'

import type { Dataset } from '@embed-kd/distill/node'
import { findTeacher } from '@embed-kd/distill/node'
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

/** A data set without images, with the shape of a known data set, where its directory is missing; undefined otherwise. */
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

/** A configuration whose checkpoint is missing, with the published shape that its name tells in place of it. */
export function assumeTeacher(config: TrialConfig): TrialConfig {
  const { teacher } = config
  if (teacher === undefined || existsSync(teacher.replace(/^hf:/, ''))) return config
  const [, size, patch] = /vit-(tiny|small|base|large)-patch(16|32)/.exec(basename(teacher)) ?? []
  return size === undefined
    ? config
    : { ...config, teacher: findTeacher(`vit-${size}-${patch}`).name }
}
