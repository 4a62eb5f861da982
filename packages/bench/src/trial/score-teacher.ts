// The job of a sweep that classifies the test images with the teacher itself, so that records can say how good the teacher is.
import type { Report } from '@embed-kd/distill'
import { evaluationBatches, openBackend, probabilitiesIn } from '@embed-kd/distill/node'

import { loadTrialData, splitsOf } from './config.js'
import type { ScoreJob, ScoreResult } from './protocol.js'
import { openTrialEncoder } from './signals.js'

const BATCH = 64

/** @throws UserError if the teacher does not score the classes of the data. */
export async function scoreTeacher({ config }: ScoreJob, report: Report): Promise<ScoreResult> {
  const dataset = await loadTrialData(config)
  const { test } = splitsOf(dataset, config)
  const backend = await openBackend(config.backend)
  const encoder = await openTrialEncoder({ ...config, batch: BATCH }, dataset, backend)
  const { classes } = dataset
  const probabilities = probabilitiesIn('its accuracy', encoder, dataset)
  const total = test.indices.length
  let done = 0
  let right = 0
  for await (const { pixels, labels, count } of evaluationBatches(test, BATCH)) {
    const real = pixels.subarray(0, (pixels.length / labels.length) * count)
    const scores = await probabilities(real, count)
    for (let i = 0; i < count; i++) {
      const row = scores.subarray(i * classes, (i + 1) * classes)
      if (row.indexOf(row.reduce((a, b) => Math.max(a, b))) === labels[i]) right++
    }
    report({ phase: 'testing the teacher', done: (done += count), total })
  }
  await encoder.dispose()
  await backend.dispose()
  return { accuracy: right / total }
}
