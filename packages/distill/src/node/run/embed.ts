// Embeds the training images with a teacher: into centroids, or one vector for each image.
import { UserError } from '@embed-kd/core'

import type { AnchorControl } from '../../embeddings/anchors.js'
import { refuseFittedCentroids } from '../../embeddings/file.js'
import type { Store } from '../../embeddings/store.js'
import { noAugmentation, type Augmentation } from '../../images/augment.js'
import { makeCentroids, makeSamples, type Made } from '../embeddings/make.js'
import { noteShard } from '../embeddings/shards.js'
import { requireLabels } from '../data/labels.js'
import type { EncoderChoice } from '../teachers/encoder.js'
import { openEncoder } from '../teachers/open.js'
import { scoreEncoder } from '../teachers/scores.js'
import { checkOutputFile } from '../files/output-file.js'
import { openOutput } from '../objects/output.js'
import {
  openDataset,
  requireOptions,
  withBackend,
  type DataOptions,
  type RunOptions,
} from './options.js'
import { findCheckpoint, teacherAccuracy } from './teacher-directory.js'

/** What a file of embeddings holds: a vector for each class, for each image, or the class scores of each image. */
export const embeddingKinds = ['centroids', 'samples', 'scores'] as const
export type EmbeddingKind = (typeof embeddingKinds)[number]

export interface EmbedOptions
  extends DataOptions, EncoderChoice, Pick<RunOptions, 'backend' | 'report' | 'tell'> {
  /** Directory of a checkpoint, ONNX file or name on the hub. */
  readonly teacher: string
  /** The safetensors file to write, or the address of an object (`s3://bucket/x.safetensors`). */
  readonly out: string
  /** One vector for each class (default), or for each image, or the class scores of each image. */
  readonly kind?: EmbeddingKind | undefined
  /** Images in one run of the teacher (default: 32). */
  readonly batch?: number | undefined
  /** Seed of augmentation and prototypes (default: 0). */
  readonly seed?: number | undefined
  /** Centroids: number of images of each class, the first ones, or `all` (default: 100). */
  readonly perClass?: number | 'all' | undefined
  /** Centroids: whether each embedding is scaled to length 1 before the mean (default: false). */
  readonly normalise?: boolean | undefined
  /** Centroids: number of vectors of each class (default: 1, the mean). */
  readonly prototypes?: number | undefined
  /** Centroids: control to write in place of the teacher's centroids (default: none). */
  readonly anchors?: AnchorControl | undefined
  /** Samples: augmentation of the images (default: none). */
  readonly augment?: Augmentation | undefined
  /** Samples: number of embeddings of each image, augmented differently (default: 1). */
  readonly views?: number | undefined
  /** How numbers are stored (default: float32). */
  readonly store?: Store | undefined
  /** Samples: the part to make, in a file of its own (default: all). */
  readonly shard?: { readonly index: number; readonly count: number } | undefined
}

/** A file of embeddings that was made. */
export interface Embedded extends Made {
  /** Width of the embeddings. */
  readonly width: number
}

const silent = () => {}
const isCentroids = (kind: EmbeddingKind = 'centroids'): boolean => kind === 'centroids'

/**
 * Writes a teacher's embeddings of the training images. Interrupted samples go on where they stopped.
 * @throws UserError if an option does not belong to the kind, or an embedding is not finite.
 */
export function embed(options: EmbedOptions): Promise<Embedded> {
  requireOptions(options, 'teacher', 'dataset', 'out')
  checkOptions(options)
  if (isCentroids(options.kind)) refuseFittedCentroids(options.store ?? 'float32')
  return withBackend(options, async (backend) => {
    const output = openOutput(options.out)
    checkOutputFile(output.file)
    const { tell = silent, report = silent, kind = 'centroids', batch = 32, seed = 0 } = options
    const { perClass = 100, shard } = options
    const dataset = await openDataset(options, tell)
    if (kind !== 'samples') requireLabels(dataset, `embed --kind ${kind}`, 'give --kind samples')
    const teacher = findCheckpoint(options.teacher)
    const opened = await openEncoder(teacher, {
      ...options,
      backend,
      source: dataset,
      batch,
      tell,
    })
    try {
      const encoder = kind === 'scores' ? scoreEncoder(opened, dataset) : opened
      const common = {
        encoder,
        dataset,
        file: output.file,
        batch,
        seed,
        store: options.store,
        teacherAccuracy: teacherAccuracy(teacher, dataset.digest),
        progress: (done: number, total: number) => report({ phase: 'embedding', done, total }),
      }
      const made =
        kind === 'centroids'
          ? await makeCentroids({
              ...common,
              perClass: perClass === 'all' ? undefined : perClass,
              normalise: options.normalise ?? false,
              prototypes: options.prototypes ?? 1,
              anchors: options.anchors,
            })
          : await makeSamples({
              ...common,
              ...(kind === 'scores' ? { content: kind } : {}),
              augmentation: options.augment ?? noAugmentation,
              views: options.views ?? 1,
              shard: shard?.index ?? 1,
              shards: shard?.count ?? 1,
              isMade: output.isMade,
            })
      const place = await output.finish(made.file)
      if (shard && place === made.file) await noteShard(options.out, shard.index, shard.count)
      return { ...made, file: place, width: encoder.width }
    } finally {
      await opened.dispose()
    }
  })
}

/** @throws UserError if an option does not belong to the kind. */
function checkOptions({ kind = 'centroids', ...options }: EmbedOptions): void {
  const { views = 1, augment, shard, prototypes = 1, normalise, anchors } = options
  const wrong = isCentroids(kind)
    ? { '--augment': augment, '--views': views > 1, '--shard': shard }
    : { '--prototypes': prototypes > 1, '--normalise': normalise, '--anchors': anchors }
  const given = Object.entries(wrong).find(([, value]) => value)
  if (given)
    throw new UserError(
      `${given[0]} has no meaning for ${kind}`,
      kind === 'centroids'
        ? 'leave it out, or give --kind samples'
        : 'leave it out, or give --kind centroids',
    )
}
