// The job of a sweep that embeds the training images once, so that no teacher runs in a step of embed-kd or cached-kd. It writes a file
// of embeddings, and beside it what the file cost.
import { readFileSync } from 'node:fs'

import type { Backend } from '@embed-kd/core'
import {
  noAugmentation,
  parseAugmentation,
  parseStore,
  rowBytes,
  type Report,
} from '@embed-kd/distill'
import {
  evaluationBatches,
  Feed,
  GraphEncoder,
  makeCentroids,
  makeSamples,
  openBackend,
  RowWriter,
  scoreEncoder,
  teacherWeights,
  writeJson,
  type Dataset,
  type Encoder,
  type Made,
} from '@embed-kd/distill/node'
import { z } from 'zod'

import { augmentedOf, embeddedImages, loadTrialData, splitsOf, teacherOf } from './config.js'
import { AUGMENTATION_SEED } from './open-trainer.js'
import type { EmbedJob, EmbedResult } from './protocol.js'
import { openTrialEncoder } from './signals.js'

const BATCH = 64
/** Batches that are timed if no file is wanted. */
const TIMED_BATCHES = 2
/** Images of the timed batches and of the first, which is not timed. */
export const TIMED_IMAGES = (1 + TIMED_BATCHES) * BATCH

const costFile = (file: string): string => `${file}.json`
const costSchema = z.object({
  seconds: z.number(),
  images: z.number(),
  bytes: z.number(),
  relativeError: z.number().optional(),
  cosine: z.number().optional(),
})

/** Returns the cost of making a file; undefined if the file was not finished. */
export function embeddingCost(file: string): EmbedResult | undefined {
  try {
    return costSchema.parse(JSON.parse(readFileSync(costFile(file), 'utf8')))
  } catch {
    return undefined
  }
}

/** Embeds the images of a job. @throws UserError if an embedding is not finite. */
export async function embed(job: EmbedJob, report: Report): Promise<EmbedResult> {
  const { config, what, file } = job
  const dataset = await loadTrialData(config)
  const trainImages = splitsOf(dataset, config).train.indices.length
  const { augment, views } = augmentedOf(config, trainImages) ?? { views: 1 }
  const subset = embeddedImages(dataset, config)
  const images = subset.indices.length * views

  const start = performance.now()
  const backend = await openBackend(config.backend)
  const opened = await openAsLive(job, dataset, backend)
  const encoder = what === 'scores' ? scoreEncoder(opened, dataset) : opened
  const { prototypes = 1 } = config
  const store = parseStore(config.store ?? 'float32')
  if (file === undefined) {
    const batches = evaluationBatches(subset, BATCH)
    const { pixels, labels } = await batches.read(0)
    await encoder.embed(pixels, labels.length)
    const timed = performance.now()
    for (let i = 0; i < TIMED_BATCHES; i++) await encoder.embed(pixels, labels.length)
    const perBatch = (performance.now() - timed) / 1000 / TIMED_BATCHES
    await opened.dispose()
    await backend.dispose()
    const vectors = what === 'centroids' ? dataset.classes * prototypes : images
    const bytes = vectors * rowBytes(store, encoder.width)
    return { seconds: perBatch * batches.length * views, images, bytes, extrapolated: true }
  }
  const options = {
    encoder,
    dataset,
    file,
    batch: BATCH,
    seed: AUGMENTATION_SEED,
    subset,
    progress: (done: number, total: number) => report({ phase: 'embedding', done, total }),
  }
  let made: Made
  if (what === 'centroids')
    made = await makeCentroids({
      ...options,
      perClass: config.centroidImages,
      normalise: false,
      prototypes,
    })
  else {
    // An interrupted file is made anew, as nobody knows what its beginning cost.
    RowWriter.discard(file)
    const augmentation = augment === undefined ? noAugmentation : parseAugmentation(augment)
    const whole = { shard: 1, shards: 1 }
    const content = what === 'scores' ? { content: what } : {}
    made = await makeSamples({ ...options, ...whole, ...content, store, augmentation, views })
  }
  await opened.dispose()
  await backend.dispose()
  const { bytes, error } = made
  const result = {
    seconds: (performance.now() - start) / 1000,
    images,
    bytes,
    ...(error ? { relativeError: error.relative, cosine: error.cosine } : {}),
  }
  writeJson(costFile(file), result)
  return result
}

/** Opens the teacher so that it sees what it would see live: a teacher of the graph sees the student's pixels. */
async function openAsLive(
  { config, what, teacherFile, teacherDigest = '' }: EmbedJob,
  dataset: Dataset,
  backend: Backend,
): Promise<Encoder> {
  const teacher = teacherOf(config)!
  if (teacher.place === 'stored') throw new Error('several teachers are embedded one by one')
  if (teacher.place !== 'graph')
    return openTrialEncoder({ ...config, batch: BATCH, microBatch: undefined }, dataset, backend, 1)
  const { shape, input } = new Feed(dataset)
  const { classes, classNames } = dataset
  // Names of classes count only if their scores are learnt from.
  const named = what === 'scores' && classNames ? { classNames } : {}
  const data = { ...shape, classes, ...named }
  return GraphEncoder.open(
    {
      name: teacher.name,
      digest: teacherDigest,
      model: teacher.model(data),
      parameters: new Map(teacherWeights(teacher, data, teacherFile, input)),
      input,
    },
    { backend, source: dataset, batch: BATCH },
  )
}
