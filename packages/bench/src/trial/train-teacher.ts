// Makes a teacher: trains its model on the data set, supervised, and keeps weights and accuracy in a file.
import {
  initialParameters,
  presets,
  Random,
  scheduleOf,
  studentSpecs,
  type TrainConfig,
} from '@embed-kd/core'

import { openBackend } from '@embed-kd/distill/node'
import { trainingBatches } from '@embed-kd/distill/node'
import { wholeSplit } from '@embed-kd/distill/node'
import { findTrainedTeacher } from '@embed-kd/distill/node'
import { trainEpochs } from '@embed-kd/distill'
import { Evaluation } from '@embed-kd/distill'
import { Feed } from '@embed-kd/distill/node'
import { loadTrialData } from './config.js'
import type { Report } from '@embed-kd/distill'
import type { TeacherJob, TeacherResult } from './protocol.js'
import { Training } from '@embed-kd/distill'
import { writeTensors } from '@embed-kd/distill/node'

/** One teacher for all trials, whatever their seeds. */
const SEED = 0

export async function trainTeacher(job: TeacherJob, report: Report): Promise<TeacherResult> {
  const dataset = await loadTrialData(job)
  const feed = new Feed(dataset)
  const teacher = findTrainedTeacher(job.teacher)
  const { epochs, learningRate, weightDecay } = teacher.training
  const model = teacher.model({ ...feed.shape, classes: dataset.classes })
  const subset = wholeSplit(dataset, 'train')
  const batch = Math.min(teacher.training.batch, subset.indices.length)
  const config: TrainConfig = {
    method: 'supervised',
    student: model,
    batch,
    images: feed.shape,
    settings: presets.corrected,
    optimizer: { learningRate, weightDecay, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    schedule: scheduleOf(presets.corrected, epochs * Math.floor(subset.indices.length / batch)),
  }
  const start = performance.now()
  const backend = await openBackend(job.backend)
  const first = initialParameters(studentSpecs(config), new Random(SEED))
  const training = await Training.create(backend, config, first, new Map(), SEED)
  await trainEpochs({
    training,
    epochs,
    batchesOf: (epoch) => trainingBatches(subset, { size: batch, seed: SEED, epoch }),
    tensorsOf: (batch) => feed.tensors(batch),
    afterEpoch: async () => {},
    report,
  })
  const seconds = (performance.now() - start) / 1000
  const evaluation = await Evaluation.create(backend, feed, model)
  const accuracy = await evaluation.accuracy(training.parameters, wholeSplit(dataset, 'test'))
  const result: TeacherResult = { accuracy, seconds }
  writeTensors(job.file, await training.readParameters(), {
    teacher: teacher.name,
    dataset: dataset.name,
    dataset_digest: dataset.digest,
    backend: backend.name,
    epochs: `${epochs}`,
    accuracy: `${accuracy}`,
    seconds: `${seconds}`,
  })
  await backend.dispose()
  return result
}
