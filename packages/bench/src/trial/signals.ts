// The teacher of a trial: in the training graph, beside it, as a file of embeddings, or as random embeddings if only the cost is
// measured.
import { presets, type Backend } from '@embed-kd/core'
import { parseAugmentation } from '@embed-kd/distill'
import {
  openEncoder,
  openSignal,
  randomSignal,
  teacherWeights,
  type Dataset,
  type Encoder,
  type Feed,
  type NamedTeacher,
  type Signal,
  type TeacherFile,
} from '@embed-kd/distill/node'

import { methodOf } from '../axes/methods.js'
import { embeddedImages, teacherOf, type TrialConfig } from './config.js'
import type { TrialJob } from './protocol.js'

/**
 * Opens the teacher of a trial.
 * @param backend runs a checkpoint that is beside the graph.
 * @throws UserError if the embeddings are of other data.
 */
export async function openTrialSignal(
  { config, teacherFile, embeddingsFile, embeddingWidth }: TrialJob,
  { shape, input }: Feed,
  dataset: Dataset,
  backend: Backend,
): Promise<Signal> {
  const { batch, prototypes, anchors, seed } = config
  const method = methodOf(config.method)
  const { augmentation } = augmentationOf(config)
  const teacher = teacherOf(config)
  if (!teacher) return openSignal({ method, dataset, augmentation })
  const { classes, classNames } = dataset
  const { teacher: need, takes } = method
  if (need !== 'live') {
    const embeddings = storedFiles(teacher, embeddingsFile)
    return embeddings === undefined
      ? {
          ...randomSignal(method, {
            width: takes === 'probabilities' ? classes : embeddingWidth!,
            classes,
            batch,
            prototypes,
          }),
          augmentation,
        }
      : openSignal({
          method,
          dataset,
          augmentation,
          embeddings,
          subset: embeddedImages(dataset, config),
          prototypes,
          ...(anchors === undefined ? {} : { anchors: { control: anchors, seed } }),
        })
  }
  if (teacher.place === 'stored') throw new Error(`${config.method} learns from one live teacher`)
  if (teacher.place !== 'graph') {
    const encoder = await openTrialEncoder(config, dataset, backend)
    return openSignal({ method, dataset, augmentation, encoder })
  }
  // Names of classes count only if their scores are learnt from.
  const named = takes === 'probabilities' && classNames ? { classNames } : {}
  const data = { ...shape, classes, ...named }
  const parameters = teacherWeights(teacher, data, teacherFile, input)
  const model = { model: teacher.model(data), parameters }
  return openSignal({ method, dataset, augmentation, model })
}

/** Returns the file of embeddings, or the files of several teachers; undefined if one of them has none. */
function storedFiles(
  teacher: NamedTeacher,
  made: TrialJob['embeddingsFile'],
): string | readonly TeacherFile[] | undefined {
  if (teacher.place === 'file') return teacher.file
  if (teacher.place !== 'stored') return made as string | undefined
  const byName = made as Readonly<Record<string, string>> | undefined
  const files = teacher.members.flatMap(({ name, weight, teacher: member }) => {
    const file = member.place === 'file' ? member.file : byName?.[name]
    return file === undefined ? [] : [{ name, weight, file }]
  })
  return files.length === teacher.members.length ? files : undefined
}

/** Returns the augmentation of a trial's images, as the loading of batches takes it. */
export const augmentationOf = ({
  augment = 'none',
}: TrialConfig): Pick<Signal, 'augmentation'> => ({
  augmentation: parseAugmentation(augment),
})

/**
 * Opens the teacher of a trial as an encoder with its own preprocessing.
 * @param temperature of its probabilities (default: that of the trial's preset).
 * @throws UserError if its files cannot be used.
 */
export const openTrialEncoder = (
  { teacher, batch, microBatch, preset }: TrialConfig,
  dataset: Dataset,
  backend: Backend,
  temperature = presets[preset].temperature,
): Promise<Encoder> =>
  openEncoder(teacher!, { backend, source: dataset, batch: microBatch ?? batch, temperature })
