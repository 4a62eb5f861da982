// All that PyTorch's tensors hold a backend to, as conformance cases: operators with their gradients, and student steps.
import type { ConformanceCase } from '../src/conformance/index.js'
import type { Capabilities } from '../src/index.js'
import { goldenOperatorCases } from './golden-operators.js'
import { measureStudentCase, type StudentCase } from './golden-student.js'
import { goldenCases } from './golden.js'

/** Relative to the greatest element of each tensor. */
const STUDENT_TOLERANCE = 1e-4

export function goldenConformance(capabilities: Capabilities): ConformanceCase[] {
  const students = goldenCases('student-step') as unknown as StudentCase[]
  return [
    ...goldenOperatorCases(capabilities),
    ...students.map((golden): ConformanceCase => ({
      kind: 'procedure',
      name: `golden/${golden.entry.name}`,
      contract: 'B15',
      async run(backend) {
        const measured = await measureStudentCase(backend, golden)
        if (measured.length <= 50) throw new Error(`only ${measured.length} figures were compared`)
        const wrong = measured.filter(({ error }) => !(error <= STUDENT_TOLERANCE))
        if (wrong.length > 0)
          throw new Error(wrong.map(({ what, error }) => `${what}: error ${error}`).join('\n'))
      },
    })),
  ]
}
