// What follows from a trial's configuration without running it: the data, the splits, the models, the training graph's
// configuration. Which trials there are is decided in sweep/grid.ts.
import { UserError, type ImageShape, type TeacherSource, type TrainConfig } from '@embed-kd/core'
import { studentModel, trainingConfig, type StudentConfig } from '@embed-kd/distill'
import {
  findTeacher,
  firstImages,
  firstOfEachClass,
  holdOut,
  pretrainedModel,
  loadDataset,
  MOST_TRAINING_IMAGES,
  shareOfEachClass,
  wholeSplit,
  type Dataset,
  type DatasetOptions,
  type NamedTeacher,
  type Subset,
  type TeacherFacts,
  type EmbeddingKind,
} from '@embed-kd/distill/node'

import type { TrialConfig } from '../axes/config.js'
import { methodOf } from '../axes/methods.js'

export type { TrialConfig }

/** The axes that say which images a trial has, before any of them are left out. */
const DATA_AXES = ['dataset', 'dataSize', 'skipCorrupt', 'maxMegapixels'] as const

/** The data of a trial, as its configuration names it. */
export type DataChoice = Pick<TrialConfig, (typeof DATA_AXES)[number]>

/** Returns the part of a configuration that names the data. */
export const dataOf = (config: DataChoice): DataChoice =>
  Object.fromEntries(
    DATA_AXES.flatMap((name) => (config[name] === undefined ? [] : [[name, config[name]]])),
  ) as DataChoice

/** What is told while data are opened, and what ends the opening. */
export type DataObserver = Pick<DatasetOptions, 'warn' | 'progress' | 'signal'>

/** Opens the data of a trial. @throws DatasetError if the data cannot be read, or have no size to choose. */
export const loadTrialData = (
  { dataset, dataSize, skipCorrupt, maxMegapixels }: DataChoice,
  observer: DataObserver = {},
): Promise<Dataset> =>
  loadDataset(dataset, {
    ...observer,
    ...(dataSize === undefined ? {} : { imageSize: dataSize }),
    ...(maxMegapixels === undefined ? {} : { maxMegapixels }),
    corrupt: skipCorrupt ? 'skip' : 'fail',
  })

/** The facts of a data set that the models and the plan of a trial depend on. */
export interface DataFacts {
  readonly images: ImageShape
  /** Absent if the student learns without labels. */
  readonly classes?: number
  readonly trainImages: number
  /** Absent if the method has no teacher. */
  readonly teacher?: TeacherFacts
}

/** Share of the training split on which preset `corrected` chooses its checkpoint; the paper's code uses the test split. */
const HELD_OUT = 1 / 12
/** Seed that chooses the images held out: the same ones for all trials, whatever their own seed and share of labels. */
const HELD_OUT_SEED = 0

export interface TrialSplits {
  /** Images that the student trains on. */
  readonly train: Subset
  /** Number of training images of which `train` is a share; absent if it is all of them. */
  readonly poolSize?: number
  /** Images on which the checkpoint is chosen; absent if it is chosen on the test split. */
  readonly validation?: Subset
  readonly test: Subset
}

/** Whether the student learns from labels. Without them it has no classifier, and no accuracy is measured. */
export const usesLabels = ({ labels }: TrialConfig): boolean => labels !== 0

/** Whether images are held out of the training split. A search never looks at the test split, whatever the preset. */
export const holdsOut = (config: TrialConfig): boolean =>
  config.steps === undefined &&
  usesLabels(config) &&
  (config.preset !== 'paper' || config.purpose === 'search')

