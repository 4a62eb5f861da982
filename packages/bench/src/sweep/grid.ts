// The grid of a sweep: its axes as a configuration file or the command line gives them, and the trials they span.
import { METHODS, PRECISIONS, PRESETS, REMATERIALISATIONS } from '@embed-kd/records'
import { z } from 'zod'

import { methods, UserError } from '@embed-kd/core'
import { findStudent } from '@embed-kd/distill'
import { studentSchema } from '@embed-kd/distill/node'
import { microBatchOf } from '@embed-kd/distill'
import { trialConfigSchema, type TrialConfig } from '../trial/config.js'

const axis = <T extends z.ZodType>(item: T) => z.array(item).min(1)
const text = z.string().min(1)
const { shape } = trialConfigSchema

export const gridSchema = z
  .strictObject({
    backend: axis(text).default(['ort:cpu']),
    method: axis(z.enum(METHODS)).default(['supervised', 'logit-kd', 'teacher-kd', 'embed-kd']),
    preset: axis(z.enum(PRESETS)).default(['corrected']),
    teacher: axis(text).default(['trained-s']),
    student: axis(z.union([text, studentSchema]))
      .default(['small'])
      .describe('names, or descriptions of students'),
    dataset: axis(text).default(['mnist']),
    batch: axis(shape.batch).default([64]),
    microBatch: shape.microBatch.describe('of batches that are larger, which it must divide'),
    rematerialise: axis(z.enum(['none', ...REMATERIALISATIONS])).default(['none']),
    precision: axis(z.enum(PRECISIONS)).default(['float32']),
    epochs: shape.epochs.describe('either epochs or steps'),
    steps: shape.steps,
    seeds: z.int().positive().default(1).describe('how many, from firstSeed on'),
    firstSeed: shape.seed.default(0),
    learningRate: shape.learningRate.default(1e-4),
    weightDecay: shape.weightDecay.default(0.1),
    kdWeight: shape.kdWeight,
    dropout: shape.dropout.default(0.1),
    trainImages: shape.trainImages,
    testImages: shape.testImages,
    centroidImages: shape.centroidImages.default(100),
  })
  .refine(({ epochs, steps }) => (epochs === undefined) !== (steps === undefined), {
    message: 'give either epochs (train for accuracy) or steps (measure the cost alone)',
  })
export type Grid = z.output<typeof gridSchema>

/** A configuration file: one grid, or several that are run as one sweep. */
export const sweepSchema = z.strictObject({ grids: z.array(gridSchema).min(1) })

/** What a file or the command line may leave out. */
export type GridInput = z.input<typeof gridSchema>

/** @throws UserError naming the first field that is wrong. */
export function parseGrids(value: unknown, source: string): Grid[] {
  const result = sweepSchema.safeParse(value)
  if (result.success) return result.data.grids
  const { path, message } = result.error.issues[0]!
  const field = path.filter((key) => typeof key === 'string' && key !== 'grids').join('.')
  throw new UserError(
    `${source}: ${field === '' ? '' : `${field}: `}${message}`,
    'embed-kd bench --schema prints what a configuration may say',
  )
}

/**
 * All trials of the grids, each once. Seeds are the outermost axis, so that repetitions of one configuration lie far apart in
 * time and a drift of the machine favours no method; within a seed the order is that of the axes.
 * @throws UserError where a name is unknown.
 */
export function expandGrids(grids: readonly Grid[]): TrialConfig[] {
  const seeds = Math.max(...grids.map((grid) => grid.seeds))
  const trials = new Map<string, TrialConfig>()
  for (let repetition = 0; repetition < seeds; repetition++)
    for (const grid of grids)
      if (repetition < grid.seeds)
        for (const trial of trialsOf(grid, grid.firstSeed + repetition))
          trials.set(JSON.stringify(trial), trial)
  return [...trials.values()]
}

function* trialsOf(grid: Grid, seed: number): Generator<TrialConfig> {
  const { epochs, steps, learningRate, weightDecay, kdWeight, dropout } = grid
  const { trainImages, testImages, centroidImages } = grid
  const fixed = { learningRate, weightDecay, dropout, centroidImages }
  for (const backend of grid.backend)
    for (const dataset of grid.dataset)
      for (const student of grid.student)
        for (const preset of grid.preset)
          for (const batch of grid.batch)
            for (const again of grid.rematerialise)
              for (const asked of grid.precision)
                for (const teacher of grid.teacher)
                  for (const method of grid.method) {
                    const taught = methods[method].teacher !== 'none'
                    const microBatch = microBatchOf(batch, grid.microBatch)
                    const rematerialise = again === 'none' ? undefined : again
                    const precision = asked === 'float32' ? undefined : asked
                    yield {
                      backend,
                      method,
                      preset,
                      ...(taught ? { teacher } : {}),
                      student: typeof student === 'string' ? findStudent(student) : student,
                      dataset,
                      batch,
                      ...given({ epochs, steps, trainImages, testImages }),
                      ...(taught ? given({ kdWeight }) : {}),
                      ...given({ microBatch, rematerialise, precision }),
                      seed,
                      ...fixed,
                    }
                  }
}

const given = <T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
