// The suite itself: the reference passes it, it covers every op, constraint and rule, no case is vacuous, and results say what
// is wrong. That it catches broken backends is in conformance-mutations.test.ts.
import { describe, expect, it } from 'vitest'
import {
  backendContract,
  conform,
  conformanceCases,
  describeConformance,
  formatResults,
  numericCase,
  runCase,
  type CaseResult,
  type Expected,
  type NumericCase,
} from '../src/index.js'
import { breaches } from '../src/cases/contracts.js'
import { numeric } from '../src/cases/define.js'
import { idleExcuses } from '../src/suite.js'
import {
  hostTensor,
  lower,
  op,
  opNames,
  ops,
  print,
  referenceBackend,
  verify,
  type Backend,
  type Capabilities,
} from '@embed-kd/core'
import { kernels } from '@embed-kd/core/reference'
import { ReferenceBackend } from '@embed-kd/core/reference'
import { wrapped } from './broken-backends.js'
import { brokenKernels } from './broken-kernels.js'

const reference = await referenceBackend.create('cpu')
describeConformance({ describe, it }, reference)

/** A typical device: float32, no composites, everything else as the reference. */
const float32: Capabilities = {
  ...reference.capabilities,
  composites: [],
  precision: { arithmetic: 2 ** -24, transcendental: 2 ** -22 },
}
const cases = conformanceCases(float32)
const numericCases = cases.filter(
  (testCase): testCase is NumericCase => testCase.kind === 'numeric',
)

describe('coverage', () => {
  it('gives every case a name of its own', () => {
    const names = conformanceCases(reference.capabilities).map(({ name }) => name)
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
  })

  it('runs every op, and cites it', () => {
    const run = new Set(
      conformanceCases(reference.capabilities).flatMap((testCase) =>
        testCase.kind === 'numeric' ? testCase.graph.nodes.map((node) => node.op) : [],
      ),
    )
    // Draws have no expected values: they are the business of procedures.
    expect(opNames.filter((name) => !run.has(name))).toEqual(['randomUniform', 'bernoulli'])
    const cited = new Set(cases.map(({ contract }) => contract.split(' ')[0]))
    expect(opNames.filter((name) => !cited.has(name))).toEqual([])
  })

  it('breaks every constraint of every op', () => {
    for (const name of opNames) {
      const broken = new Set(breaches[name].map(([constraint]) => constraint))
      // A variadic op has a C0 too: at least one input.
      const all = [0, ...ops[name].constraints.map((_, i) => i + 1)]
      expect([...broken].sort(), name).toEqual(all)
    }
  })

  it('holds backends to every rule of the backend contract', () => {
    const cited = new Set(cases.map(({ contract }) => contract))
    // Numeric cases check these as they go.
    expect(Object.keys(backendContract).filter((rule) => !cited.has(rule))).toEqual(['B14', 'B16'])
  })

  it('cites constraints that exist', () => {
    for (const { name, contract } of cases) {
      const [subject = '', constraint] = contract.split(' ')
      if (subject in backendContract) continue
      expect(subject in ops, `${name} cites ${contract}`).toBe(true)
      const { constraints } = ops[subject as keyof typeof ops]
      const number = Number(constraint?.slice(1) ?? 0)
      expect(number, `${name} cites ${contract}`).toBeLessThanOrEqual(constraints.length)
    }
  })

  it('leaves out what a backend declares not to have', () => {
    const floatsOnly = conformanceCases({ ...float32, dtypes: ['float32'] })
    expect(floatsOnly.length).toBeLessThan(cases.length)
    for (const testCase of floatsOnly)
      if (testCase.kind === 'numeric')
        expect(testCase.graph.types.every(({ dtype }) => dtype === 'float32')).toBe(true)
  })
})

it('prints and verifies the graph of every case, before and after lowering', () => {
  for (const { graph } of numericCases) {
    const lowered = verify(lower(verify(graph)))
    expect(print(lower(graph))).toBe(print(lowered))
    expect(print(lower(lowered))).toBe(print(lowered))
  }
})

