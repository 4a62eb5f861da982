// Trains one of a sweep's own teachers: supervised, on the whole training split. Its weights and accuracy go into a file.
import { EVALUATION_BATCH, Trainer, type Report, type StepReport } from '@embed-kd/distill'
import {
  Feed,
  findTrainedTeacher,
  mapBatches,
  openBackend,
  trainingBatches,
  wholeSplit,
  writeTensors,
} from '@embed-kd/distill/node'

import { loadTrialData } from './config.js'
import type { TeacherJob, TeacherResult } from './protocol.js'

/** All trials have the same teacher, whatever their own seeds. */
const SEED = 0

export async function trainTeacher(job: TeacherJob, report: Report): Promise<TeacherResult> {
  const dataset = await loadTrialData(job)
  const feed = new Feed(dataset)
  const teacher = findTrainedTeacher(job.teacher)
  const { epochs, learningRate, weightDecay } = teacher.training
  const model = teacher.model({ ...feed.shape, classes: dataset.classes })
  const subset = wholeSplit(dataset, 'train')
  const batch = Math.min(teacher.training.batch, subset.indices.length)
  const start = performance.now()
  const backend = await openBackend(job.backend)
  const trainer = await Trainer.create({
    backend,
    method: 'supervised',
    student: model,
    classes: dataset.classes,
    images: { ...feed.shape, mean: feed.input.mean, std: feed.input.std },
    batch,
    learningRate,
    weightDecay,
    seed: SEED,
  })
  const batchesOf = (epoch: number) =>
    mapBatches(trainingBatches(subset, { size: batch, seed: SEED, epoch }), (made) =>
      feed.imageBatch(made),
    )
  const onStep = ({ step, totalSteps }: StepReport) =>
    report({ phase: 'training', done: step, total: totalSteps! })
  for await (const _ of trainer.fit(batchesOf, { epochs, onStep }));
  const seconds = (performance.now() - start) / 1000
  const test = feed.evaluationBatches(wholeSplit(dataset, 'test'), EVALUATION_BATCH)
  const { accuracy } = await trainer.evaluate(test)
  const result: TeacherResult = { accuracy, seconds }
  writeTensors(job.file, await trainer.parameters(), {
    teacher: teacher.name,
    dataset: dataset.name,
    dataset_digest: dataset.digest,
    backend: backend.name,
    epochs: `${epochs}`,
    accuracy: `${accuracy}`,
    seconds: `${seconds}`,
  })
  await trainer.dispose()
  await backend.dispose()
  return result
}
