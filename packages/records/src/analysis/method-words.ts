// Two sentences that define a method, from core's table of methods.
import { isMethod, methods, type TeacherNeed } from '@embed-kd/core'

const TEACHERS: Readonly<Record<TeacherNeed, string>> = {
  none: 'It needs no teacher.',
  live: 'The teacher runs on every batch of every epoch.',
  centroids: 'The teacher ran once before training, over some images of each class.',
  samples: 'The teacher ran once before training, over every training image.',
}

/** Returns what the method does and when its teacher runs; undefined if core does not know the method. */
export function methodSentences(method: string): string | undefined {
  if (!isMethod(method)) return undefined
  const { label, description, teacher } = methods[method]
  return `${label} ${description}. ${TEACHERS[teacher]}`
}
