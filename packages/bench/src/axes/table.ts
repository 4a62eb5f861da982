// How each axis of a trial is given by a user: help, default and what becomes of a value in a trial. Flags, the schema of grids,
// their expansion and commands that run a trial again follow from this table and from the one in the records package.
import {
  findStudent,
  formatAugmentation,
  microBatchOf,
  parseAugmentation,
  students,
  storePattern,
  storeWords,
  STUDENT_EXAMPLE,
} from '@embed-kd/distill'
import {
  backendSpec,
  datasetSpecs,
  isMethodWord,
  methodWords,
  studentSchema,
  teacherSpecs,
} from '@embed-kd/distill/node'
import {
  ANCHOR_CONTROLS,
  axisNames,
  METHODS,
  PRECISIONS,
  PRESETS,
  REMATERIALISATIONS,
  type AxisName,
} from '@embed-kd/records'
import { z } from 'zod'

import { findMethod, methodOf } from './methods.js'

/** The values of a grid that other axes depend on. */
interface Choice {
  /** Word that chose the method. */
  readonly method: string
  readonly batch: number
  readonly augment?: string | undefined
  readonly init?: string | undefined
  readonly steps?: number | undefined
}

interface AxisOption<Value = unknown> {
  /** Placeholder of a value in help texts; absent if the flag stands alone and means true. */
  readonly placeholder?: string
  /** Complete phrase with unit. */
  readonly help: string
  /** Values of a grid that gives none. */
  readonly default?: readonly Value[]
  /** What help texts call the default, if there are no values to show. */
  readonly otherwise?: string
  /** Schema of a value in a grid, if it differs from that in a trial. */
  readonly item?: z.ZodType<Value>
  /** Returns the value of a trial, or undefined if the trial leaves the axis out (default: the value of the grid). */
  inTrial?(value: Value | undefined, choice: Choice): Value | undefined
  /** Writes a value of a trial as a word that reads back (default: as text). */
  format?(value: Value): string
  /** Value in the identity of trials that leave the axis out. */
  readonly inIdentity?: unknown
}

/** The axes whose values a user gives one by one. */
export type GivenAxis = Exclude<AxisName, 'search' | 'purpose'>

const axis = <Value>(entry: AxisOption<Value>): AxisOption<Value> => entry

const isPretrained = ({ init = 'none' }: Choice): boolean => init !== 'none'
const hasTeacher = ({ method }: Choice): boolean => methodOf(method).teacher !== 'none'
const hasViews = ({ method, augment = 'none' }: Choice): boolean =>
  methodOf(method).teacher === 'samples' && augment !== 'none'
const hasSamples = ({ method }: Choice): boolean => methodOf(method).teacher === 'samples'
const hasCentroids = ({ method }: Choice): boolean => methodOf(method).teacher === 'centroids'

const oneOf = (values: readonly string[]) =>
  z.enum(values as [string, ...string[]], `give one of ${values.join(', ')}`)
const wholeFromOne = 'give a whole number from 1 on'
const names = (values: readonly { readonly name: string }[]): string =>
  values.map(({ name }) => name).join(', ')

const percentage = 'give a percentage above 0 and at most 100%, such as 10%, or none'
/** Shares above 0 and at most 1, which words give as percentages; 0 is none. */
const shareSchema = z.union(
  [
    z.number(percentage).min(0, percentage).max(1, percentage),
    z.literal('none').transform(() => 0),
    z
      .string()
      .regex(/^\d+(\.\d+)?(e-\d+)? ?%$/)
      .transform((words) => Number.parseFloat(words) / 100)
      .refine((share) => share > 0 && share <= 1, percentage),
  ],
  percentage,
)
const formatShare = (share: number): string =>
  share === 0 ? 'none' : `${Number((100 * share).toPrecision(15))}%`

const fromOne = 'give a whole number from 1 on, such as 5000, 100k or 1.5M'
const THOUSANDS: Readonly<Record<string, number>> = { k: 1e3, M: 1e6 }
/** Counts, which words may give in thousands or millions. */
const countSchema = z.union(
  [
    z.int(fromOne).positive(fromOne),
    z
      .string()
      .regex(/^\d+(\.\d+)?[kM]?$/)
      .transform((words) => Math.round(Number.parseFloat(words) * (THOUSANDS[words.at(-1)!] ?? 1)))
      .refine((count) => count > 0, fromOne),
  ],
  fromOne,
)

