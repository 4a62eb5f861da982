// PyTorch's tensors on every device that can be used here: operators, and student steps with all gradients and five
// AdamW steps.
import type { Backend } from '@embed-kd/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { measureStudentCase, type StudentCase } from '../../core/test/golden-student.js'
import {
  goldenCases,
  goldenOperator,
  relativeError,
  type OperatorEntry,
} from '../../core/test/golden.js'
import { tfjsBackend } from '../src/index.js'
import { graphOf, runOnce, usableDevices } from './devices.js'

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
      const measured = await measureStudentCase(backend, golden)
      expect(measured.length).toBeGreaterThan(50)
      expect(measured.filter(({ error }) => !(error <= 1e-4))).toEqual([])
      expect(backend.memory().buffers).toBe(0)
    },
  )

  test.each(goldenCases<OperatorEntry>('operator'))('$entry.name', async (golden) => {
    const operator = goldenOperator(golden.entry)
    const inputs = Object.fromEntries(golden.list('in').map((x, i) => [`${i}`, x]))
    const graph = graphOf(inputs, (symbols) => ({ out: operator(Object.values(symbols)) }))
    const { out } = await runOnce(backend, graph, inputs)
    expect(relativeError(out!.data, golden.tensor('out').data)).toBeLessThan(1e-5)
    expect(out!.shape).toEqual(golden.tensor('out').shape)
  })
})
