// What a trial's student learns from besides labels, as graph inputs: a live teacher's weights, centroids, or stored
// embeddings of single images. Random where the teacher is, since only the cost is meant then.
import {
  embeddingWidth,
  hostTensor,
  parseSafetensors,
  Random,
  type HostTensor,
} from '@embed-kd/core'
import { readFileSync } from 'node:fs'

import { teacherInputs } from '../teachers/weights.js'
import type { Dataset } from '../data/dataset.js'
import { storedSignalOf, teacherOf } from './config.js'
import type { Feed } from './feed.js'
import type { TrialJob } from './protocol.js'

export interface Signals {
  /** Inputs `teacher.*`, the same for all steps. */
  readonly held: Map<string, HostTensor>
  /** Embeddings [images of the training split, width], for cached-kd. */
  readonly samples?: HostTensor
}

export function loadSignals(
  { config, teacherFile, embeddingsFile }: TrialJob,
  { shape, input }: Feed,
  { classes, train }: Dataset,
): Signals {
  const teacher = teacherOf(config)
  if (!teacher) return { held: new Map() }
  const data = { ...shape, classes }
  const stored = storedSignalOf(config)
  if (stored === undefined) return { held: teacherInputs(teacher, data, teacherFile, input) }
  const rows = stored === 'centroids' ? classes : train.count
  const tensor =
    embeddingsFile === undefined
      ? randomRows(rows, embeddingWidth(teacher.model(data)))
      : parseSafetensors(readFileSync(embeddingsFile)).tensors.get(stored)!
  return stored === 'centroids'
    ? { held: new Map([['teacher.centroids', tensor]]) }
    : { held: new Map(), samples: tensor }
}

function randomRows(rows: number, width: number): HostTensor {
  const random = new Random(0)
  const data = Float32Array.from({ length: rows * width }, () => random.uniform() - 0.5)
  return hostTensor('float32', [rows, width], data)
}
