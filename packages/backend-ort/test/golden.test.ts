// PyTorch's tensors on every device that can be used here: student steps with all gradients and five AdamW steps, and
// operators.
import type { Backend } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { measureStudentCase, type StudentCase } from '../../core/test/golden-student.js'
import {
  goldenCases,
  goldenOperator,
  relativeError,
  type OperatorEntry,
} from '../../core/test/golden.js'
import { ortBackend } from '../src/index.js'
import { usableDevices } from './devices.js'
import { runOn } from './run.js'

describe.each(await usableDevices())('ort:%s', (device) => {
  let backend: Backend
  beforeAll(async () => {
    backend = await ortBackend.create(device)
  })
  afterAll(() => backend.dispose())

  test.each(goldenCases('student-step') as unknown as StudentCase[])(
    '$entry.name',
    async (golden) => {
      const measured = await measureStudentCase(backend, golden)
      expect(measured.length).toBeGreaterThan(50)
      expect(measured.filter(({ error }) => !(error <= 1e-4))).toEqual([])
      expect(backend.memory().buffers).toBe(0)
    },
  )

  test.each(goldenCases<OperatorEntry>('operator'))('$entry.name', async (golden) => {
    const operator = goldenOperator(golden.entry)
    const inputs = Object.fromEntries(golden.list('in').map((x, i) => [`in.${i}`, x]))
    const { out } = await runOn(backend, inputs, (symbols) => ({
      out: operator(Object.values(symbols)),
    }))
    expect(relativeError(out!.values, golden.tensor('out').data)).toBeLessThan(1e-5)
    expect(out!.shape).toEqual(golden.tensor('out').shape)
  })
})
