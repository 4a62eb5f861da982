// The teacher of a trial: the sweep's teachers in the training graph, files of their embeddings, or random embeddings if only
// the cost is measured.
import { embeddingWidth } from '@embed-kd/core'
import { parseAugmentation } from '@embed-kd/distill'
import {
  openSignal,
  randomSignal,
  teacherWeights,
  type Dataset,
  type Feed,
  type Signal,
} from '@embed-kd/distill/node'

import { methodOf } from '../axes/methods.js'
import { teacherOf } from './config.js'
import type { TrialJob } from './protocol.js'

/** Opens the teacher of a trial. @throws UserError if the embeddings are of other data. */
export async function openTrialSignal(
  { config, teacherFile, embeddingsFile }: TrialJob,
  { shape, input }: Feed,
  dataset: Dataset,
): Promise<Signal> {
  const { batch } = config
  const method = methodOf(config.method)
  const augmentation = parseAugmentation(config.augment ?? 'none')
  const teacher = teacherOf(config)
  if (!teacher) return openSignal({ method, dataset, augmentation })
  const { classes, classNames } = dataset
  // Classes count only if their scores are learnt from.
  const scores = method.takes === 'probabilities'
  const data = { ...shape, classes, ...(scores && classNames ? { classNames } : {}) }
  const model = teacher.model(data)
  if (method.teacher === 'live') {
    const parameters = teacherWeights(teacher, data, teacherFile, input)
    return openSignal({ method, dataset, augmentation, model: { model, parameters } })
  }
  return embeddingsFile === undefined
    ? { ...randomSignal(method, { width: embeddingWidth(model), classes, batch }), augmentation }
    : openSignal({ method, dataset, augmentation, embeddings: embeddingsFile })
}
