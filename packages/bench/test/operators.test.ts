// Operators of a training step on ort:cpu. The counts are the same on every machine, so they are held here: a change that adds a
// few for each block or parameter fails.
import {
  countOperators,
  packGraph,
  paperAdamW,
  parameterGroups,
  presets,
  scheduleOf,
  trainGraph,
  type Backend,
  type Method,
} from '@embed-kd/core'
import { findStudent, studentModel } from '@embed-kd/distill'
import { openBackend } from '@embed-kd/distill/node'
import { afterAll, beforeAll, expect, it } from 'vitest'

let backend: Backend
beforeAll(async () => {
  backend = await openBackend('ort:cpu')
})
afterAll(() => backend.dispose())

const limits: readonly (readonly [student: string, method: Method, operators: number])[] = [
  ['small', 'supervised', 430],
  ['small', 'embed-kd', 490],
  ['small-32', 'supervised', 525],
  ['paper', 'supervised', 940],
  ['paper', 'embed-kd', 1000],
]

it.each(limits)('%s student, %s: at most %i', async (student, method, most) => {
  const settings = presets.corrected
  const config = {
    method,
    student: studentModel(findStudent(student), { channels: 1, classes: 10 }, 0.1),
    batch: 64,
    images: { channels: 1, size: 28 },
    ...(method === 'embed-kd' && { teacher: { kind: 'stored' as const, width: 768 } }),
    settings,
    optimizer: paperAdamW,
    schedule: scheduleOf(settings, 1000),
  }
  const executable = await backend.compile(packGraph(trainGraph(config), parameterGroups(config)))
  const counts = Object.values(countOperators(executable.graph)).flatMap(Object.values<number>)
  const total = counts.reduce((sum, count) => sum + count, 0)
  await executable.dispose()
  expect(total).toBeLessThanOrEqual(most)
  // A limit that is far above the count holds nothing.
  expect(total).toBeGreaterThan(0.95 * most)
})