/** Returns the images of a trial. The seed chooses the labelled ones, for all methods alike. */
export function splitsOf(dataset: Dataset, config: TrialConfig): TrialSplits {
  const { labels, seed, trainImages, testImages } = config
  const all = firstImages(wholeSplit(dataset, 'train'), trainImages)
  const test = firstImages(wholeSplit(dataset, 'test'), testImages)
  if (config.steps === undefined && usesLabels(config)) {
    refuseMissingClasses(all, dataset, 'give --labels, such as 10%, instead of --train-images')
    refuseMissingClasses(test, dataset, 'leave out --test-images')
  }
  const { training, heldOut } = holdsOut(config)
    ? holdOut(all, HELD_OUT, HELD_OUT_SEED)
    : { training: all, heldOut: undefined }
  return {
    ...(labels === undefined || labels === 0
      ? { train: training }
      : { train: shareOfEachClass(training, labels, seed), poolSize: training.indices.length }),
    ...(heldOut ? { validation: heldOut } : {}),
    test,
  }
}

/**
 * Refuses leading images that leave out whole classes, because the split lies class by class, as image folders do.
 * @throws UserError that says how many classes are left, and what to give instead.
 */
function refuseMissingClasses({ split, indices }: Subset, { classes }: Dataset, remedy: string) {
  const { labels } = split
  if (indices.length === labels.length || labels.some((label, i) => label < labels[i - 1]!)) return
  const found = labels[indices.at(-1)!]! + 1
  if (found < classes)
    throw new UserError(
      `the first ${indices.length} images have ${found} of the ${classes} classes, since this data set lies class by class`,
      remedy,
    )
}

/** Returns the number of images of one evaluation of the student; a student without classes is evaluated by its embeddings alone. */
export function evaluatedImages(
  { train, test, validation }: TrialSplits,
  config: TrialConfig,
): number {
  const { knn, purpose } = config
  const looksAtTest = purpose !== 'search' && (usesLabels(config) || knn !== undefined)
  return (
    (validation?.indices.length ?? 0) +
    (looksAtTest ? test.indices.length : 0) +
    (knn === undefined ? 0 : Math.min(MOST_TRAINING_IMAGES, train.indices.length))
  )
}

/** Returns the training images that are embedded for a trial: those with labels alone, so that centroids know no others. */
export function embeddedImages(dataset: Dataset, config: TrialConfig): Subset {
  const images =
    config.labels === undefined || config.labels === 0
      ? firstImages(wholeSplit(dataset, 'train'), config.trainImages)
      : splitsOf(dataset, config).train
  return config.centroidImages === undefined
    ? images
    : firstOfEachClass(images, config.centroidImages)
}

/**
 * Returns the augmentation of stored embeddings and the number of their views; undefined if there is none.
 * @param trainImages number of images that the student trains on.
 */
export function augmentedOf(
  config: TrialConfig,
  trainImages: number,
): { readonly augment: string; readonly views: number } | undefined {
  const { augment } = config
  const stored = storedSignalOf(config)
  return augment === undefined || stored === undefined || stored === 'centroids'
    ? undefined
    : { augment, views: Math.min(config.views ?? Infinity, epochsOf(config, trainImages)) }
}

/** Returns the number of full batches of an epoch. @throws UserError if the training split does not fill one batch. */
export function stepsPerEpoch({ batch, labels }: TrialConfig, trainImages: number): number {
  if (batch > trainImages)
    throw new UserError(
      `a batch of ${batch} needs as many images, but the student trains on ${trainImages}`,
      `choose a smaller --batch${labels === undefined ? '' : ', or more --labels'}`,
    )
  return Math.floor(trainImages / batch)
}

export const teacherOf = ({ teacher }: TrialConfig): NamedTeacher | undefined =>
  teacher === undefined ? undefined : findTeacher(teacher)

/** Whether a trial measures time and memory alone: a teacher of random weights teaches nothing, and few steps learn nothing. */
export const isCostOnly = (config: TrialConfig): boolean =>
  config.steps !== undefined || hasRandomWeights(teacherOf(config))

const hasRandomWeights = (teacher: NamedTeacher | undefined): boolean =>
  teacher?.kind === 'several'
    ? teacher.members.some((member) => hasRandomWeights(member.teacher))
    : teacher?.kind === 'random'

