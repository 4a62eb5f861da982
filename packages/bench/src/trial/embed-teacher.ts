// The job of a sweep that embeds the training images once, which is what embed-kd and cached-kd pay instead of a teacher in every
// step: the sweep's teachers as encoders, and what it cost. The files are those of embeddings/make.ts.
import { readFileSync } from 'node:fs'

import { z } from 'zod'

import { openBackend } from '@embed-kd/distill/node'
import { evaluationBatches } from '@embed-kd/distill/node'
import {
  firstImages,
  firstOfEachClass,
  wholeSplit,
  type Dataset,
  type Subset,
} from '@embed-kd/distill/node'
import { makeCentroids, makeSamples } from '@embed-kd/distill/node'
import { RowWriter } from '@embed-kd/distill/node'
import { findTeacher } from '@embed-kd/distill/node'
import { writeJson } from '@embed-kd/distill/node'
import { Feed } from '@embed-kd/distill/node'
import { loadTrialData, splitsOf } from './config.js'
import { parseAugmentation, type Report } from '@embed-kd/distill'
import { AUGMENTATION_SEED } from './open-trainer.js'
import type { EmbedJob, EmbedResult } from './protocol.js'
import { GraphEncoder } from '@embed-kd/distill/node'
import { teacherWeights } from '@embed-kd/distill/node'

const BATCH = 64
/** Without a file only this much is run, and the rest extrapolated. */
const TIMED_BATCHES = 2
/** Those and the first, which is not timed. */
export const TIMED_IMAGES = (1 + TIMED_BATCHES) * BATCH

const costFile = (file: string): string => `${file}.json`
const costSchema = z.object({ seconds: z.number(), images: z.number(), bytes: z.number() })

/** What making the file cost; undefined where it was not made to the end. */
export function embeddingCost(file: string): EmbedResult | undefined {
  try {
    return costSchema.parse(JSON.parse(readFileSync(costFile(file), 'utf8')))
  } catch {
    return undefined
  }
}

/** Returns the images of a job: those with labels alone, so that centroids know no others. */
const imagesToEmbed = (dataset: Dataset, { labelledFor, trainImages }: EmbedJob): Subset =>
  labelledFor
    ? splitsOf(dataset, labelledFor).train
    : firstImages(wholeSplit(dataset, 'train'), trainImages)

/** @throws where the teacher gives values that are not finite. */
export async function embed(job: EmbedJob, report: Report): Promise<EmbedResult> {
  const { what, perClass, file, augmented = { augment: 'none', views: 1 } } = job
  const { augment, views } = augmented
  const dataset = await loadTrialData(job)
  const feed = new Feed(dataset)
  const teacher = findTeacher(job.teacher)
  const data = { ...feed.shape, classes: dataset.classes }
  const train = imagesToEmbed(dataset, job)
  const subset = what === 'centroids' ? firstOfEachClass(train, perClass!) : train
  const images = subset.indices.length * views

  const start = performance.now()
  const backend = await openBackend(job.backend)
  const encoder = await GraphEncoder.open(
    {
      name: job.teacher,
      digest: job.teacherDigest ?? '',
      model: teacher.model(data),
      parameters: new Map(teacherWeights(teacher, data, job.teacherFile, feed.input)),
      // As the live teacher of a trial sees them: the student's pixels.
      input: feed.input,
    },
    { backend, source: dataset, batch: BATCH },
  )
  const bytes = 4 * encoder.width * (what === 'centroids' ? dataset.classes : images)
  if (file === undefined) {
    const batches = evaluationBatches(subset, BATCH)
    const { pixels, count } = await batches.read(0)
    await encoder.embed(pixels, count)
    const timed = performance.now()
    for (let i = 0; i < TIMED_BATCHES; i++) await encoder.embed(pixels, count)
    const perBatch = (performance.now() - timed) / 1000 / TIMED_BATCHES
    await backend.dispose()
    return { seconds: perBatch * batches.length * views, images, bytes, extrapolated: true }
  }
  const options = {
    encoder,
    dataset,
    file,
    batch: BATCH,
    seed: AUGMENTATION_SEED,
    subset: train,
    progress: (done: number, total: number) => report({ phase: 'embedding', done, total }),
  }
  if (what === 'centroids')
    await makeCentroids({ ...options, perClass, normalise: false, prototypes: 1 })
  else {
    // Half a file would be gone on with, and its cost lost.
    RowWriter.discard(file)
    const augmentation = parseAugmentation(augment)
    const whole = { half: false, shard: 1, shards: 1 }
    await makeSamples({ ...options, ...whole, augmentation, views })
  }
  await backend.dispose()
  const result = { seconds: (performance.now() - start) / 1000, images, bytes }
  writeJson(costFile(file), result)
  return result
}
