// The reference backend against PyTorch's student steps: all methods, both class losses.
import { expect, test } from 'vitest'
import { referenceBackend } from '../src/index.js'
import { goldenCases } from './golden.js'
import { measureStudentCase, type StudentCase } from './golden-student.js'

test.each(goldenCases('student-step') as unknown as StudentCase[])(
  '$entry.name',
  async (golden) => {
    const backend = await referenceBackend.create('cpu')
    const measured = await measureStudentCase(backend, golden)
    expect(measured.length).toBeGreaterThan(50)
    expect(measured.filter(({ error }) => !(error <= 1e-4))).toEqual([])
    expect(backend.memory().buffers).toBe(0)
    await backend.dispose()
  },
)
