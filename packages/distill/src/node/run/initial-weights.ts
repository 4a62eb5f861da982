// A student that starts from the weights of a pretrained vision transformer: everything but its classifier is loaded.
import {
  flattenTree,
  isParameterSpec,
  modelParameters,
  UserError,
  type HostTensor,
} from '@embed-kd/core'

import type { Student, StudentConfig } from '../../models/students.js'
import type { ChannelStatistics } from '../data/dataset.js'
import { digestFiles } from '../teachers/checkpoint.js'
import { describeHfTeacher, loadHfTeacher } from '../teachers/hf.js'
import { resolveKnownTeacher, resolveTeacher, shortTeacherName } from '../teachers/resolve.js'
import { renormalised } from '../teachers/weights.js'
import { findCheckpoint } from './teacher-directory.js'

/** Properties of a student that starts from a checkpoint. */
export interface InitialWeightsOptions {
  /** Channels of the images. */
  readonly channels: number
  /** Number of classes that the student learns to tell apart; undefined if it learns without labels. */
  readonly classes: number | undefined
  /** Side of the student's input in pixels, to which position embeddings are interpolated (default: the checkpoint's). */
  readonly size?: number | undefined
  /** Probability that an attention weight is dropped in training. */
  readonly dropout: number
}

/** A pretrained vision transformer as a student, before its weights are read. */
export interface PretrainedStudent {
  /** Its name without a path, and its sizes. */
  readonly student: Student
  /** SHA-256 of the files of weights. */
  readonly digest: string
  /** One line: which parameters are loaded, and which are drawn. */
  readonly loading: string
}

/** Downloads a pretrained model of the hub, unless it is here. @throws UserError if there is none of that name. */
export async function fetchPretrained(
  init: string,
  tell?: (message: string) => void,
): Promise<void> {
  await resolveTeacher(findCheckpoint(init), tell ? { tell } : {})
}

/** Describes a student that starts from a checkpoint on this machine. @throws UserError if it is none that is computed here. */
export async function describePretrained(
  init: string,
  options: InitialWeightsOptions,
): Promise<PretrainedStudent> {
  const { weightFiles } = describeHfTeacher(directoryOf(init))
  const model = pretrainedModel(init, options)
  const { imageSize, patchSize: patch, width, layers, heads } = model
  return {
    student: { name: shortTeacherName(init), imageSize, patch, width, layers, heads },
    digest: await digestFiles(weightFiles),
    loading: describeLoading(init, model),
  }
}

/** Returns one line: which parameters of a student are loaded from a checkpoint, and which are drawn. */
export function describeLoading(init: string, model: StudentConfig): string {
  const names = [...flattenTree(modelParameters(model), isParameterSpec).keys()]
  const drawn = names.filter(isDrawn)
  return `loaded ${names.length - drawn.length} of ${names.length} parameters from ${init} at ${model.imageSize} pixels; drawn anew: ${drawn.join(', ') || 'none'}`
}

/** Returns the model of a checkpoint as a student: with a classifier for the data if there are labels. @throws UserError */
export function pretrainedModel(
  init: string,
  { channels, classes, size, dropout }: InitialWeightsOptions,
): StudentConfig {
  const { model } = describeHfTeacher(directoryOf(init), sizeOption(size))
  if (model.channels !== channels && channels !== 1)
    throw new UserError(
      `${init} takes images of ${model.channels} channels, the data set has ${channels}`,
      'choose another checkpoint',
    )
  const { projection: _, ...encoder } = model
  return {
    ...encoder,
    ...(classes === undefined ? {} : { classes }),
    attentionDropout: dropout,
  }
}

/**
 * Returns the values of a student's parameters by name, made to fit images that are normalised with the data set's statistics.
 * @param size side of the student's input, as given to `pretrainedModel`.
 */
export function initialWeights(
  init: string,
  model: StudentConfig,
  statistics: ChannelStatistics,
  size?: number,
): ReadonlyMap<string, HostTensor> {
  const { parameters, input } = loadHfTeacher(directoryOf(init), sizeOption(size))
  const specs = flattenTree(modelParameters(model), isParameterSpec)
  return new Map(
    [...renormalised(parameters, input, statistics)].filter(
      ([name]) => specs.has(name) && !isDrawn(name),
    ),
  )
}

const isDrawn = (name: string): boolean => name.startsWith('classifier.')
const sizeOption = (size: number | undefined) => (size === undefined ? {} : { imageSize: size })

/** Returns the directory of a checkpoint that is on this machine. @throws UserError */
function directoryOf(init: string): string {
  const found = resolveKnownTeacher(findCheckpoint(init))
  if (found?.kind === 'checkpoint') return found.directory
  throw new UserError(
    `${init} has no weights to start from`,
    'give --init the directory of a checkpoint, or namespace/name on the Hugging Face Hub',
  )
}
