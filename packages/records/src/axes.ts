// The axes of a trial: everything in which two trials can differ, one entry each. The schema of a record's trial, the names
// of trials and the grouping of records follow from this table; the bench package adds flags, help and defaults to each entry.
import { methodNames } from '@embed-kd/core'
import { z } from 'zod'

import {
  amount,
  axis,
  type Axis,
  count,
  fromOne,
  oneOf,
  probability,
  SEARCHED_AXES,
  SEARCHED_LABELS,
  searchedKey,
  searchSpaceSchema,
  teacherKey,
  text,
} from './axis.js'
import {
  datasetSchema,
  initSchema,
  moduleSchema,
  studentSchema,
  teacherSchema,
} from './trial-parts.js'

/** The methods of core's table. */
export const METHODS = methodNames
export const PRESETS = ['paper', 'corrected'] as const
/** Parts of a model that gradients may recompute instead of keeping their results. */
export const REMATERIALISATIONS = ['elementwise', 'blocks'] as const
/** Vectors in place of the teacher's centroids, which show whether the teacher's knowledge matters. */
export const ANCHOR_CONTROLS = ['shuffled', 'orthogonal', 'one-hot'] as const
/** Precisions of the models' matrix products; parameters and optimizer are float32. */
export const PRECISIONS = ['float32', 'mixed-float16'] as const

const formatPercent = (share: number): string => `${Number((100 * share).toPrecision(6))} %`

