// The metadata of a file of embeddings: which teacher, which data, which preprocessing. A reader can so refuse a file that does
// not belong to its data. The file has strings; here they are values.
import { z } from 'zod'

import { anchorControls } from '../../embeddings/anchors.js'
import { readFormats } from '../../embeddings/file.js'
import { storePattern, storeWords, type Store } from '../../embeddings/store.js'
import type { Augmentation } from '../../images/augment.js'
import type { Dataset } from '../data/dataset.js'
import type { ModelInput } from '../data/input.js'
import { UserError } from '@embed-kd/core'
import { SafetensorsReader } from '../files/safetensors-file.js'
import type { Encoder } from '../teachers/encoder.js'

const json = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text)
      } catch {
        context.addIssue('it is not JSON')
        return z.NEVER
      }
    })
    .pipe(schema)

const whole = z.int().nonnegative()

const origin = {
  format: z.enum(readFormats),
  // Absent from files that a program wrote with `writeEmbeddings`.
  teacher: z.string().optional(),
  /** SHA-256 of the teacher's weights. */
  teacher_digest: z.string().optional(),
  pooling: z.string().optional(),
  /** Preprocessing of each image, a ModelInput. */
  preprocessing: json(z.record(z.string(), z.unknown())).optional(),
  dataset: z.string().optional(),
  dataset_digest: z.string().optional(),
  class_names: json(z.array(z.string())).optional(),
  /** Number of images of each class that went in. */
  counts: json(z.array(whole)).optional(),
  seed: json(whole).optional(),
}

const store = {
  /** How numbers are stored; absent from files of the first format. */
  store: z
    .custom<Store>(
      (word) => typeof word === 'string' && storePattern.test(word),
      `the store is none of ${storeWords}`,
    )
    .optional(),
}

/** What reports tell of a teacher; each is absent if it is not known. */
const teacherFacts = {
  teacher_parameters: json(z.int().positive()).optional(),
  /** Height in pixels of the images that the teacher saw. */
  teacher_image_size: json(z.int().positive()).optional(),
  /** Side of a patch in pixels. */
  teacher_patch: json(z.int().positive()).optional(),
  /** Test accuracy of the teacher on the data set, if the teacher was trained on it. */
  teacher_accuracy: json(z.number().min(0).max(1)).optional(),
}

export const centroidMetadata = z.object({
  ...origin,
  ...store,
  ...teacherFacts,
  kind: z.literal('centroids'),
  /** `none`: means of embeddings as they are; `l2`: means of embeddings scaled to length 1. */
  normalisation: z.enum(['none', 'l2']).optional(),
  /** Number of images of each class, the first ones; null for all. */
  per_class: json(whole.nullable()).optional(),
  prototypes: json(z.int().positive()),
  /** Control that stands in for the teacher's centroids; absent if nothing does. */
  anchors: z.enum(anchorControls).optional(),
})
export type CentroidMetadata = z.output<typeof centroidMetadata>

export const sampleMetadata = z.object({
  ...z.object(origin).required().shape,
  ...store,
  ...teacherFacts,
  kind: z.literal('samples'),
  /** `scores` if the rows are class scores; embeddings if absent. */
  content: z.literal('scores').optional(),
  augmentation: json(z.object({ flip: z.boolean(), cropPadding: whole })),
  /** Number of embeddings of each image, each with an augmentation of its own. */
  views: json(z.int().positive()),
  /** Number of images of the whole training split, of which a shard has a part. */
  images: json(z.int().positive()),
  shard: z.string(),
  /** Position of the first image, if the rows are of consecutive images, view after view; otherwise `indices` has positions. */
  first_image: json(whole).optional(),
})
export type SampleMetadata = z.output<typeof sampleMetadata>

/** Returns metadata as safetensors has it: strings only. */
export const formatMetadata = (
  metadata: CentroidMetadata | SampleMetadata,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  )

const kinds = { centroids: 'an embedding for each class', samples: 'one for each image' }

/** Parses metadata. @throws UserError if the metadata is not of that kind. */
export function parseMetadata<T extends typeof centroidMetadata | typeof sampleMetadata>(
  schema: T,
  metadata: Readonly<Record<string, string>>,
  file: string,
): z.output<T> {
  const wanted = schema.shape.kind.value
  const other = wanted === 'samples' ? 'centroids' : 'samples'
  if (metadata.kind === other)
    throw new UserError(
      `${file} has ${kinds[other]}, but ${kinds[wanted]} is needed`,
      `make the file with embed-kd embed --kind ${wanted}, or choose ${other === 'samples' ? 'cached-kd' : 'embed-kd'}`,
    )
  const result = schema.safeParse(metadata)
  if (result.success) return result.data as z.output<T>
  throw new UserError(
    `${file} is no file of embeddings: ${z.prettifyError(result.error).replaceAll('\n', ' ')}`,
    'make one with embed-kd embed',
  )
}

/** Returns the metadata that every file has, except its format and store. */
export const originOf = (
  encoder: Encoder,
  dataset: Dataset,
  counts: readonly number[],
  seed: number,
  accuracy: number | undefined,
) => ({
  teacher: encoder.name,
  teacher_digest: encoder.digest,
  pooling: encoder.pooling,
  preprocessing: encoder.input satisfies ModelInput as unknown as Record<string, unknown>,
  dataset: dataset.name,
  dataset_digest: dataset.digest,
  class_names: [...(dataset.classNames ?? [])],
  counts: [...counts],
  seed,
  ...(encoder.parameterCount === undefined ? {} : { teacher_parameters: encoder.parameterCount }),
  teacher_image_size: encoder.input.height,
  ...(encoder.patch === undefined ? {} : { teacher_patch: encoder.patch }),
  ...(accuracy === undefined ? {} : { teacher_accuracy: accuracy }),
})

/** Returns the teacher's test accuracy on a data set, as a file of its embeddings tells; undefined if it does not. */
export function storedTeacherAccuracy(file: string, datasetDigest: string): number | undefined {
  let reader: SafetensorsReader | undefined
  try {
    reader = new SafetensorsReader(file)
    const { teacher_accuracy, dataset_digest } = reader.metadata
    return dataset_digest === datasetDigest && teacher_accuracy
      ? Number(teacher_accuracy)
      : undefined
  } catch {
    // Shards have other names than the one they are given by.
    return undefined
  } finally {
    reader?.close()
  }
}

export const describeAugmentation = ({ flip, cropPadding }: Augmentation): string =>
  [flip ? 'flip' : '', cropPadding > 0 ? `crop with ${cropPadding} pixels of padding` : '']
    .filter(Boolean)
    .join(' and ') || 'no augmentation'
