// The weights of a teacher: read from a file that train.ts wrote, or random where only the cost is meant.
import { readFileSync } from 'node:fs'

import {
  classifierParameters,
  initialParameters,
  parseSafetensors,
  Random,
  type ClassifierConfig,
  type HostTensor,
} from '@embed-kd/core'

/** The seed of random teachers: one teacher for all trials. */
const SEED = 0

/** Inputs `teacher.*` of a live teacher. @param file where it was trained; random weights without. */
export function teacherInputs(model: ClassifierConfig, file?: string): Map<string, HostTensor> {
  const parameters =
    file === undefined
      ? initialParameters(classifierParameters(model), new Random(SEED))
      : parseSafetensors(readFileSync(file)).tensors
  return new Map([...parameters].map(([name, tensor]) => [`teacher.${name}`, tensor]))
}
