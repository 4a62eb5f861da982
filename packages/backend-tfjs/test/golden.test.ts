// PyTorch's tensors on every device that can be used here: operators with their gradients, and whole student steps.
import type { Backend } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { measureStudentCase, type StudentCase } from '../../core/test/golden-student.js'
import { goldenCases } from '../../core/test/golden.js'
import { tfjsBackend } from '../src/index.js'
import { usableDevices } from './devices.js'

const devices = await usableDevices()

describe.each(devices)('tfjs:%s', (device) => {
  let backend: Backend
  beforeAll(async () => {
    backend = await tfjsBackend.create(device)
  })
  afterAll(() => backend.dispose())

  test.each(goldenCases('student-step') as unknown as StudentCase[])(
    '$entry.name',
    async (golden) => {
      const t = performance.now()
      const measured = await measureStudentCase(backend, golden)
      console.log(
        device,
        golden.entry.name,
        (performance.now() - t) | 0,
        measured
          .filter((m) => m.error > 2e-6)
          .map((m) => m.what + ' ' + m.error.toExponential(1))
          .join(', '),
      )
      expect(measured.length).toBeGreaterThan(50)
      expect(measured.filter(({ error }) => !(error <= 1e-4))).toEqual([])
      expect(backend.memory().buffers).toBe(0)
    },
  )
})
