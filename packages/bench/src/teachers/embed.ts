// Runs a teacher over training images once and keeps what a student needs of it: a centroid for each class, or an
// embedding for each image. This is what embed-kd and cached-kd pay instead of a teacher in every step.
import {
  CentroidBuilder,
  embedGraph,
  embeddingWidth,
  hostTensor,
  bytesOf,
  sizeOf,
  type HostTensor,
} from '@embed-kd/core'

import { openBackend } from '../backends.js'
import { evaluationBatches } from '../data/batches.js'
import { loadDataset } from '../data/registry.js'
import { firstOfEachClass, wholeSplit, type Subset } from '../data/subsets.js'
import { findTeacher } from '../models/teachers.js'
import { Feed } from '../trial/feed.js'
import type { EmbedJob, EmbedResult, Report } from '../trial/protocol.js'
import { disposeAll, namesOf, upload } from '../trial/training.js'
import { digestOf, writeTensors } from './files.js'
import { teacherInputs } from './weights.js'

const BATCH = 64
/** Without a file only this much is run, and the rest extrapolated. */
const TIMED_BATCHES = 2
/** Those and the first, which is not timed. */
export const TIMED_IMAGES = (1 + TIMED_BATCHES) * BATCH

/** @throws where the teacher gives values that are not finite. */
export async function embed(job: EmbedJob, report: Report): Promise<EmbedResult> {
  const dataset = await loadDataset(job.dataset)
  const feed = new Feed(dataset)
  const teacher = findTeacher(job.teacher)
  const data = { ...feed.shape, classes: dataset.classes }
  const model = teacher.model(data)
  const width = embeddingWidth(model)
  const train = limited(wholeSplit(dataset, 'train'), job.trainImages)
  const subset = job.what === 'centroids' ? firstOfEachClass(train, job.perClass) : train
  const images = subset.indices.length
  const rows = job.what === 'centroids' ? dataset.classes : dataset.train.count
  const kept = { dtype: 'float32', shape: [rows, width] } as const

  const start = performance.now()
  const backend = await openBackend(job.backend)
  const executable = await backend.compile(embedGraph(model, BATCH, feed.shape))
  const wanted = namesOf(executable.graph)
  const weights = [...teacherInputs(teacher, data, job.teacherFile, feed.input)]
  const held = await upload(
    backend,
    weights.filter(([name]) => wanted.has(name)),
  )
  const embedBatch = async (images: HostTensor): Promise<Float32Array> => {
    const batch = await upload(backend, [['batch.images', images]])
    const outputs = await executable.run({ ...held, ...batch })
    const embeddings = await backend.read(outputs['embeddings']!)
    disposeAll(batch)
    disposeAll(outputs)
    return embeddings.data as Float32Array
  }

  if (job.file === undefined) {
    const batches = evaluationBatches(subset, BATCH)
    const tensors = feed.tensors(batches.read(0)).get('batch.images')!
    await embedBatch(tensors)
    const timed = performance.now()
    for (let i = 0; i < TIMED_BATCHES; i++) await embedBatch(tensors)
    const perBatch = (performance.now() - timed) / 1000 / TIMED_BATCHES
    await backend.dispose()
    return {
      seconds: perBatch * batches.length,
      images,
      bytes: bytesOf(kept),
      extrapolated: true,
    }
  }
  const centroids = new CentroidBuilder(dataset.classes, width, job.perClass)
  const samples = job.what === 'samples' ? new Float32Array(sizeOf(kept.shape)) : undefined
  let done = 0
  for (const batch of evaluationBatches(subset, BATCH)) {
    const embeddings = await embedBatch(feed.tensors(batch).get('batch.images')!)
    if (samples)
      for (let i = 0; i < batch.count; i++)
        samples.set(embeddings.subarray(i * width, (i + 1) * width), batch.indices[i]! * width)
    else centroids.add(embeddings, batch.labels.subarray(0, batch.count))
    done += batch.count
    report({ phase: 'embedding', done, total: images })
  }
  await backend.dispose()
  const seconds = (performance.now() - start) / 1000
  const tensor = samples ? hostTensor('float32', kept.shape, samples) : centroids.finish()
  writeTensors(job.file, new Map([[job.what, tensor]]), {
    teacher: job.teacher,
    ...(job.teacherFile === undefined ? {} : { teacher_digest: digestOf(job.teacherFile) }),
    dataset_digest: dataset.digest,
    seconds: `${seconds}`,
    images: `${images}`,
    bytes: `${bytesOf(kept)}`,
  })
  return { seconds, images, bytes: bytesOf(kept) }
}

const limited = (subset: Subset, limit: number | undefined): Subset =>
  limit === undefined ? subset : { ...subset, indices: subset.indices.subarray(0, limit) }
