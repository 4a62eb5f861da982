// Makes the trainer of a run from the page's settings. Tests use the same functions in Node, and expect equal losses.
import { methods, UserError, type Backend } from '@embed-kd/core'
import {
  Trainer,
  type TrainerOptions,
  type Centroids,
  type SampleEmbeddings,
} from '@embed-kd/distill'

import {
  contents,
  kindOf,
  needOf,
  type Dataset,
  type Embeddings,
  type RunSettings,
} from './messages.js'

export const stepsPerEpoch = ({ train }: Dataset, { batch }: RunSettings): number =>
  Math.floor(train.labels.length / batch)

/** Creates the trainer of a run. @throws UserError if settings, images and embeddings do not go together. */
export function createTrainer(
  backend: Backend,
  dataset: Dataset,
  embeddings: Embeddings | undefined,
  settings: RunSettings,
): Promise<Trainer> {
  const { channels, size, classNames, train } = dataset
  const { method, epochs, batch, seed, learningRate, dropout, student } = settings
  if (!(Number.isInteger(batch) && batch >= 2 && batch <= train.labels.length))
    throw new UserError(
      `a batch of ${batch} cannot be made of ${train.labels.length} training images`,
      `choose a batch from 2 to ${train.labels.length}`,
    )
  if (!(Number.isInteger(epochs) && epochs >= 1))
    throw new UserError(
      `a student cannot be trained for ${epochs} epochs`,
      'choose a whole number from 1 on',
    )
  if (!(dropout >= 0 && dropout < 1))
    throw new UserError(
      `the dropout is ${dropout}, but it is a probability`,
      'choose a number from 0 to 0.99',
    )
  return Trainer.create({
    backend,
    student,
    method,
    ...teacherFor(method, embeddings),
    classes: classNames.length,
    images: { channels, size },
    batch,
    seed,
    learningRate,
    dropout,
    totalSteps: epochs * stepsPerEpoch(dataset, settings),
  } as TrainerOptions<RunSettings['method'], number>)
}

/** @throws UserError if the method needs other embeddings than there are. */
function teacherFor(method: RunSettings['method'], embeddings: Embeddings | undefined): object {
  const [need, kind] = [needOf(method), kindOf(embeddings)]
  if (need === 'none') return {}
  if (embeddings && need === kind) return { teacher: { [embeddings.kind]: embeddings } }
  const { label } = methods[method]
  throw new UserError(
    `${label} needs ${contents[need]}, but ${kind === 'none' ? 'no file of embeddings is chosen' : `the file has ${contents[kind]}`}`,
    'choose another method, or another file',
  )
}

/**
 * Returns embeddings for the images of a data set: centroids in the order of its classes, if the file names its classes.
 * @throws UserError if the embeddings are of other classes or images.
 */
export function embeddingsFor(embeddings: Embeddings, dataset: Dataset): Embeddings {
  return embeddings.kind === 'centroids'
    ? centroidsFor(embeddings, dataset)
    : samplesFor(embeddings, dataset)
}

const RETRY = 'choose the folder of the same classes, or another file'

function centroidsFor(centroids: Centroids, { name, classNames }: Dataset): Centroids {
  const { classes, prototypes, width, vectors, classNames: names } = centroids
  if (classes !== classNames.length)
    throw new UserError(
      `the file has ${classes} classes, but ${name} has ${classNames.length}`,
      RETRY,
    )
  if (!names) return centroids
  const rows = classNames.map((className) => names.indexOf(className))
  const unknown = rows.indexOf(-1)
  if (unknown >= 0)
    throw new UserError(
      `the file has no centroid of the class "${classNames[unknown]}"; its classes are ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`,
      RETRY,
    )
  const each = prototypes * width
  const ordered = new Float32Array(vectors.length)
  rows.forEach((row, i) => ordered.set(vectors.subarray(row * each, (row + 1) * each), i * each))
  return { ...centroids, vectors: ordered, classNames }
}

function samplesFor(samples: SampleEmbeddings, { name, train }: Dataset): SampleEmbeddings {
  const [rows, images] = [samples.vectors.length / samples.width, train.labels.length]
  if (rows !== images)
    throw new UserError(
      `the file has embeddings of ${rows} images, but ${name} has ${images} training images`,
      'choose the folder that the embeddings were made of, or another file',
    )
  const other = samples.labels?.findIndex((label, i) => label !== train.labels[i]) ?? -1
  if (other >= 0)
    throw new UserError(
      `image ${other} has label ${samples.labels![other]} in the file, but ${train.labels[other]} in ${name}`,
      'make the embeddings of the same folder, in the order of its class and file names',
    )
  return samples
}