describe('tolerances', () => {
  const onlyOutput = (testCase: NumericCase): Expected => [...testCase.expected().values()][0]!
  /** Tolerances of the only output of a case, relative to the greatest value. */
  const toleranceOf = (testCase: NumericCase): number[] => {
    const { tensor, tolerance } = onlyOutput(testCase)
    const scale = Math.max(...Array.from(tensor.data, Math.abs))
    return Array.from(tolerance, (t) => t / scale)
  }
  const x = hostTensor(
    'float32',
    [64],
    Array.from({ length: 64 }, (_, i) => Math.sin(i)),
  )

  it('allow nothing where nothing is rounded', () => {
    const moved = numeric('moved', 'transpose', { x }, (inputs) => op.reshape(inputs.x, [8, 8]))
    expect(Math.max(...toleranceOf(numericCase(moved, float32)))).toBe(0)
  })

  it('follow from the declared precision', () => {
    const doubled = numeric('doubled', 'add', { x }, (inputs) => op.add(inputs.x, inputs.x))
    const coarse = { ...float32, precision: { arithmetic: 2 ** -10, transcendental: 2 ** -8 } }
    expect(Math.max(...toleranceOf(numericCase(doubled, float32)))).toBeCloseTo(5 * 2 ** -24, 12)
    expect(Math.max(...toleranceOf(numericCase(doubled, coarse)))).toBeCloseTo(4 * 2 ** -10, 6)
  })

  it('grow with the length of a reduction, like its square root', () => {
    const sumOf = (n: number) => {
      const ones = hostTensor('float32', [n], new Float32Array(n).fill(1))
      const summed = numeric('summed', 'sum', { x: ones }, (inputs) => op.sum(inputs.x))
      return toleranceOf(numericCase(summed, float32))[0]!
    }
    const growth = sumOf(40_000) / sumOf(400)
    expect(growth).toBeGreaterThan(9)
    expect(growth).toBeLessThan(11)
  })

  it('leave open what rounding may turn, and only that', () => {
    const close = hostTensor('float32', [3], [0.1, 0.30000001192092896, 5])
    const compared = numeric('compared', 'less', { close }, (inputs) =>
      op.less(op.mul(inputs.close, 3), 0.9),
    )
    const { tolerance } = onlyOutput(numericCase(compared, float32))
    expect(Array.from(tolerance)).toEqual([0, Infinity, 0])
  })

  it('are never so wide that a case says nothing', () => {
    for (const testCase of numericCases) {
      let compared = 0
      let elements = 0
      for (const [name, { tensor, tolerance }] of testCase.expected()) {
        const closed = tolerance.filter((t) => t !== Infinity)
        compared += closed.length
        elements += tolerance.length
        const finite = Array.from<number>(tensor.data).filter(Number.isFinite)
        const size = finite.reduce((greatest, x) => Math.max(greatest, Math.abs(x)), 0)
        const typical = closed.sort()[closed.length >> 1] ?? 0
        // Zero in exact arithmetic, the gradient of the key bias has only rounding to show.
        const [limit, least] = testCase.name.startsWith('float16/') ? [0.2, 0.1] : [1e-2, 1e-3]
        const scale = Math.max(size, least)
        expect(typical / scale, `${testCase.name}: tolerance of ${name}`).toBeLessThan(limit)
      }
      expect(compared, testCase.name).toBeGreaterThanOrEqual(0.8 * elements)
    }
  })
})

describe('results', () => {
  const wrong = numeric(
    'elementwise/tanh/wrong',
    'tanh',
    { x: hostTensor('float32', [2, 2], [0, 1, 2, 3]) },
    ({ x }) => op.tanh(x),
  )
  /** A backend whose tanh is cut off, with excuses. */
  const broken = (excuses: Capabilities['excuses'] = []): Backend => {
    const backend = new ReferenceBackend({
      ...kernels,
      tanh: ([x]) => [Float64Array.from(x!.data, (value) => Math.min(Math.tanh(value), 0.9))],
    })
    return wrapped(backend, { capabilities: { ...backend.capabilities, excuses } })
  }
  const testCase = numericCase(wrong, reference.capabilities)

  it('say which element is wrong, by how much, and in which graph', async () => {
    const result = await runCase(broken(), testCase)
    expect(result).toMatchObject({ status: 'failed', contract: 'tanh' })
    expect((result as { failure: string }).failure).toBe(
      [
        'output y[1,0]: expected 0.9640275800758169, got 0.8999999761581421, tolerance 5.75e-8; 2 of 4 elements are wrong',
        'the first wrong node: %1: f32[2,2] = tanh %0',
        '  output %1[1,0]: expected 0.9640275800758169, got 0.8999999761581421, tolerance 5.75e-8; 2 of 4 elements are wrong',
        'graph elementwise/tanh/wrong',
        '  input %0: f32[2,2] x (batch)',
        '  %1: f32[2,2] = tanh %0',
        '  output y = %1',
      ].join('\n'),
    )
  })

  it('say where a whole program goes wrong', async () => {
    const backend = new ReferenceBackend(brokenKernels['layerNorm with the unbiased variance'])
    const program = conformanceCases(backend.capabilities).find(
      ({ name }) => name === 'program/gradients/embed-kd paper',
    )!
    const { failure } = (await runCase(backend, program)) as { failure: string }
    expect(failure).toMatch(/^output gradients\./)
    expect(failure).toMatch(
      /the first wrong node \(in student\/patch_embed\): %\d+: f32\[20,16\].* = layerNorm/,
    )
    expect(failure).toMatch(/… and \d+ more lines$/)
  })

  it('excuse what is declared, and fail an excuse that has had its day', async () => {
    const excuse = { case: 'elementwise/tanh/*', reason: 'cut off at 0.9' }
    expect(await runCase(broken([excuse]), testCase)).toMatchObject({
      status: 'excused',
      reason: 'cut off at 0.9',
    })
    const good = wrapped(reference, {
      capabilities: { ...reference.capabilities, excuses: [excuse] },
    })
    expect(await runCase(good, testCase)).toMatchObject({
      status: 'failed',
      failure:
        'passes, but elementwise/tanh/* is excused (cut off at 0.9): remove or narrow the excuse',
    })
    expect(idleExcuses(broken([excuse, { case: 'no/such/case', reason: 'none' }]))).toEqual([
      { case: 'no/such/case', reason: 'none' },
    ])
  })

  it('fit in a table', async () => {
    const other = { ...testCase, name: 'elementwise/tanh/excused' }
    const third = numericCase(
      numeric('matmul/fine', 'matmul', { x: hostTensor('float32', [1, 1], [2]) }, ({ x }) =>
        op.matmul(x, x),
      ),
      reference.capabilities,
    )
    const backend = broken([{ case: other.name, reason: 'cut off at 0.9' }])
    const results = await collect(backend, [testCase, other, third])
    const timeless = results.map((result) => ({ ...result, milliseconds: 40 }))
    expect(formatResults('broken:cpu', timeless)).toMatchSnapshot()
  })
})

async function collect(backend: Backend, list: NumericCase[]): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for await (const result of conform(backend, list)) results.push(result)
  return results
}
