// The students a trial can train, by name; a configuration file may describe others. What they compute is in core.
import type { ClassifierConfig } from '@embed-kd/core'
import { z } from 'zod'

import { UserError } from '@embed-kd/core'

const positive = z.int().positive()

export const studentSchema = z.strictObject({
  name: z.string().min(1),
  imageSize: positive.describe('side of the square input in pixels; other images are resized'),
  patch: positive.describe('side of a patch in pixels; divides imageSize'),
  width: positive,
  layers: positive,
  heads: positive.describe('divides width'),
})
export type Student = z.infer<typeof studentSchema>

/**
 * `paper` is the paper's student (its section 4), which it also trains at 64 px; `small-32` sees the same patches at a quarter
 * of its width; `small` is for CPUs.
 */
export const students: readonly Student[] = [
  { name: 'small', imageSize: 28, patch: 14, width: 64, layers: 3, heads: 4 },
  { name: 'small-32', imageSize: 32, patch: 4, width: 64, layers: 4, heads: 4 },
  { name: 'paper', imageSize: 32, patch: 4, width: 256, layers: 6, heads: 8 },
  { name: 'paper-64', imageSize: 64, patch: 4, width: 256, layers: 6, heads: 8 },
]

/** @throws UserError where there is none of that name. */
export function findStudent(name: string): Student {
  const student = students.find((candidate) => candidate.name === name)
  if (!student)
    throw new UserError(
      `unknown student "${name}"`,
      `choose one of ${students.map((s) => s.name).join(', ')}, or describe another in a --config file`,
    )
  return student
}

/** The model of a student for a data set. @param dropout probability that an attention weight is dropped. */
export function studentModel(
  { name, imageSize, patch, width, layers, heads }: Student,
  { channels, classes }: { readonly channels: number; readonly classes: number },
  dropout: number,
): ClassifierConfig {
  if (imageSize % patch !== 0 || width % heads !== 0)
    throw new UserError(
      `student ${name}: patch ${patch} must divide imageSize ${imageSize}, and ${heads} heads the width ${width}`,
      'change the student in the --config file',
    )
  return {
    imageSize,
    patchSize: patch,
    channels,
    width,
    layers,
    heads,
    classes,
    activation: 'quickGelu',
    preNorm: true,
    epsilon: 1e-5,
    attentionDropout: dropout,
  }
}
