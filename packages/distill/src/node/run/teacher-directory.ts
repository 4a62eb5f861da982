// Teachers that train-teacher made: the checkpoint in a run's directory, and the accuracy that is known of it.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { z } from 'zod'

/** Directory of the teacher's checkpoint within a run of train-teacher. */
export const TEACHER_DIRECTORY = 'teacher'

const has = (directory: string): boolean => existsSync(join(directory, 'config.json'))

/** Returns the checkpoint in the directory of a run; any other path or name as it is. */
export function findCheckpoint(teacher: string): string {
  const inside = join(teacher, TEACHER_DIRECTORY)
  return !has(teacher) && has(inside) ? inside : teacher
}

const configSchema = z.object({
  embed_kd: z.object({ dataset_digest: z.string(), test_accuracy: z.number() }),
})

/** Returns the test accuracy of a teacher trained on this very data set; undefined if unknown. */
export function teacherAccuracy(teacher: string, datasetDigest: string): number | undefined {
  try {
    const config: unknown = JSON.parse(readFileSync(join(teacher, 'config.json'), 'utf8'))
    const { embed_kd } = configSchema.parse(config)
    return embed_kd.dataset_digest === datasetDigest ? embed_kd.test_accuracy : undefined
  } catch {
    return undefined
  }
}