/** In the order in which trials are described. */
export const axes = {
  method: axis({
    label: 'method',
    schema: text.describe(
      'name of a method; one that does not come with embed-kd has a methodModule',
    ),
    role: 'variant',
    named: 'always',
    words: (method) => method,
    // A module that was edited has another method of the same name.
    key: ({ method, methodModule }) => (methodModule ? [method, methodModule.digest] : method),
  }),
  teacher: axis({
    label: 'teacher',
    schema: teacherSchema.optional(),
    role: 'setting',
    absentWords: 'no teacher',
    named: 'always',
    words: ({ name, members }) => `${members ? 'teachers' : 'teacher'} ${name}`,
    // A sweep trains its own teachers; two of one name are the same teacher with other initial values.
    key: ({ teacher }) =>
      teacher && [
        ...teacherKey(teacher),
        ...(teacher.members?.map((member) => [...teacherKey(member), member.weight]) ?? []),
      ],
  }),
  student: axis({
    label: 'student',
    schema: studentSchema,
    role: 'scope',
    named: 'always',
    words: ({ name }) => `${name} student`,
    // The number of parameters counts those that the method trains beside the student's.
    key: ({ student: { parameterCount: _counted, ...student } }) => student,
  }),
  init: axis({
    label: 'initial weights',
    schema: initSchema
      .optional()
      .describe('pretrained model whose weights the student started from; random ones if absent'),
    role: 'setting',
    absent: 'none',
    absentWords: 'random initial weights',
    // A pretrained student must never pass for one that learnt from nothing.
    named: 'always',
    words: ({ name }) => `started from ${name}`,
  }),
  initSize: axis({
    label: 'input of the pretrained student',
    schema: count
      .optional()
      .describe(
        "side of the pretrained student's input, in pixels, if it was chosen; its own if absent",
      ),
    role: 'setting',
    named: 'if it varies',
    words: (pixels) => `input of ${pixels} px`,
  }),
  dataset: axis({
    label: 'data set',
    schema: datasetSchema,
    role: 'scope',
    named: 'if it varies',
    words: ({ name }) => name,
    key: ({ dataset: { name, digest } }) => [name, digest],
  }),
  dataSize: axis({
    label: 'image size',
    schema: count
      .optional()
      .describe('side in pixels to which encoded images were resized; their own size if absent'),
    role: 'scope',
    absentWords: 'images of their own size',
    named: 'if it varies',
    words: (pixels) => `images of ${pixels} px`,
  }),
  skipCorrupt: axis({
    label: 'corrupt images',
    schema: z
      .literal(true, 'give true, or leave it out')
      .optional()
      .describe('true if images that could not be decoded were skipped; none was if absent'),
    role: 'scope',
    absentWords: 'no image skipped',
    named: 'if it varies',
    words: () => 'corrupt images skipped',
  }),
  maxMegapixels: axis({
    label: 'largest image',
    schema: count
      .optional()
      .describe('largest image that was decoded, in megapixels; 100 if absent'),
    role: 'scope',
    absentWords: 'images of at most 100 megapixels',
    named: 'if it varies',
    words: (megapixels) => `images of at most ${megapixels} megapixels`,
  }),
  trainImages: axis({
    label: 'training images',
    schema: count
      .optional()
      .describe('number of leading images of the training split that were used; all if absent'),
    role: 'setting',
    absentWords: 'all training images',
    named: 'if it varies',
    words: (images) => `${images} training images`,
    key: ({ dataset }) => dataset.poolSize ?? dataset.trainSize,
  }),
  labels: axis({
    label: 'share of labels',
    schema: z
      .number('give a share of the training images')
      .min(0, 'give a share from above 0 to 1, or 0 to learn without labels')
      .lt(1, 'leave the share out if all images are used')
      .optional()
      .describe(
        'share of the training images, of each class alike, that the student learns from; all if absent; 0: it learns from all images without labels',
      ),
    role: 'setting',
    absentWords: 'all labels',
    named: 'if it varies',
    words: (share) => (share === 0 ? 'no labels' : `${formatPercent(share)} of the labels`),
  }),
  testImages: axis({
    label: 'test images',
    schema: count
      .optional()
      .describe('number of leading images of the test split that were used; all if absent'),
    role: 'setting',
    absentWords: 'all test images',
    named: 'if it varies',
    words: (images) => `${images} test images`,
    key: ({ dataset }) => dataset.testSize,
  }),
  batch: axis({
    label: 'batch size',
    schema: count.describe('images of a training step'),
    role: 'setting',
    named: 'always',
    words: (images) => `batch ${images}`,
  }),
  microBatch: axis({
    label: 'micro-batch size',
    schema: count
      .optional()
      .describe('images whose gradients are computed at a time; the whole batch if absent'),
    role: 'setting',
    absentWords: 'whole batches',
    named: 'always',
    words: (images) => `micro-batches of ${images}`,
  }),
  rematerialise: axis({
    label: 'rematerialisation',
    schema: oneOf(REMATERIALISATIONS)
      .optional()
      .describe('what gradients recompute instead of keeping it; nothing if absent'),
    role: 'setting',
    absent: 'none',
    absentWords: 'nothing rematerialised',
    named: 'always',
    words: (what) => `rematerialise ${what}`,
  }),
  precision: axis({
    label: 'precision',
    schema: oneOf(PRECISIONS)
      .exclude(['float32'])
      .optional()
      .describe('precision of training steps; float32 if absent'),
    role: 'scope',
    absent: 'float32',
    named: 'always',
    words: (precision) => precision,
  }),
  augment: axis({
    label: 'augmentation',
    schema: z
      .string()
      .regex(
        /^(flip|crop:[1-9]\d*|flip\+crop:[1-9]\d*)$/,
        'give flip, crop:PIXELS or flip+crop:PIXELS',
      )
      .optional()
      .describe('random changes of training images; none if absent'),
    role: 'setting',
    absent: 'none',
    absentWords: 'no augmentation',
    named: 'always',
    words: (augmentation) => `augment ${augmentation}`,
  }),
  backend: axis({
    label: 'backend',
    schema: text.describe('backend and device, for example ort:cpu'),
    role: 'scope',
    named: 'always',
    words: (backend) => backend,
    key: ({ backend, backendModule }) =>
      backendModule ? [backend, backendModule.digest] : backend,
  }),
  preset: axis({
    label: 'preset',
    schema: oneOf(PRESETS),
    role: 'scope',
    named: 'always',
    usual: 'corrected',
  }),
  epochs: axis({
    label: 'epochs',
    schema: count
      .optional()
      .describe('passes over the training images; absent if imagesSeen or steps is given'),
    role: 'setting',
    named: 'if it varies',
    words: (epochs) => `${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}`,
  }),
  imagesSeen: axis({
    label: 'images seen',
    schema: count
      .optional()
      .describe('number of images after which training ends, repeated images counted again'),
    role: 'setting',
    named: 'if it varies',
    words: (images) => `${images.toLocaleString('en')} images seen`,
  }),
  steps: axis({
    label: 'steps',
    schema: count.optional().describe('timed steps of a trial that measures the cost alone'),
    role: 'setting',
    named: 'if it varies',
    words: (steps) => `${steps} ${steps === 1 ? 'step' : 'steps'}`,
  }),
  learningRate: axis({
    label: SEARCHED_LABELS.learningRate,
    schema: z.number('give a number').positive('give a number greater than 0'),
    role: 'setting',
    named: 'if it varies',
    key: searchedKey('learningRate'),
  }),
  weightDecay: axis({
    label: SEARCHED_LABELS.weightDecay,
    schema: amount,
    role: 'setting',
    named: 'if it varies',
    key: searchedKey('weightDecay'),
  }),
  kdWeight: axis({
    label: SEARCHED_LABELS.kdWeight,
    schema: amount
      .optional()
      .describe('weight of the distillation loss; absent if the method has none'),
    role: 'setting',
    named: 'if it varies',
    key: searchedKey('kdWeight'),
  }),
  dropout: axis({
    label: SEARCHED_LABELS.dropout,
    schema: probability.describe('probability that an attention weight is dropped'),
    role: 'setting',
    named: 'if it varies',
    key: searchedKey('dropout'),
  }),
  centroidImages: axis({
    label: 'centroid images',
    schema: count
      .optional()
      .describe(
        'images of each class whose mean embedding is a centroid; absent if the method has none',
      ),
    // Other methods have no centroids, so a comparison with them asks for no equal value.
    role: 'variant',
    named: 'if it varies',
    words: (images) => `centroids of ${images} images`,
  }),
  prototypes: axis({
    label: 'prototypes',
    schema: z
      .int(fromOne)
      .min(2, 'give a whole number from 1 on')
      .optional()
      .describe('vectors of each class, centres of k-means; one, the mean, if absent'),
    role: 'variant',
    signal: 'centroids',
    absentWords: 'one centroid a class',
    named: 'if it varies',
    words: (vectors) => `${vectors} prototypes a class`,
  }),
  anchors: axis({
    label: 'anchors',
    schema: oneOf(ANCHOR_CONTROLS)
      .optional()
      .describe(
        "control in place of the teacher's centroids: those of other classes, random orthogonal vectors, or unit vectors",
      ),
    role: 'variant',
    absent: 'teacher',
    signal: 'centroids',
    absentWords: "the teacher's centroids",
    // A control must never pass for the method.
    named: 'always',
    words: (control) => `${control} anchors`,
  }),
  views: axis({
    label: 'views',
    schema: count
      .optional()
      .describe('stored embeddings of each augmented image; one for each epoch if absent'),
    // Other methods see another augmentation in each epoch, so a comparison with them asks for no equal value.
    role: 'variant',
    signal: 'samples',
    absentWords: 'a view for each epoch',
    named: 'if it varies',
    words: (views) => `${views} ${views === 1 ? 'view' : 'views'} of an image`,
  }),
  knn: axis({
    label: 'k-NN',
    schema: count
      .optional()
      .describe(
        'number of neighbours by which embeddings are judged too, beside a linear probe; not judged if absent',
      ),
    role: 'setting',
    absentWords: 'embeddings not judged',
    named: 'if it varies',
    words: (k) => `k-NN of ${k}`,
  }),
  store: axis({
    label: 'store',
    schema: z
      .string()
      .regex(/^(float16|int8|(pca|pq)[1-9]\d{0,4})$/, 'give float16, int8, pcaN or pqN')
      .optional()
      .describe(
        'how the numbers of stored embeddings are kept: float16, int8, pcaN for N principal components, or pqN for N bytes of product quantisation; float32 if absent',
      ),
    role: 'variant',
    absent: 'float32',
    signal: 'samples',
    absentWords: 'store float32',
    named: 'if it varies',
    words: (store) => `store ${store}`,
  }),
  search: axis({
    label: 'search',
    schema: searchSpaceSchema
      .optional()
      .describe('values of hyperparameters among which the sweep chose for each method'),
    role: 'setting',
    absentWords: 'nothing searched',
    named: 'if it varies',
    words: (space) =>
      `searched ${SEARCHED_AXES.filter((name) => space[name])
        .map((name) => `${SEARCHED_LABELS[name]} (${space[name]!.join(', ')})`)
        .join(' and ')}`,
  }),
  purpose: axis({
    label: 'purpose',
    schema: z
      .literal('search')
      .optional()
      .describe(
        'search: a trial of a search for hyperparameters, judged on held-out training images; a result if absent',
      ),
    // A trial of a search is no result: no figure averages the two.
    role: 'scope',
    absentWords: 'result',
    named: 'always',
    words: () => 'trial of the search',
  }),
  seed: axis({
    label: 'seed',
    schema: z.int('give a whole number from 0 on').nonnegative('give a whole number from 0 on'),
    role: 'repetition',
    named: 'always',
  }),
} satisfies Record<string, Axis>

/** Name of an axis, which is also the name of its field in a record's trial. */
export type AxisName = keyof typeof axes
export const axisNames = Object.keys(axes) as AxisName[]

type TrialShape = { readonly [Name in AxisName]: (typeof axes)[Name]['schema'] }

/** A trial: the value of each axis. */
export const trialSchema = z
  .strictObject({
    ...(Object.fromEntries(axisNames.map((name) => [name, axes[name].schema])) as TrialShape),
    methodModule: moduleSchema.optional().describe("module of a user's method"),
    backendModule: moduleSchema.optional().describe('module of a plug-in backend'),
  })
  .describe('one configuration and one seed')
export type Trial = z.output<typeof trialSchema>
