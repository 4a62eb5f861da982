// The options that distill, train-teacher and embed share, as functions take them and as the commands do.
import { UserError, type Backend } from '@embed-kd/core'

import type { Augmentation } from '../../images/augment.js'
import type { StepOptions } from '../../training/config.js'
import type { Report } from '../../training/progress.js'
import { openBackend } from '../backends.js'
import type { Dataset } from '../data/dataset.js'
import { loadDataset } from '../data/registry.js'
import type { RunConfig } from './run.js'

/** The data of a command. */
export interface DataOptions {
  /** Specification of a data set (`mnist`, `images:DIR`, …), or a data set. */
  readonly dataset: string | Dataset
  /** Side in pixels to which encoded images (images:DIR, parquet:DIR) are resized. */
  readonly dataSize?: number | undefined
  /** Whether images that cannot be decoded are skipped (default: they are an error). */
  readonly skipCorrupt?: boolean | undefined
  /** Largest image that is decoded, in megapixels (default: 100). */
  readonly maxMegapixels?: number | undefined
  /** Column of images of a parquet table (default: a common name). */
  readonly imageColumn?: string | undefined
  /** Column of labels of a parquet table (default: a common name). */
  readonly labelColumn?: string | undefined
  /** Bytes of decoded images to keep (default: half of the free space); images are decoded again if they need more. */
  readonly cacheLimit?: number | undefined
}

/** Who watches a run. */
export interface Observer {
  /** Receives progress. */
  readonly report?: Report | undefined
  /** Receives messages, one line each. */
  readonly tell?: ((message: string) => void) | undefined
  /** Ends the run between two steps, after a checkpoint. */
  readonly signal?: AbortSignal | undefined
}

/** How a classifier is trained. */
export interface RunOptions extends StepOptions, Observer, DataOptions {
  /** Directory of checkpoints, curves and the result. */
  readonly out: string
  /** Name of a backend and device, such as `ort:cpu` (default), or a backend. */
  readonly backend?: string | Backend | undefined
  /** Number of passes over the training images (default: 10). */
  readonly epochs?: number | undefined
  /** Seed of initial parameters, order, augmentation and dropout (default: 0). */
  readonly seed?: number | undefined
  /** Augmentation of the training images (default: that of the embeddings, or none). */
  readonly augment?: Augmentation | undefined
  /** Share of each class held out to choose the best epoch; 0 keeps the last epoch (default: 0.1). */
  readonly heldOut?: number | undefined
  /** Share of the other training images of each class to learn from, chosen by the seed (default: 1); 0 or false: no labels at all. */
  readonly labels?: number | false | undefined
  /** Decay of an average of the parameters, such as 0.999 (default: none). */
  readonly ema?: number | undefined
  /** Number of epochs without a better one after which training ends (default: never). */
  readonly patience?: number | undefined
  /** Number of neighbours by which embeddings are judged after each epoch (default: they are not). */
  readonly knn?: number | undefined
  /** Number of steps between checkpoints within an epoch (default: after each epoch only). */
  readonly checkpointEvery?: number | undefined
  /** Whether to go on with the run in `out`. */
  readonly resume?: boolean | undefined
}

/** @throws UserError if an option without a default is missing, as in a program that no compiler has seen. */
export function requireOptions<T extends object>(options: T, ...names: (keyof T & string)[]): void {
  const missing = names.filter((name) => options?.[name] === undefined)
  if (missing.length > 0)
    throw new UserError(
      `the options lack ${missing.join(', ')}`,
      `give ${names.length === 1 ? 'it' : `all of ${names.join(', ')}`}`,
    )
}

/** Loads the data set of a command. */
export const openDataset = async (
  { dataset, dataSize, skipCorrupt, ...rest }: DataOptions,
  tell: (message: string) => void,
): Promise<Dataset> =>
  typeof dataset !== 'string'
    ? dataset
    : loadDataset(dataset, {
        ...(dataSize === undefined ? {} : { imageSize: dataSize }),
        ...(rest.maxMegapixels === undefined ? {} : { maxMegapixels: rest.maxMegapixels }),
        ...(rest.imageColumn === undefined ? {} : { imageColumn: rest.imageColumn }),
        ...(rest.labelColumn === undefined ? {} : { labelColumn: rest.labelColumn }),
        ...(rest.cacheLimit === undefined ? {} : { cacheLimit: rest.cacheLimit }),
        corrupt: skipCorrupt ? 'skip' : 'fail',
        warn: tell,
      })

/** Calls `work` with the backend of a command, and disposes of a backend that was opened for it. */
export async function withBackend<T>(
  { backend = 'ort:cpu', precision }: Pick<RunOptions, 'backend' | 'precision'>,
  work: (backend: Backend) => Promise<T>,
): Promise<T> {
  if (typeof backend !== 'string') return work(backend)
  const opened = await openBackend(backend, precision)
  try {
    return await work(opened)
  } finally {
    await opened.dispose()
  }
}

/** Returns the settings of a run with their defaults. @throws UserError if a number is out of range. */
export function runSettings(options: RunOptions): Omit<RunConfig, 'dataset' | 'model' | 'title'> {
  const { out, batch, microBatch, rematerialise, precision, learningRate, weightDecay } = options
  const { labels, kdWeight, schedule, preset, ema, patience, knn, checkpointEvery } = options
  const { epochs = 10, seed = 0, heldOut = 0.1, resume = false } = options
  if (learningRate !== undefined && !(learningRate > 0))
    throw new UserError(`a learning rate of ${learningRate} trains nothing`, 'choose one above 0')
  return {
    out,
    preset,
    batch,
    microBatch,
    rematerialise,
    precision,
    learningRate,
    weightDecay,
    kdWeight,
    schedule,
    epochs,
    seed,
    heldOut,
    ...(typeof labels === 'number' ? { labels } : {}),
    ema,
    patience,
    knn,
    checkpointEvery,
    resume,
  }
}

/** Returns the names of the classes; their numbers if they have none. */
export const namesOf = ({ classes, classNames }: Dataset): readonly string[] =>
  classNames ?? Array.from({ length: classes }, (_, label) => `${label}`)