/** Returns the training graph's configuration. */
export function trainConfigOf(config: TrialConfig, data: DataFacts): TrainConfig {
  const subject = {
    method: methodOf(config.method),
    student: studentOf(config, data),
    images: data.images,
    teacher: data.teacher && teacherSource(config, data.teacher),
  }
  return trainingConfig(subject, config, totalStepsOf(config, data.trainImages))
}

/** Returns the student's model: that of the checkpoint if it starts from one. */
export function studentOf(
  { student, dropout, init, initSize: size }: TrialConfig,
  { images: { channels }, classes }: Pick<DataFacts, 'images' | 'classes'>,
): StudentConfig {
  return init === undefined
    ? studentModel(student, { channels, classes }, dropout)
    : pretrainedModel(init, { channels, classes, size, dropout })
}

/**
 * Returns the number of steps over which the schedule of a trial runs.
 * @throws UserError if there are not the images of one batch.
 */
export function totalStepsOf(config: TrialConfig, trainImages: number): number {
  const { steps, epochs, imagesSeen, batch } = config
  if (steps !== undefined) return steps
  if (epochs !== undefined) return epochs * stepsPerEpoch(config, trainImages)
  if (imagesSeen! >= batch) return Math.floor(imagesSeen! / batch)
  throw new UserError(
    `a batch has ${batch} images, but training ends after ${imagesSeen}`,
    'choose a smaller --batch or more --images-seen',
  )
}

/** Returns the number of epochs of a trial, the last of which may be a part of one; 1 if its cost alone is measured. */
export const epochsOf = (config: TrialConfig, trainImages: number): number =>
  config.steps === undefined
    ? Math.ceil(totalStepsOf(config, trainImages) / stepsPerEpoch(config, trainImages))
    : 1

/** Number of evaluations of a training that is shorter than an evaluation. */
const LEAST_EVALUATIONS = 3

/**
 * Returns the epochs, from 1, after which a student is evaluated: evenly spread, and the last one. Evaluation takes at most a third
 * of the work of training, of which a forward pass is a third. There are at least three evaluations, or one after every epoch.
 * @param evaluated number of images of one evaluation; 0 if nothing is evaluated.
 */
export function evaluatedEpochs(
  config: TrialConfig,
  trainImages: number,
  evaluated: number,
): number[] {
  if (evaluated === 0) return []
  const epochs = epochsOf(config, trainImages)
  const seen = totalStepsOf(config, trainImages) * config.batch
  const affordable = Math.floor(seen / evaluated)
  const count = Math.min(epochs, Math.max(affordable, LEAST_EVALUATIONS))
  return Array.from({ length: count }, (_, i) => Math.round(((i + 1) * epochs) / count))
}

/** To the graph, the output of an encoder beside it is stored embeddings. */
function teacherSource(
  { method, prototypes: asked = 1 }: TrialConfig,
  { model, width, stored, members }: TeacherFacts,
): TeacherSource {
  if (members)
    return {
      kind: 'several',
      teachers: members.map(({ name, weight, facts }) => {
        const { prototypes = asked } = facts.stored ?? {}
        return { name, weight, width: facts.width, prototypes }
      }),
    }
  return methodOf(method).teacher === 'live' && model
    ? { kind: 'live', model }
    : { kind: 'stored', width, prototypes: stored?.prototypes ?? asked }
}

/** Whether an encoder runs beside the training graph, on each batch. */
export const runsBeside = (config: TrialConfig): boolean =>
  methodOf(config.method).teacher === 'live' && teacherOf(config)?.place === 'beside'

/** Returns what must be computed of the teacher before a trial; undefined if nothing must. */
export const storedSignalOf = (config: TrialConfig): EmbeddingKind | undefined => {
  const { teacher, takes } = methodOf(config.method)
  if ((teacher !== 'centroids' && teacher !== 'samples') || teacherOf(config)?.place === 'file')
    return undefined
  return takes === 'probabilities' ? 'scores' : teacher
}
