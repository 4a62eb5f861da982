// Checkpoints of a run: everything that the next step depends on, in one safetensors file that is whole or absent. Random numbers
// need no state: all are drawn from the seed, the epoch and the step.
import { existsSync } from 'node:fs'

import type { HostTensor } from '@embed-kd/core'
import { z } from 'zod'

import { UserError, messageOf } from '@embed-kd/core'
import { SafetensorsReader } from '../files/safetensors-file.js'
import { writeTensors } from '../files/tensors.js'

const epochSchema = z.object({
  epoch: z.int().positive(),
  trainLoss: z.number(),
  /** Accuracy on the held-out images; absent if there are none. */
  heldOutAccuracy: z.number().optional(),
  /** Accuracy of k nearest neighbours; absent if embeddings are not judged. */
  knnAccuracy: z.number().optional(),
  seconds: z.number(),
  /** Share of the seconds spent on waiting for batches. */
  dataWaitShare: z.number(),
})
export type EpochNote = z.infer<typeof epochSchema>

const progressSchema = z.object({
  epochs: z.array(epochSchema),
  /** The epoch of the best checkpoint, from 1. */
  bestEpoch: z.int().nonnegative(),
  /** The unfinished epoch; absent between two epochs. */
  within: z
    .object({
      steps: z.int().positive(),
      losses: z.array(z.number()).readonly(),
      seconds: z.number(),
      dataSeconds: z.number(),
    })
    .optional(),
})
export type RunProgress = z.infer<typeof progressSchema>

export interface Checkpoint {
  /** State of the trainer. */
  readonly state: ReadonlyMap<string, HostTensor>
  readonly progress: RunProgress
  /** Number of epochs that the run was planned for; absent from older files. */
  readonly epochs?: number
}

/** Writes a checkpoint. @param identity JSON of the settings that the run's result depends on. */
export function writeCheckpoint(file: string, checkpoint: Checkpoint, identity: string): void {
  const { state, progress, epochs } = checkpoint
  writeTensors(file, state, { identity, progress: JSON.stringify(progress), epochs: `${epochs}` })
}

/**
 * Reads the checkpoint to go on from; undefined if there is none.
 * @throws UserError if it is damaged, or of a run with other settings.
 */
export function readCheckpoint(file: string, identity: string): Checkpoint | undefined {
  if (!existsSync(file)) return undefined
  const reader = new SafetensorsReader(file)
  try {
    const { identity: found, progress, epochs } = reader.metadata
    if (found !== identity)
      throw new UserError(
        `${file} is of a run with other settings: ${differences(found, identity)}`,
        'repeat the command that began the run, or give another --out',
      )
    const state = new Map<string, HostTensor>()
    for (const name of reader.entries.keys()) state.set(name, reader.read(name))
    return {
      state,
      progress: parseProgress(progress, file),
      ...(epochs === undefined ? {} : { epochs: Number(epochs) }),
    }
  } finally {
    reader.close()
  }
}

function parseProgress(text: string | undefined, file: string): RunProgress {
  try {
    return progressSchema.parse(JSON.parse(text ?? ''))
  } catch (error) {
    throw new UserError(`${file} is no checkpoint (${messageOf(error)})`, 'remove it to begin anew')
  }
}

/** Settings whose option has another name, or none. */
const optionOf: Readonly<Record<string, string>> = {
  model: '--student (or the image size)',
  dataset: 'the content of --dataset',
  teacher: 'the content of --embeddings or --teacher',
  heldOut: '--held-out',
  methodDigest: 'the module of --method',
}

const kebab = (key: string): string =>
  `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/** Says which options differ: `--batch was 64, is 32`. */
function differences(found: string | undefined, wanted: string): string {
  try {
    const [was, is] = [found ?? '', wanted].map(
      (text) => JSON.parse(text) as Record<string, unknown>,
    )
    return Object.keys({ ...was, ...is })
      .filter((key) => JSON.stringify(was![key]) !== JSON.stringify(is![key]))
      .map((key) =>
        typeof (was![key] ?? is![key]) === 'object' || key === 'dataset' || key === 'teacher'
          ? `${optionOf[key] ?? kebab(key)} differs`
          : `${optionOf[key] ?? kebab(key)} was ${show(was![key])}, is ${show(is![key])}`,
      )
      .join('; ')
  } catch {
    return 'the file does not say which'
  }
}

const show = (value: unknown): string =>
  value === undefined ? 'the default' : typeof value === 'string' ? value : JSON.stringify(value)
