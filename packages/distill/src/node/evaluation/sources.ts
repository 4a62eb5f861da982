// The source of an evaluation's embeddings: a model that sees the images, or a file that already has those of the training split.
import { isForUser, messageOf, UserError, type Backend } from '@embed-kd/core'

import type { LabelledRows } from '../../evaluation/rows.js'
import type { Report } from '../../training/progress.js'
import { evaluationBatches } from '../data/batches.js'
import type { Dataset } from '../data/dataset.js'
import type { Subset } from '../data/subsets.js'
import { SampleStore } from '../embeddings/samples.js'
import { findCheckpoint } from '../run/teacher-directory.js'
import { classOrder, reorderColumns } from '../teachers/classes.js'
import type { Encoder, EncoderChoice } from '../teachers/encoder.js'
import { parseHubId } from '../teachers/hf-hub.js'
import { openEncoder } from '../teachers/open.js'
import { encoderKinds, resolveLocalTeacher } from '../teachers/resolve.js'
import { corruptImages, type CorruptionChoice } from './corruptions.js'

/** Embeddings of images, and how a classifier scores them. */
export interface EmbeddedImages extends LabelledRows {
  /** `[count, classes]`, in the order of the data set's classes; absent if the model does not score them. */
  readonly probabilities?: Float32Array
}

export interface EmbeddingSource {
  /** As the user gave it. */
  readonly name: string
  readonly width: number
  /** Whether embeddings of the training split alone are known, and images cannot be corrupted. */
  readonly isFile: boolean
  /** Embeds images, or looks their embeddings up. */
  embed(subset: Subset, phase: string, corruption?: CorruptionChoice): Promise<EmbeddedImages>
  dispose(): Promise<void>
}

export interface SourceOptions extends EncoderChoice {
  readonly backend: Backend
  readonly dataset: Dataset
  /** Images in one run of the model. */
  readonly batch: number
  readonly seed: number
  readonly tell: (message: string) => void
  readonly report: Report
}

/** Opens a model or a file of embeddings. @throws UserError if it cannot be used, or the file is of other images. */
export async function openSource(model: string, options: SourceOptions): Promise<EmbeddingSource> {
  const found = resolveLocalTeacher(model, options.onnxFile)
  if (found?.kind === 'embeddings') return openFile(model, found.file, options.dataset)
  if (!found && !parseHubId(model))
    throw new UserError(
      `there is no file or directory ${model}`,
      `give ${encoderKinds}; or a file of sample embeddings`,
    )
  const { batch, dataset, seed, tell, report } = options
  const encoder = await openEncoder(findCheckpoint(model), { ...options, source: dataset })
  const scores = scoresOf(encoder, dataset, tell)
  const { width } = encoder
  return {
    name: model,
    width,
    isFile: false,
    async embed(subset, phase, corruption) {
      const total = subset.indices.length
      const vectors = new Float32Array(total * width)
      const labels = new Int32Array(total)
      const probabilities = scores && new Float32Array(total * dataset.classes)
      let done = 0
      for await (const made of evaluationBatches(subset, batch)) {
        const { count, indices } = made
        const real = made.pixels.subarray(0, (made.pixels.length / made.labels.length) * count)
        const pixels = corruption
          ? await corruptImages(real, indices, dataset, corruption, seed)
          : real
        const embedded = await encoder.embed(pixels, count)
        vectors.set(embedded.embeddings, done * width)
        labels.set(made.labels.subarray(0, count), done)
        if (scores) probabilities!.set(scores(embedded.probabilities!), done * dataset.classes)
        report({ phase, done: (done += count), total })
      }
      return { vectors, width, labels, ...(probabilities ? { probabilities } : {}) }
    },
    dispose: () => encoder.dispose(),
  }
}

/**
 * Returns a function that puts the scores of a classifier into the order of the data set's classes; undefined if the model scores no
 * classes, or others, which the user is told.
 */
function scoresOf(
  { name, classes, classNames }: Encoder,
  dataset: Dataset,
  tell: (message: string) => void,
): ((probabilities: Float32Array) => Float32Array) | undefined {
  if (classes === undefined) return undefined
  const skipped = 'the own classifier of the model is not judged'
  if (classes !== dataset.classes) {
    tell(`${skipped}: it scores ${classes} classes, the data set has ${dataset.classes}`)
    return undefined
  }
  try {
    const order = classOrder(name, classNames, dataset.classNames)
    return order ? (scores) => reorderColumns(scores, order) : (scores) => scores
  } catch (error) {
    if (!isForUser(error)) throw error
    tell(`${skipped}: ${messageOf(error)}`)
    return undefined
  }
}

function openFile(name: string, file: string, dataset: Dataset): EmbeddingSource {
  const store = SampleStore.open(file)
  store.requireContent('embeddings', 'evaluate')
  store.requireDataset(dataset)
  const { width } = store
  return {
    name,
    width,
    isFile: true,
    async embed({ split, indices }, _phase, corruption) {
      if (split !== dataset.train || corruption)
        throw new UserError(
          `${file} has embeddings of the training images as they are, and no others`,
          'give a model that sees images, or leave --corruptions out',
        )
      return {
        vectors: store.vectorsOf(indices),
        width,
        labels: Int32Array.from(indices, (index) => split.labels[index]!),
      }
    },
    dispose: async () => store.close(),
  }
}
