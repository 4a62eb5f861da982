// What follows from a trial's configuration without running it: the data, the splits, the models, the training graph's
// configuration. Which trials there are is decided in sweep/grid.ts.
import {
  embeddingWidth,
  UserError,
  type ClassifierConfig,
  type ImageShape,
  type TeacherSource,
  type TrainConfig,
  type ViTConfig,
} from '@embed-kd/core'
import { studentModel, trainingConfig } from '@embed-kd/distill'
import {
  findTeacher,
  firstImages,
  holdOut,
  loadDataset,
  wholeSplit,
  type Dataset,
  type Subset,
  type Teacher,
} from '@embed-kd/distill/node'

import type { TrialConfig } from '../axes/config.js'
import { methodOf } from '../axes/methods.js'

export type { TrialConfig }

/** The data of a trial, as its configuration names it. */
export type DataChoice = Pick<TrialConfig, 'dataset' | 'dataSize'>

/** Opens the data of a trial. @throws DatasetError if the data cannot be read, or have no size to choose. */
export const loadTrialData = ({ dataset, dataSize }: DataChoice): Promise<Dataset> =>
  loadDataset(dataset, dataSize === undefined ? {} : { imageSize: dataSize })

/** The facts of a data set that the models and the plan of a trial depend on. */
export interface DataFacts {
  readonly images: ImageShape
  readonly classes: number
  readonly trainImages: number
}

/** Share of the training split on which preset `corrected` chooses its checkpoint; the paper's code uses the test split. */
const HELD_OUT = 1 / 12
/** Seed that chooses the images held out. All trials must train on the same images, whatever their own seed. */
const HELD_OUT_SEED = 0

export interface TrialSplits {
  readonly train: Subset
  /** Images on which the checkpoint is chosen; absent if it is chosen on the test split. */
  readonly validation?: Subset
  readonly test: Subset
}

export function splitsOf(dataset: Dataset, config: TrialConfig): TrialSplits {
  const all = firstImages(wholeSplit(dataset, 'train'), config.trainImages)
  const test = firstImages(wholeSplit(dataset, 'test'), config.testImages)
  if (config.preset === 'paper' || config.epochs === undefined) return { train: all, test }
  const { training, heldOut } = holdOut(all, HELD_OUT, HELD_OUT_SEED)
  return { train: training, validation: heldOut, test }
}

/** Returns the number of full batches of an epoch. @throws UserError if the training split does not fill one batch. */
export function stepsPerEpoch({ batch }: TrialConfig, trainImages: number): number {
  if (batch > trainImages)
    throw new UserError(
      `a batch of ${batch} needs as many images, but the training split has ${trainImages}`,
      'choose a smaller --batch',
    )
  return Math.floor(trainImages / batch)
}

export const teacherOf = ({ teacher }: TrialConfig): Teacher | undefined =>
  teacher === undefined ? undefined : findTeacher(teacher)

/** Whether a trial measures time and memory alone: a teacher of random weights teaches nothing, and few steps learn nothing. */
export const isCostOnly = (config: TrialConfig): boolean =>
  config.steps !== undefined || teacherOf(config)?.kind === 'random'

export const teacherModelOf = (teacher: Teacher, { images, classes }: DataFacts) =>
  teacher.model({ ...images, classes })

/**
 * Returns the training graph's configuration.
 * @throws UserError if the method needs class scores and the teacher has none.
 */
export function trainConfigOf(config: TrialConfig, data: DataFacts): TrainConfig {
  const { method } = config
  const teacher = teacherOf(config)
  const model = teacher && teacherModelOf(teacher, data)
  const definition = methodOf(method)
  const { takes } = definition
  if (takes === 'probabilities' && !(model && 'classes' in model && model.classes === data.classes))
    throw new UserError(
      `${method} needs a teacher that scores the ${data.classes} classes of the data, ` +
        `${config.teacher} scores ${model && 'classes' in model ? model.classes : 'none'}`,
      'choose another teacher, or another method',
    )
  const subject = {
    method: definition,
    student: studentOf(config, data),
    images: data.images,
    teacher: model && teacherSource(config, model),
  }
  return trainingConfig(subject, config, totalStepsOf(config, data.trainImages))
}

/** Returns the student's model. */
export const studentOf = (
  { student, dropout }: TrialConfig,
  { images, classes }: Pick<DataFacts, 'images' | 'classes'>,
): ClassifierConfig => studentModel(student, { channels: images.channels, classes }, dropout)

/** Returns the number of steps over which the schedule of a trial runs. */
export const totalStepsOf = (config: TrialConfig, trainImages: number): number =>
  config.steps ?? config.epochs! * stepsPerEpoch(config, trainImages)

function teacherSource({ method }: TrialConfig, model: ViTConfig): TeacherSource {
  return methodOf(method).teacher === 'live'
    ? { kind: 'live', model }
    : { kind: 'stored', width: embeddingWidth(model) }
}

/** Returns which embeddings must be computed before a trial: one of each class, one of each image, or none. */
export const storedSignalOf = ({ method }: TrialConfig): 'centroids' | 'samples' | undefined => {
  const { teacher } = methodOf(method)
  return teacher === 'centroids' || teacher === 'samples' ? teacher : undefined
}
