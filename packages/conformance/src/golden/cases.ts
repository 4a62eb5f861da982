// Conformance cases of PyTorch's tensors: operators with their gradients, and student steps.
import type { ConformanceCase } from '../index.js'
import { spec, trace, type Backend, type Capabilities } from '@embed-kd/core'
import { goldenOperatorCases } from './operators.js'
import { measureStudentCase, type StudentCase } from './student.js'
import { goldenCases, goldenOperator, relativeError, type OperatorEntry } from './golden.js'

/** Tolerance of a student's tensors, relative to the greatest element of each. */
const STUDENT_TOLERANCE = 1e-4
/** Tolerance of an operator's result, whatever the backend's precision allows. */
const OPERATOR_TOLERANCE = 1e-5

/** Returns every golden case for a backend of these capabilities. */
export function goldenConformance(capabilities: Capabilities): ConformanceCase[] {
  const students = goldenCases('student-step') as unknown as StudentCase[]
  return [
    ...goldenOperatorCases(capabilities),
    ...goldenCases<OperatorEntry>('operator').map((golden): ConformanceCase => ({
      kind: 'procedure',
      name: `golden/${golden.entry.name} to ${OPERATOR_TOLERANCE}`,
      contract: 'B15',
      run: (backend) => checkOperator(backend, golden),
    })),
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

async function checkOperator(
  backend: Backend,
  { entry, list, tensor }: ReturnType<typeof goldenCases<OperatorEntry>>[number],
): Promise<void> {
  const inputs = list('in')
  const specs = Object.fromEntries(
    inputs.map(({ dtype, shape }, i) => [`in${i}`, spec(shape, { dtype })]),
  )
  const graph = trace(entry.name, specs, (symbols) => ({
    out: goldenOperator(entry)(Object.values(symbols)),
  }))
  const executable = await backend.compile(graph)
  const buffers = await Promise.all(inputs.map((input) => backend.upload(input)))
  const feeds = Object.fromEntries(buffers.map((buffer, i) => [`in${i}`, buffer]))
  const { out } = await executable.run(feeds)
  const { data } = await backend.read(out!)
  for (const buffer of [...buffers, out!]) buffer.dispose()
  await executable.dispose()
  const error = relativeError([...data], tensor('out').data)
  if (!(error < OPERATOR_TOLERANCE)) throw new Error(`error ${error}`)
}
