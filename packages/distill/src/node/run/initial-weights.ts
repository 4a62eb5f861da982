// A student that starts from the weights of a pretrained vision transformer: everything but its classifier is loaded.
import {
  flattenTree,
  isParameterSpec,
  modelParameters,
  UserError,
  type HostTensor,
} from '@embed-kd/core'

import type { StudentConfig } from '../../models/students.js'
import type { Dataset } from '../data/dataset.js'
import { loadHfTeacher } from '../teachers/hf.js'
import { resolveTeacher } from '../teachers/resolve.js'
import { renormalised } from '../teachers/weights.js'
import { findCheckpoint } from './teacher-directory.js'

export interface InitialWeights {
  /** The checkpoint's model, with a classifier for the data if there are labels. */
  readonly model: StudentConfig
  /** Values of the loaded parameters, by name. */
  readonly initial: ReadonlyMap<string, HostTensor>
}

export interface InitialWeightsOptions {
  readonly dataset: Dataset
  /** Number of classes that the student learns to tell apart; undefined if it learns without labels. */
  readonly classes: number | undefined
  /** Side of the student's input in pixels, to which position embeddings are interpolated (default: the checkpoint's). */
  readonly size?: number | undefined
  readonly dropout: number
  readonly tell: (message: string) => void
}

/**
 * Loads pretrained weights, made to fit images that are normalised with the data set's statistics.
 * @param init directory of a checkpoint, or a name on the hub.
 * @throws UserError if it is no checkpoint, or takes images of other channels.
 */
export async function loadInitialWeights(
  init: string,
  { dataset, classes, size, dropout, tell }: InitialWeightsOptions,
): Promise<InitialWeights> {
  const found = await resolveTeacher(findCheckpoint(init), { tell })
  if (found.kind !== 'checkpoint')
    throw new UserError(
      `${init} has no weights to start from`,
      'give --init the directory of a checkpoint, or namespace/name on the Hugging Face Hub',
    )
  const {
    model: pretrained,
    parameters,
    input,
  } = loadHfTeacher(found.directory, size === undefined ? {} : { imageSize: size })
  const { channels, statistics } = dataset
  if (pretrained.channels !== channels && channels !== 1)
    throw new UserError(
      `${init} takes images of ${pretrained.channels} channels, the data set has ${channels}`,
      'choose another checkpoint',
    )
  const { projection: _, ...encoder } = pretrained
  const model: StudentConfig = {
    ...encoder,
    ...(classes === undefined ? {} : { classes }),
    attentionDropout: dropout,
  }
  const specs = flattenTree(modelParameters(model), isParameterSpec)
  const initial = new Map(
    [...renormalised(parameters, input, statistics)].filter(
      ([name]) => specs.has(name) && !name.startsWith('classifier.'),
    ),
  )
  const drawn = [...specs.keys()].filter((name) => !initial.has(name))
  tell(
    `loaded ${initial.size} of ${specs.size} parameters from ${init} at ${model.imageSize} pixels; drawn anew: ${drawn.join(', ')}`,
  )
  return { model, initial }
}
