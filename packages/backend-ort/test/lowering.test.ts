// Which multiplications by a number disappear into products of matrices, and that the numbers stay the same.
import {
  evaluate,
  gradients,
  hostTensor,
  op,
  Random,
  sizeOf,
  spec,
  trace,
  type Backend,
  type Graph,
  type OpName,
  type InputSpec,
  type Tensor,
} from '@embed-kd/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ortBackend } from '../src/index.js'
import { absorbFactors } from '../src/onnx/factors.js'
import { nativeComposites } from '../src/onnx/emitter.js'
import { lowerForRuntime } from '../src/lowering.js'

let backend: Backend
beforeAll(async () => {
  backend = await ortBackend.create('cpu')
})
afterAll(() => backend.dispose())

const products = ['linear', 'matmul']
const opsOf = (graph: Graph): OpName[] =>
  absorbFactors(lowerForRuntime(graph, nativeComposites), ({ op }) => products.includes(op))
    .graph.nodes.map((node) => node.op)
    .filter((op) => op !== 'constant')

type Inputs = Record<'x' | 'w' | 'b', Tensor>
const cases: [string, (inputs: Inputs) => Record<string, Tensor>, OpName[]][] = [
  ['of a result', ({ x, w, b }) => ({ y: op.mul(op.linear(x, w, b), 3) }), ['linear']],
  [
    'of both operands and the result',
    ({ x, w }) => ({
      y: op.div(op.matmul(op.mul(x, 3), op.mul(2, w), { transposeB: true }), 4),
    }),
    ['matmul'],
  ],
  [
    'of an operand that several products read, also reshaped',
    ({ x, w, b }) => {
      const scaled = op.mul(x, 3)
      const flat = op.reshape(scaled, [6, 4])
      return {
        y: op.linear(scaled, w, b),
        z: op.matmul(flat, flat, { transposeA: true }),
      }
    },
    ['reshape', 'linear', 'matmul'],
  ],
  [
    'not of a bias, nor of an operand that others read too',
    ({ x, w, b }) => {
      const scaled = op.mul(x, 3)
      return { y: op.linear(scaled, w, op.mul(b, 2)), z: op.exp(scaled) }
    },
    ['mul', 'mul', 'linear', 'exp'],
  ],
  [
    'not of a result that others read too, or that is an output',
    ({ x, w }) => {
      const y = op.linear(x, w)
      const z = op.linear(op.sin(x), w)
      return { a: op.mul(y, 3), y, b: op.mul(z, 3), c: op.sin(z) }
    },
    ['linear', 'sin', 'linear', 'mul', 'mul', 'sin'],
  ],
  [
    'not of what is scaled by a tensor',
    ({ x, w, b }) => ({ y: op.mul(op.linear(x, w), b) }),
    ['linear', 'mul'],
  ],
  [
    'QuickGELU alone is one operator',
    ({ x, w, b }) => ({ y: op.linear(op.quickGelu(op.linear(x, w, b)), w) }),
    ['linear', 'quickGelu', 'linear'],
  ],
  [
    'QuickGELU with its gradient shares the sigmoid, without a pass for 1.702',
    ({ x, w, b }) => {
      const loss = op.sum(op.sin(op.linear(op.quickGelu(op.linear(x, w, b)), w)))
      const [g] = gradients(loss, [b])
      return { g: g! }
    },
    // Forward: linear, sigmoid, mul, linear. Backward: the loss, linear, then four passes of QuickGELU, and the bias.
    [
      'linear',
      'sigmoid',
      'mul',
      'linear',
      'cos',
      'reshape',
      'matmul',
      'reshape',
      'sub',
      'mul',
      'add',
      'mul',
      'reshape',
      'sum',
    ],
  ],
]

test.each(cases)('numbers disappear: %s', async (_, body, expected) => {
  const specs = { x: spec([2, 3, 4]), w: spec([4, 4]), b: spec([4]) }
  const graph = trace('t', specs, body)
  expect(opsOf(graph)).toEqual(expected)

  await expectAsDefined(graph, specs)
})

test.each([
  [6, 3],
  [3, 6],
])('a product over many rows, of %s by %s columns, keeps its factor', async (left, right) => {
  const specs = { a: spec([1040, left]), b: spec([1040, right]) }
  const graph = trace('t', specs, ({ a, b }) => ({
    y: op.mul(op.matmul(a, b, { transposeA: true }), 1 / 32),
  }))
  await expectAsDefined(graph, specs)
})

/** Expects the backend's results of a graph to be those of the reference, for random inputs. */
async function expectAsDefined(graph: Graph, specs: Readonly<Record<string, InputSpec>>) {
  const random = new Random(1)
  const inputs = Object.fromEntries(
    Object.entries(specs).map(([name, { shape }]) => [
      name,
      hostTensor(
        'float32',
        shape,
        Array.from({ length: sizeOf(shape) }, () => random.normal()),
      ),
    ]),
  )
  const buffers = Object.fromEntries(
    await Promise.all(
      Object.entries(inputs).map(
        async ([name, tensor]) => [name, await backend.upload(tensor)] as const,
      ),
    ),
  )
  const executable = await backend.compile(graph)
  const outputs = await executable.run(buffers)
  for (const [name, { data }] of Object.entries(evaluate(graph, inputs))) {
    const got = await backend.read(outputs[name]!)
    data.forEach((value, i) => expect(got.data[i]).toBeCloseTo(value, 4))
  }
}