/** In the order in which a grid nests them, outermost first: methods that are compared run close together in time. */
export const axisOptions = {
  seed: axis<number>({
    placeholder: 'n',
    help: 'seed of labelled images, initial values, order of images and dropout',
    default: [0],
  }),
  backend: axis<string>({
    placeholder: 'name',
    help: 'backend and device, as embed-kd doctor lists them, or ./plug-in.js',
    default: ['ort:cpu'],
    inTrial: (spec) => spec && backendSpec(spec),
  }),
  dataset: axis<string>({
    placeholder: 'spec',
    help: `data set: ${datasetSpecs.join(', ')}; DIR may be s3://BUCKET/DIR`,
    default: ['mnist'],
  }),
  dataSize: axis<number>({
    placeholder: 'pixels',
    help: 'side in pixels to which encoded images (images:DIR, parquet:DIR, webdataset:DIR) are resized',
    otherwise: 'the size of the first image',
  }),
  skipCorrupt: axis<boolean>({
    help: 'skip encoded images that cannot be decoded, and name them',
    otherwise: 'stop at the first one',
  }),
  maxMegapixels: axis<number>({
    placeholder: 'n',
    help: 'largest encoded image that is decoded, in megapixels',
    otherwise: '100',
  }),
  trainImages: axis<number>({
    placeholder: 'n',
    help: 'number of leading images of the training split to use',
    otherwise: 'all',
  }),
  testImages: axis<number>({
    placeholder: 'n',
    help: 'number of leading images of the test split to use',
    otherwise: 'all',
  }),
  labels: axis<number>({
    placeholder: 'share',
    help: 'share of the training images that the student learns from, chosen by the seed, of each class alike, such as 10%; none: all images without labels',
    otherwise: '100%',
    item: shareSchema,
    inTrial: (share) => (share === 1 ? undefined : share),
    format: formatShare,
  }),
  student: axis<unknown>({
    placeholder: 'name',
    help: `student to train: ${names(students)}, or a description such as ${STUDENT_EXAMPLE}`,
    default: ['small'],
    item: z.union([z.string('give a name').transform(findStudent), studentSchema]),
    // The plan takes the sizes from the checkpoint; until then one student stands for all.
    inTrial: (student, choice) => (isPretrained(choice) ? findStudent('small') : student),
  }),
  init: axis<string>({
    placeholder: 'model',
    help: 'pretrained vision transformer whose weights the student starts from, instead of --student: directory of a checkpoint or of a run, or namespace/name on the Hugging Face Hub',
    otherwise: 'none',
  }),
  initSize: axis<number>({
    placeholder: 'pixels',
    help: "side of the student's input with --init, to which position embeddings are interpolated",
    otherwise: "the checkpoint's",
    inTrial: (pixels, choice) => (isPretrained(choice) ? pixels : undefined),
  }),
  preset: axis<string>({
    placeholder: 'name',
    help: `details of losses and schedule: ${PRESETS.join(' (as published) or ')}`,
    default: ['corrected'],
  }),
  epochs: axis<number>({
    placeholder: 'n',
    help: 'passes over the training images, to train for accuracy',
    otherwise: 'none: give epochs, images seen or steps',
  }),
  imagesSeen: axis<number>({
    placeholder: 'n',
    help: 'images after which training ends, repeated ones counted again, such as 100k; the last epoch may be a part of one',
    otherwise: 'none: give epochs, images seen or steps',
    item: countSchema,
  }),
  steps: axis<number>({
    placeholder: 'n',
    help: 'timed training steps, to measure time and memory alone',
    otherwise: 'none: give epochs, images seen or steps',
  }),
  learningRate: axis<number>({
    placeholder: 'rate',
    help: 'learning rate of AdamW',
    default: [1e-4],
  }),
  weightDecay: axis<number>({
    placeholder: 'rate',
    help: 'weight decay of AdamW',
    default: [0.1],
  }),
  dropout: axis<number>({
    placeholder: 'share',
    help: 'probability, at most 0.99, that an attention weight is dropped',
    default: [0.1],
  }),
  batch: axis<number>({
    placeholder: 'n',
    help: 'images in a training step',
    default: [64],
  }),
  microBatch: axis<number>({
    placeholder: 'n',
    help: 'images whose gradients are computed at a time, a divisor of the batch; fewer need less memory',
    otherwise: 'the whole batch',
    inTrial: (images, { batch }) => microBatchOf(batch, images),
  }),
  rematerialise: axis<string>({
    placeholder: 'what',
    help: `results that gradients recompute instead of keeping them, to save memory: none, ${REMATERIALISATIONS.join(', ')}`,
    default: ['none'],
    item: oneOf(['none', ...REMATERIALISATIONS]),
  }),
  precision: axis<string>({
    placeholder: 'name',
    help: `precision of training steps: ${PRECISIONS.join(', ')}; evaluation and embedding use float32`,
    default: ['float32'],
    item: oneOf(PRECISIONS),
  }),
  augment: axis<string>({
    placeholder: 'how',
    help: 'random changes of training images: none, flip, crop:PIXELS of padding, or flip+crop:PIXELS',
    default: ['none'],
    item: z
      .string('give a name')
      .transform((words) => formatAugmentation(parseAugmentation(words))),
  }),
  teacher: axis<string>({
    placeholder: 'name',
    help: `teacher of the methods that need one: ${teacherSpecs.join(', ')}`,
    default: ['trained-s'],
    inTrial: (name, choice) => (hasTeacher(choice) ? name : undefined),
  }),
  kdWeight: axis<number>({
    placeholder: 'weight',
    help: 'weight of the distillation loss',
    otherwise: "the preset's",
    inTrial: (weight, choice) => (hasTeacher(choice) ? weight : undefined),
  }),
  centroidImages: axis<number>({
    placeholder: 'n',
    help: 'images of each class whose mean embedding is a centroid',
    default: [100],
    inTrial: (images, choice) => (hasCentroids(choice) ? images : undefined),
    // Identities held the default for every method before the table was there; they stay the same.
    inIdentity: 100,
  }),
  prototypes: axis<number>({
    placeholder: 'k',
    help: 'vectors of each class for methods that take centroids: 1 is the mean, more are centres of k-means',
    otherwise: '1',
    item: z.int(wholeFromOne).positive(wholeFromOne),
    inTrial: (vectors, choice) => (hasCentroids(choice) && vectors !== 1 ? vectors : undefined),
  }),
  anchors: axis<string>({
    placeholder: 'what',
    help: `anchors of methods that take centroids: teacher, or as a control ${ANCHOR_CONTROLS.join(', ')}`,
    default: ['teacher'],
    item: oneOf(['teacher', ...ANCHOR_CONTROLS]),
    inTrial: (what, choice) => (hasCentroids(choice) ? what : undefined),
  }),
  views: axis<number>({
    placeholder: 'n',
    help: 'stored embeddings of each image, augmented differently; epoch E uses view E modulo n',
    otherwise: 'one for each epoch',
    inTrial: (views, choice) => (hasViews(choice) ? views : undefined),
  }),
  knn: axis<number>({
    placeholder: 'k',
    help: 'neighbours by which embeddings are judged: accuracy of k-NN after each evaluated epoch, and of k-NN and a linear probe at the end',
    otherwise: 'embeddings are not judged',
    // Trials of a number of steps learn nothing that could be judged.
    inTrial: (k, { steps }) => (steps === undefined ? k : undefined),
  }),
  store: axis<string>({
    placeholder: 'how',
    help: `how embeddings of single images are stored, which decides the size of their file: ${storeWords}`,
    default: ['float32'],
    item: z.string(`give ${storeWords}`).regex(storePattern, `give ${storeWords}`),
    inTrial: (store, choice) => (hasSamples(choice) ? store : undefined),
  }),
  method: axis<string>({
    placeholder: 'name',
    help: `method that trains the student: ${METHODS.join(', ')}, or a module that exports one, such as ./my-method.js`,
    default: ['supervised', 'logit-kd', 'teacher-kd', 'embed-kd'],
    item: z.string(methodWords('')).refine(isMethodWord, {
      error: ({ input }) => methodWords(String(input)),
    }),
    inTrial: (word) => word && findMethod(word).name,
  }),
} satisfies { readonly [Name in GivenAxis]: AxisOption }

/** In the order in which trials are described. */
export const givenAxes = axisNames.filter((name): name is GivenAxis => name in axisOptions)

export const optionOf = (name: GivenAxis): AxisOption => axisOptions[name]
