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
import { openOutput } from '../objects/output.js'
import {
  openDataset,
  requireOptions,
  withBackend,
  type DataOptions,
  type RunOptions,
} from './options.js'
import { findCheckpoint, teacherAccuracy } from './teacher-directory.js'

export interface EmbedOptions
  extends DataOptions, EncoderChoice, Pick<RunOptions, 'backend' | 'report' | 'tell'> {
  /** Directory of a checkpoint, ONNX file or name on the hub. */
  readonly teacher: string
  /** The safetensors file to write, or the address of an object (`s3://bucket/x.safetensors`). */
  readonly out: string
  /** One vector for each class (default), or for each image. */
  readonly kind?: 'centroids' | 'samples' | undefined
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

/**
 * Writes a teacher's embeddings of the training images. Interrupted samples go on where they stopped.
 * @throws UserError if an option does not belong to the kind, or an embedding is not finite.
 */
export function embed(options: EmbedOptions): Promise<Embedded> {
  requireOptions(options, 'teacher', 'dataset', 'out')
  checkOptions(options)
  if (options.kind !== 'samples') refuseFittedCentroids(options.store ?? 'float32')
  return withBackend(options, async (backend) => {
    const output = openOutput(options.out)
    const { tell = silent, report = silent, kind = 'centroids', batch = 32, seed = 0 } = options
    const { perClass = 100, shard } = options
    const dataset = await openDataset(options, tell)
    if (kind === 'centroids')
      requireLabels(dataset, 'embed --kind centroids', 'give --kind samples')
    const teacher = findCheckpoint(options.teacher)
    const encoder = await openEncoder(teacher, {
      ...options,
      backend,
      source: dataset,
      batch,
      tell,
    })
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
    try {
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
      await encoder.dispose()
    }
  })
}

/** @throws UserError if an option does not belong to the kind. */
function checkOptions({ kind = 'centroids', ...options }: EmbedOptions): void {
  const { views = 1, augment, shard, prototypes = 1, normalise, anchors } = options
  const wrong =
    kind === 'centroids'
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
